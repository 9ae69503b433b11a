"""LiteLLM's scripts against /credentials, and models that are opened with one by its name."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from audit.models import AuditEvent
from routing.credentials import resolve, resolve_fields
from routing.models import Credential, Deployment, Origin
from tests.factories import PROVIDER_KEY, make_admin, make_credential, make_deployment, make_key, make_user

pytestmark = pytest.mark.django_db

KEY, NEW_KEY = "sk-ant-canary-4471", "sk-ant-canary-5582"
ANTHROPIC = {"custom_llm_provider": "anthropic"}
AZURE = {"api_key": "azure-canary-key-11", "api_base": "https://one.openai.azure.com/", "api_version": "2024-10-21"}


def call(client: Client, method: str, path: str, body: object = None, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token or settings.TALLYGATE_MASTER_KEY}"}
    answer = client.generic(method, path, json.dumps(body) if body is not None else "", headers=headers)
    assert "canary" not in answer.content.decode()
    return answer


def make(client: Client, name: str = "mine", values: object = None, info: object = ANTHROPIC, **fields: Any) -> Any:
    body = {"credential_name": name, "credential_values": values or {"api_key": KEY}, "credential_info": info, **fields}
    return call(client, "POST", "/credentials", body)


def patch(client: Client, name: str = "mine", **fields: Any) -> Any:
    return call(client, "PATCH", f"/credentials/{name}", {"credential_info": {}, **fields})


def new_model(client: Client, model: str, **params: Any) -> Any:
    return call(client, "POST", "/model/new", {"model_name": "m", "litellm_params": {"model": model, **params}})


def test_credential_is_stored_sealed_and_shown_masked(client: Client) -> None:
    answer = make(client)
    row = Credential.objects.get()
    assert (answer.status_code, answer.json()) == (200, {"success": True, "message": "Credential created successfully"})
    assert (row.name, row.provider, resolve(row), "canary" in row.secret) == ("mine", "anthropic", KEY, False)
    shown = {"credential_name": "mine", "credential_values": {"api_key": "sk****71"}, "credential_info": ANTHROPIC}
    assert call(client, "GET", "/credentials").json() == {"success": True, "credentials": [shown]}
    assert call(client, "GET", "/credentials/by_name/mine").json() == call(client, "GET", "/credentials/mine").json() == shown


def test_reference_is_kept_and_shown_as_litellm_writes_it(client: Client) -> None:
    make(client, values={"api_key": "os.environ/ANTHROPIC_API_KEY"})
    assert Credential.objects.get().secret == "env:ANTHROPIC_API_KEY"
    assert call(client, "GET", "/credentials/mine").json()["credential_values"] == {"api_key": "os.environ/ANTHROPIC_API_KEY"}


@pytest.mark.parametrize("written", ["os.environ/TALLYGATE_MASTER_KEY", "os.environ/HOME", "file:/etc/passwd"])
@pytest.mark.parametrize("more", [{}, {"api_base": "https://x.example"}])
def test_reference_to_a_closed_name_is_refused(client: Client, written: str, more: dict[str, str]) -> None:
    assert make(client, values={"api_key": written, **more}).status_code == 400
    assert not Credential.objects.exists()


@pytest.mark.parametrize(
    ("values", "info", "provider"),
    [
        ({"api_key": KEY}, {}, "anthropic"),
        ({"api_key": "x"}, {"custom_llm_provider": "OpenAI"}, "openai"),
        ({"aws_role_name": "r"}, {}, "bedrock"),
        ({"vertex_credentials": "{}"}, {}, "vertex_ai"),
        ({"tenant_id": "t"}, {}, "azure"),
    ],
)
def test_provider_is_what_is_said_or_what_the_values_tell(client: Client, values: object, info: object, provider: str) -> None:
    assert make(client, values=values, info=info).status_code == 200
    assert Credential.objects.get().provider == provider


@pytest.mark.parametrize(
    "fields",
    [
        {"info": {"custom_llm_provider": "nobody"}},
        {"values": {"api_key": "x"}, "info": {}},
        {"name": "a\nb"},
        {"name": ""},
        {"values": "x"},
        {"info": None},
        {"model_id": "none"},
    ],
)
def test_what_nothing_can_be_made_of_is_refused(client: Client, fields: dict[str, Any]) -> None:
    assert make(client, **fields).status_code in {400, 404, 422}
    assert not Credential.objects.exists()


def test_name_is_taken_once(client: Client) -> None:
    assert [make(client).status_code, make(client).status_code] == [200, 400]
    make(client, "other")
    assert patch(client, credential_name="other").json()["error"]["param"] == "credential_name"


def test_name_may_hold_slashes(client: Client) -> None:
    make(client, "team/blue")
    assert call(client, "GET", "/credentials/by_name/team/blue").json()["credential_name"] == "team/blue"
    assert call(client, "DELETE", "/credentials/team/blue").status_code == 200


def test_update_changes_what_is_sent_and_keeps_the_rest(client: Client) -> None:
    make(client, values=AZURE, info={"custom_llm_provider": "azure"})
    answer = patch(client, credential_name="ours", credential_values={"api_key": NEW_KEY}, credential_values_to_delete=["api_version"])
    assert answer.json() == {"success": True, "message": "Credential updated successfully"}
    assert resolve_fields(Credential.objects.get(name="ours")) == {"api_key": NEW_KEY, "api_base": AZURE["api_base"]}


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_what_was_shown_can_be_sent_back(client: Client, method: str) -> None:
    make(client, values=AZURE, info={"custom_llm_provider": "azure"})
    shown = call(client, "GET", "/credentials/mine").json()
    assert shown["credential_values"] == {**AZURE, "api_key": "az****11"}
    assert call(client, method, "/credentials/mine", shown).status_code == 200
    assert resolve_fields(Credential.objects.get()) == AZURE
    assert not AuditEvent.objects.filter(event="credential.changed").exists()


def test_model_takes_key_and_place_of_the_credential_it_names(client: Client) -> None:
    make(client, values=AZURE, info={"custom_llm_provider": "azure"})
    assert new_model(client, "azure/my-gpt", litellm_credential_name="mine").status_code == 200
    row = Deployment.objects.get()
    assert (row.credential, row.base_url, row.api_version) == (Credential.objects.get(), "https://one.openai.azure.com", "2024-10-21")


def test_models_own_place_counts_more(client: Client) -> None:
    make(client, values=AZURE, info={"custom_llm_provider": "azure"})
    model_id = new_model(client, "azure/my-gpt", litellm_credential_name="mine", api_base="https://two.openai.azure.com").json()["model_id"]
    call(client, "POST", "/model/update", {"litellm_params": {"litellm_credential_name": "mine"}, "model_info": {"id": model_id}})
    assert Deployment.objects.get().base_url == "https://two.openai.azure.com"


def test_model_moves_with_its_credential(client: Client) -> None:
    make(client, values=AZURE, info={"custom_llm_provider": "azure"})
    new_model(client, "azure/my-gpt", litellm_credential_name="mine")
    assert patch(client, credential_values={"api_base": "https://two.openai.azure.com"}).status_code == 200
    assert Deployment.objects.get().base_url == "https://two.openai.azure.com"


def test_place_in_a_closed_network_is_refused_where_a_model_would_go_there(client: Client) -> None:
    make(client, values={**AZURE, "api_base": "http://169.254.169.254"}, info={"custom_llm_provider": "azure"})
    assert new_model(client, "azure/my-gpt", litellm_credential_name="mine").status_code == 400
    assert not Deployment.objects.exists()


def test_credential_of_another_provider_opens_no_model(client: Client) -> None:
    make(client)
    answer = new_model(client, "openai/gpt-5", litellm_credential_name="mine")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "litellm_params.litellm_credential_name")


def test_credential_in_use_stays_and_keeps_its_provider(client: Client) -> None:
    make(client)
    new_model(client, "anthropic/claude-x", litellm_credential_name="mine")
    assert call(client, "DELETE", "/credentials/mine").status_code == 400
    assert patch(client, credential_info={"custom_llm_provider": "openai"}).status_code == 400
    assert Credential.objects.get().provider == "anthropic"


def test_parts_of_a_credential_may_come_with_the_model(client: Client) -> None:
    parts = {"aws_access_key_id": "AKIAcanary", "aws_secret_access_key": "s-canary-1", "aws_region_name": "eu-west-1"}
    answer = new_model(client, "bedrock/anthropic.claude-x", **parts)
    assert (answer.status_code, "x-tallygate-ignored-fields" in answer) == (200, False)
    assert resolve_fields(Credential.objects.get()) == {name: parts[name] for name in ("aws_access_key_id", "aws_secret_access_key")}
    assert Deployment.objects.get().region == "eu-west-1"


def test_credential_is_made_of_a_models_own(client: Client) -> None:
    model_id = new_model(client, "anthropic/claude-x", api_key=KEY, api_base="https://api.example.com").json()["model_id"]
    assert make(client, "copy", values={"api_version": "1"}, info={}, model_id=model_id).status_code == 200
    kept = resolve_fields(Credential.objects.get(name="copy"))
    assert kept == {"api_key": KEY, "api_base": "https://api.example.com", "api_version": "1"}
    told = call(client, "GET", f"/credentials/by_model/{model_id}").json()
    assert told["credential_values"] == {"api_key": "sk****71", "api_base": "https://api.example.com"}


def test_row_of_the_file_is_changed_in_the_file(client: Client) -> None:
    credential = make_credential("filed")
    Credential.objects.update(origin=Origin.FILE)
    answers = [patch(client, "filed", credential_values={"api_key": KEY}), call(client, "DELETE", "/credentials/filed")]
    assert [answer.status_code for answer in answers] == [400, 400]
    credential.refresh_from_db()
    assert resolve(credential) == PROVIDER_KEY


def test_credential_whose_seal_is_lost_is_masked_whole_and_entered_anew(client: Client) -> None:
    make(client)
    Credential.objects.update(secret="fernet:lost")
    assert call(client, "GET", "/credentials/mine").json()["credential_values"] == {"api_key": "****"}
    assert patch(client, credential_values={"api_key": NEW_KEY}).status_code == 200
    assert resolve(Credential.objects.get()) == NEW_KEY


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_unknown_name_is_not_found(client: Client, method: str) -> None:
    answer = call(client, method, "/credentials/none", {"credential_info": {}})
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


def test_what_is_not_acted_on_is_named(client: Client) -> None:
    answer = make(client, info=ANTHROPIC | {"description": "ours"}, origin="file", secret="x")
    assert answer["x-tallygate-ignored-fields"] == "credential_info.description, origin, secret"
    assert Credential.objects.get().origin == Origin.PAGE


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("GET", "/filed"), ("PATCH", "/filed"), ("DELETE", "/filed"), ("GET", "/by_name/filed")]
)
def test_key_of_no_administrator_is_refused(client: Client, method: str, path: str) -> None:
    make_credential("filed")
    _, token = make_key(user=make_user("bob"))
    body = {"credential_name": "x", "credential_values": {"api_key": KEY}, "credential_info": ANTHROPIC}
    assert [call(client, method, f"/credentials{path}", body, sent).status_code for sent in (token, "sk-nobody")] == [403, 401]
    assert [row.name for row in Credential.objects.all()] == ["filed"]


def test_administrators_own_key_writes_and_the_trail_holds_no_secret(client: Client) -> None:
    _, token = make_key(user=make_admin())
    body = {"credential_name": "x", "credential_values": {"api_key": KEY}, "credential_info": ANTHROPIC}
    call(client, "POST", "/credentials", body, token)
    call(client, "PATCH", "/credentials/x", body | {"credential_values": {"api_key": NEW_KEY}}, token)
    call(client, "DELETE", "/credentials/x", None, token)
    events = AuditEvent.objects.filter(event__startswith="credential.")
    assert [(event.event, event.actor_kind) for event in events.order_by("id")] == [
        (f"credential.{verb}", "user") for verb in ("created", "changed", "deleted")
    ]
    assert "canary" not in str(list(AuditEvent.objects.values()))


def test_deployment_without_a_credential_is_told_as_it_is(client: Client) -> None:
    deployment = make_deployment("plain")
    told = call(client, "GET", f"/credentials/by_model/{deployment.pk}").json()
    assert (told["credential_name"], told["credential_values"]) == ("plain", {})
