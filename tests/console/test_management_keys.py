"""LiteLLM's scripts against /key/generate and /key/info."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from audit.trail import first_broken
from billing.models import Budget, LedgerEntry
from keys.models import User, VirtualKey
from keys.secrets import hash_token
from tests.factories import make_admin, make_key, make_organisation, make_team

pytestmark = pytest.mark.django_db

SONNET = ["claude-sonnet"]
SEEN_IN_THE_WILD: list[dict[str, Any]] = [
    {
        "key_alias": "a",
        "duration": "30d",
        "max_budget": 100.0,
        "models": SONNET,
        "metadata": {"department": "y"},
        "rpm_limit": 100,
        "tpm_limit": 10**5,
    },
    {"key_alias": "b", "models": ["claude-haiku"], "max_budget": 10.0, "rpm_limit": 20, "metadata": {"role": "intern"}},
    {"key_alias": "c", "max_budget": 200.0, "budget_duration": "30d", "models": SONNET, "metadata": {"cost_center": "CC-7"}},
    {"key_alias": "d", "duration": "7d", "max_budget": 50.0, "models": SONNET, "rpm_limit": 30, "metadata": {"type": "contractor"}},
    {},
]


LITELLMS_FIELDS = """
    key token token_id key_name key_alias expires user_id team_id organization_id project_id models spend max_budget budget_duration
    soft_budget budget_id tpm_limit rpm_limit max_parallel_requests metadata aliases config permissions model_max_budget model_rpm_limit
    model_tpm_limit guardrails tags blocked allowed_routes allowed_cache_controls key_type created_at updated_at created_by updated_by
    litellm_budget_table
