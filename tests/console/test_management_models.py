"""LiteLLM's scripts against /model/new, /model/update and /model/delete."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from audit.models import AuditEvent
from audit.trail import SYSTEM, first_broken
from routing.actions import change_route, set_targets
from routing.credentials import resolve
from routing.models import Credential, Deployment, Origin, Route
from tests.factories import PROVIDER_KEY, make_admin, make_credential, make_deployment, make_key, make_route, make_user

pytestmark = pytest.mark.django_db

KEY, NEW_KEY = "sk-ant-canary-4471", "sk-ant-canary-5582"
PATHS = ["/model/new", "/model/update", "/model/delete"]
SONNET = {"model": "anthropic/claude-sonnet-4-5", "api_key": KEY}


def post(client: Client, path: str, body: object, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token or settings.TALLYGATE_MASTER_KEY}"}
    answer = client.post(path, json.dumps(body), content_type="application/x-www-form-urlencoded", headers=headers)
    assert "canary" not in answer.content.decode()
    return answer


def new(client: Client, name: str = "sonnet", info: dict[str, Any] | None = None, **params: Any) -> Any:
    return post(client, "/model/new", {"model_name": name, "litellm_params": SONNET | params, "model_info": info or {}})


def update(client: Client, model_id: str, name: str | None = None, **params: Any) -> Any:
    body = {"model_name": name, "litellm_params": params, "model_info": {"id": model_id}}
    return post(client, "/model/update", body)


def made(client: Client, name: str = "sonnet", **params: Any) -> Deployment:
    return Deployment.objects.get(pk=new(client, name, **params).json()["model_id"])


def targets(name: str) -> list[tuple[str, int, int]]:
    rows = Route.objects.get(name=name).targets.order_by("id")
    return [(row.deployment_id, row.order, row.weight) for row in rows]


def test_new_model_is_a_deployment_with_its_key_and_a_route(client: Client) -> None:
    answer = new(client, rpm=5, order=2, weight=3, timeout=30, api_base="https://api.example.com/")
    deployment = Deployment.objects.get()
    assert (answer.status_code, answer.json()["model_id"], answer.json()["model_info"]["id"]) == (200, deployment.pk, deployment.pk)
    assert (deployment.provider, deployment.model, deployment.rpm_limit) == ("anthropic", "claude-sonnet-4-5", 5)
    assert (deployment.first_byte_timeout_s, deployment.base_url, deployment.origin) == (30, "https://api.example.com", Origin.PAGE)
    assert (resolve(Credential.objects.get()), deployment.credential) == (KEY, Credential.objects.get())
    assert targets("sonnet") == [(deployment.pk, 2, 3)]


def test_answer_has_the_shape_of_a_row(client: Client) -> None:
    told = new(client).json()
    assert set(told) >= {"model_id", "model_name", "litellm_params", "model_info", "created_at", "created_by", "updated_at", "updated_by"}
    assert (told["model_name"], told["litellm_params"]["model"]) == ("sonnet", SONNET["model"])
    assert "api_key" not in told["litellm_params"]


def test_second_model_of_the_same_name_shares_the_route(client: Client) -> None:
    first, second = made(client), made(client, rpm=9)
    assert targets("sonnet") == [(first.pk, 1, 1), (second.pk, 1, 9)]
    assert Credential.objects.count() == 2


@pytest.mark.parametrize("written", ["os.environ/ANTHROPIC_API_KEY", "env:ANTHROPIC_API_KEY"])
def test_key_may_be_a_reference(client: Client, written: str) -> None:
    assert made(client, api_key=written).credential == Credential.objects.get(secret="env:ANTHROPIC_API_KEY")


@pytest.mark.parametrize("written", ["os.environ/TALLYGATE_MASTER_KEY", "os.environ/HOME", "file:/etc/passwd"])
def test_reference_to_a_closed_name_is_refused_and_nothing_is_made(client: Client, written: str) -> None:
    assert new(client, api_key=written).status_code == 400
    assert not (Deployment.objects.exists() or Credential.objects.exists() or Route.objects.exists())


@pytest.mark.parametrize(
    ("written", "said", "name", "kept"),
    [
        ("anthropic/claude-x", None, "a", ("anthropic", "claude-x")),
        ("claude-x", "anthropic", "a", ("anthropic", "claude-x")),
        ("claude-x", None, "a", ("anthropic", "claude-x")),
        ("openrouter/anthropic/claude-x", None, "a", ("openrouter", "anthropic/claude-x")),
        ("bedrock/us.anthropic.claude-x-v1:0", None, "a", ("bedrock", "us.anthropic.claude-x-v1:0")),
        ("anthropic/*", None, "anthropic/*", ("anthropic", "*")),
        ("anthropic/claude-*", None, "claude-*", ("anthropic", "*")),
    ],
)
def test_provider_and_model_are_read(client: Client, written: str, said: str | None, name: str, kept: tuple[str, str]) -> None:
    found = made(client, name, model=written, custom_llm_provider=said)
    assert (found.provider, found.model) == kept


def test_way_and_region_in_a_bedrock_name_are_read(client: Client) -> None:
    found = made(client, "a", model="bedrock/converse/eu-west-1/anthropic.claude-x")
    assert (found.provider, found.model, found.api, found.region) == ("bedrock", "anthropic.claude-x", "converse", "eu-west-1")


def test_region_that_is_said_goes_before_the_one_in_the_name(client: Client) -> None:
    assert made(client, "a", model="bedrock/eu-west-1/anthropic.claude-x", aws_region_name="us-east-1").region == "us-east-1"


@pytest.mark.parametrize(
    "params",
    [
        {"model": "somebody-s-model"},
        {"model": "nobody/claude-x"},
        {"model": "anthropic/../x"},
        {"model": "anthropic/"},
        {"model": "anthropic/claude-*"},
        {"api_base": "http://169.254.169.254/"},
        {"api_base": "http://127.0.0.1:1"},
        {"litellm_credential_name": "none"},
        {"aws_secret_access_key": "canary"},
        {"vertex_credentials": "{}"},
    ],
)
def test_what_nothing_can_be_made_of_is_refused(client: Client, params: dict[str, Any]) -> None:
    answer = new(client, **params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "400")
    assert not (Deployment.objects.exists() or Credential.objects.exists())


@pytest.mark.parametrize(
    "body",
    [
        {"litellm_params": SONNET},
        {"model_name": "a"},
        {"model_name": " a", "litellm_params": SONNET},
        {"model_name": "a\nb", "litellm_params": SONNET},
        {"model_name": "a", "litellm_params": {"api_key": KEY}},
        {"model_name": "a", "litellm_params": {"model": "anthropic/x", "api_key": [KEY]}},
        {"model_name": "a", "litellm_params": SONNET | {"region_name": "x.evil.example/"}},
        {"model_name": "a", "litellm_params": SONNET | {"rpm": -1}},
        {"model_name": "a", "litellm_params": SONNET, "model_info": {"id": "a\r\nx-evil: 1"}},
        {"model_name": "a", "litellm_params": SONNET, "model_info": {"id": "x" * 65}},
    ],
)
def test_malformed_body_is_told_without_its_secret(client: Client, body: dict[str, Any]) -> None:
    assert post(client, "/model/new", body).status_code == 422
    assert not Deployment.objects.exists()


def test_own_id_is_kept_and_taken_once(client: Client) -> None:
    assert new(client, info={"id": "my-id", "base_model": "claude-y"}).json()["model_id"] == "my-id"
    assert new(client, "other", info={"id": "my-id"}).status_code == 400
    assert (Deployment.objects.get().base_model, Credential.objects.count()) == ("claude-y", 1)


def test_credential_may_be_one_that_is_there(client: Client) -> None:
    credential = make_credential()
    assert made(client, api_key=None, litellm_credential_name=credential.name).credential == credential
    assert new(client, model="openai/gpt-5", litellm_credential_name=credential.name).status_code == 400


def test_fields_we_do_not_act_on_are_named(client: Client) -> None:
    answer = new(client, info={"mode": "chat"}, input_cost_per_token=1, use_in_pass_through=False)
    assert answer["x-tallygate-ignored-fields"] == "litellm_params.input_cost_per_token, model_info.mode"


def test_forged_fields_change_nothing(client: Client) -> None:
    forged: dict[str, Any] = {"origin": "file", "is_active": False, "name": "x", "secret": "y", "id": "z"}
    deployment = made(client, **forged)
    assert (deployment.origin, deployment.is_active, deployment.pk != "z") == (Origin.PAGE, True, True)
    assert new(client, info={"db_model": False, "created_by": "eve"}).json()["model_info"]["db_model"] is True


def test_update_changes_what_is_sent(client: Client) -> None:
    deployment = made(client, rpm=5)
    told = update(client, deployment.pk, model="anthropic/claude-opus-4-5", tpm=700, order=4, rpm=None).json()
    deployment.refresh_from_db()
    assert (deployment.model, deployment.rpm_limit, deployment.tpm_limit) == ("claude-opus-4-5", 5, 700)
    assert (targets("sonnet"), told["model_name"]) == ([(deployment.pk, 4, 5)], "sonnet")
    assert resolve(Credential.objects.get()) == KEY


def test_new_key_takes_the_place_of_the_old(client: Client) -> None:
    deployment = made(client)
    assert update(client, deployment.pk, api_key=NEW_KEY).status_code == 200
    assert resolve(Credential.objects.get()) == NEW_KEY


def test_own_key_goes_when_another_credential_takes_over(client: Client) -> None:
    deployment, other = made(client), make_credential()
    update(client, deployment.pk, litellm_credential_name=other.name)
    assert list(Credential.objects.all()) == [other]
    update(client, deployment.pk, api_key=NEW_KEY)
    assert (resolve(other), Credential.objects.count()) == (PROVIDER_KEY, 2)


def test_key_of_one_provider_never_goes_to_another(client: Client) -> None:
    deployment = made(client)
    assert update(client, deployment.pk, model="openai/gpt-5").json()["error"]["param"] == "litellm_params.api_key"
    assert update(client, deployment.pk, model="openai/gpt-5", api_key=NEW_KEY).status_code == 200
    assert (Deployment.objects.get().provider, Credential.objects.get().provider) == ("openai", "openai")


def test_new_name_moves_the_model(client: Client) -> None:
    moved, stays = made(client, weight=7), made(client)
    assert update(client, moved.pk, "fresh").json()["model_name"] == "fresh"
    assert (targets("fresh"), targets("sonnet")) == ([(moved.pk, 1, 7)], [(stays.pk, 1, 1)])


def test_model_with_several_names_is_not_renamed(client: Client) -> None:
    deployment = made(client)
    make_route("other", deployment)
    assert update(client, deployment.pk, "third").status_code == 400
    assert update(client, deployment.pk, "other", weight=3).status_code == 200
    assert targets("other") == targets("sonnet") == [(deployment.pk, 1, 3)]


def test_deleted_model_leaves_its_routes_and_takes_its_key(client: Client) -> None:
    deleted, stays = made(client), made(client)
    make_route("other", deleted, stays)
    answer = post(client, "/model/delete", {"id": deleted.pk})
    assert (answer.status_code, deleted.pk in answer.json()["message"]) == (200, True)
    assert targets("sonnet") == targets("other") == [(stays.pk, 1, 1)]
    assert list(Credential.objects.all()) == [stays.credential]


def test_route_goes_with_its_last_model_unless_it_says_more(client: Client) -> None:
    bare, described = made(client), made(client, "told")
    change_route(Route.objects.get(name="told"), {"fallbacks": ["sonnet"]}, actor=SYSTEM)
    for model in (bare, described):
        post(client, "/model/delete", {"id": model.pk})
    assert [route.name for route in Route.objects.all()] == ["told"]
    assert made(client, "told").pk == targets("told")[0][0]


def test_shared_credential_stays(client: Client) -> None:
    credential = make_credential()
    deployment = made(client, api_key=None, litellm_credential_name=credential.name)
    post(client, "/model/delete", {"id": deployment.pk})
    assert Credential.objects.get() == credential


@pytest.mark.parametrize("path", ["/model/update", "/model/delete"])
def test_unknown_model_is_not_found(client: Client, path: str) -> None:
    answer = post(client, path, {"id": "none", "model_info": {"id": "none"}})
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


def test_update_names_its_model(client: Client) -> None:
    assert post(client, "/model/update", {"model_name": "x", "litellm_params": None, "model_info": None}).status_code == 400


def test_rows_of_the_file_are_changed_in_the_file(client: Client) -> None:
    deployment = make_deployment("filed", origin=Origin.FILE)
    route = make_route("filed", deployment)
    Route.objects.filter(pk=route.pk).update(origin=Origin.FILE)
    answers = [update(client, deployment.pk, rpm=1), post(client, "/model/delete", {"id": deployment.pk}), new(client, "filed")]
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert all("configuration file" in answer.json()["error"]["message"] for answer in answers)
    assert (targets("filed"), Deployment.objects.count()) == ([(deployment.pk, 1, 1)], 1)


@pytest.mark.parametrize("path", PATHS)
def test_key_of_no_administrator_is_refused(client: Client, path: str) -> None:
    deployment = made(client)
    _, token = make_key(user=make_user("bob"))
    body = {"id": deployment.pk, "model_name": "x", "litellm_params": SONNET, "model_info": {"id": deployment.pk}}
    assert post(client, path, body, token).status_code == 403
    assert (Deployment.objects.get(), Route.objects.get().name) == (deployment, "sonnet")


@pytest.mark.parametrize("path", PATHS)
def test_stranger_is_refused(client: Client, path: str) -> None:
    assert post(client, path, {"id": "x"}, "sk-nobody").status_code == 401


def test_administrators_own_key_makes_changes_and_deletes(client: Client) -> None:
    _, token = make_key(user=make_admin())
    model_id = post(client, "/model/new", {"model_name": "a", "litellm_params": SONNET}, token).json()["model_id"]
    assert post(client, "/model/update", {"litellm_params": {"rpm": 2}, "model_info": {"id": model_id}}, token).status_code == 200
    assert post(client, "/model/delete", {"id": model_id}, token).status_code == 200
    assert {event.actor_kind for event in AuditEvent.objects.filter(event__startswith="deployment.")} == {"user"}


def test_every_write_is_in_the_trail(client: Client) -> None:
    deployment = made(client)
    set_targets(Route.objects.get(), [], actor=SYSTEM)
    post(client, "/model/delete", {"id": deployment.pk})
    events = set(AuditEvent.objects.filter(actor_kind="master-key").values_list("event", flat=True))
    assert events == {
        "credential.created",
        "deployment.created",
        "route.created",
        "route.changed",
        "deployment.deleted",
        "credential.deleted",
    }
    assert first_broken() is None
    assert "canary" not in str(list(AuditEvent.objects.values()))