"""


def master() -> str:
    return settings.TALLYGATE_MASTER_KEY


def generate(client: Client, body: object, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {master()}"} | headers
    return client.post("/key/generate", json.dumps(body), content_type="application/json", headers=sent)


def info(client: Client, key: str) -> Any:
    return client.get("/key/info", {"key": key}, headers={"Authorization": f"Bearer {master()}"})


@pytest.mark.parametrize("body", SEEN_IN_THE_WILD)
def test_bodies_that_scripts_send_issue_a_key(client: Client, body: dict[str, Any]) -> None:
    answer = generate(client, body)
    told = answer.json()
    key = VirtualKey.objects.get()
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert key.token_hash == told["token"] == told["token_id"] == hash_token(told["key"])
    assert told["key_name"] == f"sk-...{told['key'][-4:]}"
    for name, value in body.items():
        assert name == "duration" or told[name] == value


def test_answer_has_every_field_that_litellm_answers(client: Client) -> None:
    told = generate(client, {"key_alias": "a", "duration": "30d"}).json()
    assert set(LITELLMS_FIELDS.split()) <= set(told)
    assert (told["spend"], told["max_budget"], told["expires"][:2]) == (0, None, "20")


def test_json_body_sent_as_a_form_is_read(client: Client) -> None:
    body = json.dumps({"key_alias": "curl", "max_budget": 10.0})
    headers = {"Authorization": f"Bearer {master()}"}
    answer = client.post("/key/generate", body, content_type="application/x-www-form-urlencoded", headers=headers)
    assert (answer.status_code, answer.json()["key_alias"]) == (200, "curl")


def test_budget_and_cost_centre_are_kept(client: Client) -> None:
    generate(client, SEEN_IN_THE_WILD[2])
    budget = Budget.objects.get()
    assert (budget.amount_nano, budget.period, budget.mode) == (200 * 10**9, "30d", "hard")
    assert VirtualKey.objects.get().cost_centre == "CC-7"


def test_amount_is_kept_to_the_last_digit(client: Client) -> None:
    assert generate(client, {"max_budget": 0.1}).json()["max_budget"] == 0.1
    assert Budget.objects.get().amount_nano == 10**8


def test_known_team_and_organisation_are_named(client: Client) -> None:
    team, organisation = make_team(), make_organisation()
    told = generate(client, {"team_id": team.pk, "organization_id": organisation.pk}).json()
    assert (told["team_id"], told["organization_id"]) == (team.pk, organisation.pk)


def test_unknown_user_is_made_without_a_way_in(client: Client) -> None:
    generate(client, {"user_id": "bob@corp"})
    bob = User.objects.get(pk="bob@corp")
    assert (bob.has_usable_password(), bob.role, bob.is_staff) == (False, "member", False)


def test_own_key_value_is_used(client: Client) -> None:
    assert generate(client, {"key": "sk-our-own-key-1"}).json()["key"] == "sk-our-own-key-1"


def test_fields_we_do_not_act_on_are_kept_and_named(client: Client) -> None:
    answer = generate(
        client, {"aliases": {"a": "b"}, "soft_budget": 5, "guardrails": ["x"], "config": {}, "key_type": "default", "auto_rotate": False}
    )
    assert answer["x-tallygate-ignored-fields"] == "aliases, guardrails, soft_budget"
    assert answer.json()["aliases"] == {"a": "b"}
    assert VirtualKey.objects.get().extra == {"aliases": {"a": "b"}, "soft_budget": 5, "guardrails": ["x"]}


@pytest.mark.parametrize("forged", ["id", "token_hash", "created_by", "revoked_at", "extra", "is_superuser", "origin"])
def test_forged_fields_change_nothing(client: Client, forged: str) -> None:
    generate(client, {forged: "forged"})
    key = VirtualKey.objects.get()
    assert (key.created_by, key.revoked_at, len(key.id)) == ("master-key", None, 64)
    assert key.extra == {forged: "forged"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"team_id": "nobody"}, "team_id"),
        ({"organization_id": "nobody"}, "organization_id"),
        ({"duration": "soon"}, "duration"),
        ({"max_budget": 1, "budget_duration": "fortnight"}, "budget_duration"),
        ({"key": "no-prefix-here"}, "key"),
        ({"allowed_ips": ["nonsense"]}, "allowed_ips"),
        ({"models": [""]}, "models"),
    ],
)
def test_wrong_value_is_a_400_that_names_the_field(client: Client, body: dict[str, Any], param: str) -> None:
    answer = generate(client, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"], error["code"]) == (400, "bad_request_error", param, "400")
    assert not VirtualKey.objects.exists()
    assert not User.objects.exists()


def test_taken_alias_is_a_400(client: Client) -> None:
    generate(client, {"key_alias": "a"})
    answer = generate(client, {"key_alias": "a", "user_id": "left-behind"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "key_alias")
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "body", [{"max_budget": -1}, {"max_budget": "much"}, {"rpm_limit": -1}, {"rpm_limit": 2**40}, {"metadata": []}, {"models": "a"}]
)
def test_wrong_type_is_a_422_with_its_place(client: Client, body: dict[str, Any]) -> None:
    answer = generate(client, body)
    assert (answer.status_code, answer.json()["detail"][0]["loc"][-1]) == (422, next(iter(body)))


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"[" * 100_000, b'{"a": NaN}', b"\xff\xfe", b'{"key_alias": "a\\u0000b"}', b'{"key_alias": "\\ud800"}']
)
def test_bad_json_is_a_400(client: Client, body: bytes) -> None:
    answer = client.post("/key/generate", body, content_type="application/json", headers={"x-api-key": master()})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "request_body")


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "x-litellm-api-key", "api-key"])
@pytest.mark.parametrize("prefix", ["", "Bearer "])
def test_master_key_opens_whichever_header_carries_it(client: Client, header: str, prefix: str) -> None:
    assert client.post("/key/generate", "{}", content_type="application/json", headers={header: prefix + master()}).status_code == 200


@pytest.mark.parametrize("token", ["", "sk-wrong", "ünïcode", "x" * 5000, "sk-master-for-test", "sk-master-for-tests2"])
def test_wrong_key_is_a_401_before_the_body_is_read(client: Client, token: str) -> None:
    answer = client.post("/key/generate", "{", content_type="application/json", headers={"x-api-key": token})
    assert (answer.status_code, answer.json()["error"]["type"], answer.json()["error"]["code"]) == (401, "auth_error", "401")


def test_neither_session_nor_virtual_key_nor_hash_is_a_master_key(client: Client) -> None:
    key, token = make_key()
    client.force_login(make_admin())
    for secret in ("", token, key.token_hash, hash_token(master())):
        assert client.post("/key/generate", "{}", content_type="application/json", headers={"x-api-key": secret}).status_code == 401
        assert client.get("/key/info", {"key": key.pk}, headers={"x-api-key": secret}).status_code == 401


def test_info_is_found_by_key_and_by_hash(client: Client) -> None:
    key, token = make_key(rpm_limit=7)
    for named in (token, key.token_hash):
        told = info(client, named).json()
        assert (told["info"]["key_alias"], told["info"]["rpm_limit"]) == ("laptop", 7)
        assert token not in json.dumps(told)
        assert "token" not in told["info"]


def test_unknown_key_is_a_404(client: Client) -> None:
    answer = info(client, "sk-nobody")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "404")


def test_alias_is_no_key(client: Client) -> None:
    make_key("laptop")
    assert info(client, "laptop").status_code == 404


def test_spend_is_that_of_the_running_window(client: Client) -> None:
    told = generate(client, {"max_budget": 10, "budget_duration": "30d"}).json()
    budget = Budget.objects.get()
    budget.windows.create(starts_at=budget.anchored_at, posted_nano=2_500_000_000)
    assert info(client, told["key"]).json()["info"]["spend"] == 2.5


def test_spend_without_budget_is_that_of_the_ledger(client: Client) -> None:
    key, token = make_key()
    LedgerEntry.objects.create(
        attempt_id="1", kind="base", request_id="r", at=timezone.now(), amount_nano=123_000_000, key_id=key.pk, provider="demo", model="m"
    )
    assert info(client, token).json()["info"]["spend"] == 0.123


def test_issue_is_audited_with_the_name_of_the_changer(client: Client) -> None:
    generate(client, {"max_budget": 1}, **{"litellm-changed-by": "alice"})
    told = AuditEvent.objects.order_by("id").values_list("event", "actor_kind", "actor_name")
    assert list(told) == [("key.issued", "master-key", "master key (alice)"), ("budget.set", "master-key", "master key (alice)")]


def everything_stored() -> str:
    """Every value of every table, as text."""
    with connection.cursor() as cursor:
        rows: list[object] = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - names of our own tables
            rows += cursor.fetchall()
    return repr(rows)


def test_no_secret_is_in_the_database(client: Client) -> None:
    secrets = [generate(client, {"key_alias": "a", "max_budget": 1}).json()["key"], master()]
    dump = everything_stored()
    assert "key.issued" in dump
    assert [secret for secret in secrets if secret in dump] == []
    assert first_broken() is None
