"""LiteLLM's scripts against /key/…."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from audit.trail import first_broken
from billing.models import Budget, BudgetPlan, LedgerEntry, Window
from billing.standing import sentence
from billing.status import standing_of
from keys.models import User, VirtualKey
from keys.secrets import hash_token
from tests.factories import make_admin, make_key, make_organisation, make_team, make_user

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
    asks_nothing = {"config": {}, "key_type": "default", "auto_rotate": False}
    answer = generate(client, {"aliases": {"a": "b"}, "temp_budget_increase": 5, "guardrails": ["x"]} | asks_nothing)
    assert answer["x-tallygate-ignored-fields"] == "aliases, guardrails, temp_budget_increase"
    assert answer.json()["aliases"] == {"a": "b"}
    assert VirtualKey.objects.get().extra == {"aliases": {"a": "b"}, "temp_budget_increase": 5, "guardrails": ["x"]} | asks_nothing


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


@pytest.mark.parametrize("token", ["sk-wrong", "ünïcode", "x" * 5000, "sk-master-for-test", "sk-master-for-tests2"])
def test_wrong_key_is_a_401_before_the_body_is_read(client: Client, token: str) -> None:
    answer = client.post("/key/generate", "{", content_type="application/json", headers={"x-api-key": token})
    told = answer.json()["error"]
    assert (answer.status_code, told["type"], told["code"]) == (401, "token_not_found_in_db", "401")


def test_no_key_is_a_401(client: Client) -> None:
    answer = client.post("/key/generate", "{", content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "auth_error")


def test_neither_session_nor_hash_is_a_key(client: Client) -> None:
    key, _ = make_key()
    client.force_login(make_admin())
    for secret in ("", key.token_hash, hash_token(master())):
        assert client.post("/key/generate", "{}", content_type="application/json", headers={"x-api-key": secret}).status_code == 401
        assert client.get("/key/info", {"key": key.pk}, headers={"x-api-key": secret}).status_code == 401


def test_key_of_nobody_issues_none(client: Client) -> None:
    _, token = make_key(team=make_team())
    assert client.post("/key/generate", "{}", content_type="application/json", headers={"x-api-key": token}).status_code == 403


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
    Window.objects.update(posted_nano=2_500_000_000)
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


# ── changing ──────────────────────────────────────────────────────────────────
def post(client: Client, path: str, body: object) -> Any:
    return client.post(path, json.dumps(body), content_type="application/json", headers={"x-api-key": master()})


ALL_MONEY: dict[str, Any] = {
    "max_budget": 20, "soft_budget": 15.5, "budget_duration": "30d",
    "model_max_budget": {"claude-opus": {"budget_limit": 5, "time_period": "1d"}},
    "model_rpm_limit": {"claude-opus": 10}, "model_tpm_limit": {"claude-opus": 1000, "claude-haiku": 5},
}  # fmt: skip


def test_every_kind_of_limit_is_kept_and_told(client: Client) -> None:
    told = generate(client, ALL_MONEY).json()
    assert {name: told[name] for name in ALL_MONEY} == ALL_MONEY
    rows = Budget.objects.order_by("id").values_list("model", "mode", "period", "amount_nano")
    assert set(rows) == {("", "hard", "30d", 20 * 10**9), ("", "soft", "30d", 15_500_000_000), ("claude-opus", "hard", "1d", 5 * 10**9)}
    assert VirtualKey.objects.get().model_limits == {"claude-opus": {"rpm": 10, "tpm": 1000}, "claude-haiku": {"tpm": 5}}


def test_reset_is_told_at_once(client: Client) -> None:
    told = generate(client, {"max_budget": 1, "budget_duration": "7d"}).json()
    assert datetime.fromisoformat(told["budget_reset_at"]) == Budget.objects.get().anchored_at + timedelta(days=7)


def test_fields_that_are_not_sent_stay_as_they_are(client: Client) -> None:
    made = generate(client, ALL_MONEY | {"key_alias": "a", "models": ["x"], "tags": ["t"]}).json()
    told = post(client, "/key/update", {"key": made["key"], "rpm_limit": 7}).json()
    same = {*ALL_MONEY, "key_alias", "models", "tags", "budget_reset_at"}
    assert {name: told[name] for name in same} == {name: made[name] for name in same}
    assert (told["rpm_limit"], told["key"]) == (7, made["token"])


def test_null_takes_a_value_away(client: Client) -> None:
    key = generate(client, ALL_MONEY | {"rpm_limit": 7, "duration": "1d", "metadata": {"a": 1}}).json()["key"]
    cleared = [*ALL_MONEY, "rpm_limit", "metadata", "duration"]
    told = post(client, "/key/update", {"key": key} | dict.fromkeys(cleared)).json()
    shown = (told["max_budget"], told["soft_budget"], told["model_max_budget"], told["rpm_limit"], told["metadata"], told["expires"])
    assert shown == (None, None, {}, None, {}, None)
    assert not Budget.objects.exists()
    assert VirtualKey.objects.get().model_limits == {}


def test_amount_is_changed_and_mode_and_time_zone_stay(client: Client) -> None:
    key = generate(client, {"max_budget": 20, "budget_duration": "30d"}).json()["key"]
    Budget.objects.update(mode="strict", time_zone="Asia/Tokyo", thresholds=[90])
    post(client, "/key/update", {"key": key, "max_budget": 30})
    budget = Budget.objects.get()
    assert (budget.amount_nano, budget.period, budget.mode, budget.time_zone, budget.thresholds) == (
        30 * 10**9, "30d", "strict", "Asia/Tokyo", [90],
    )  # fmt: skip


def test_changed_duration_starts_a_window_and_forgets_none(client: Client) -> None:
    key = generate(client, {"max_budget": 20, "soft_budget": 10, "budget_duration": "30d"}).json()["key"]
    Window.objects.update(posted_nano=5)
    told = post(client, "/key/update", {"key": key, "budget_duration": "7d"}).json()
    assert (told["spend"], told["budget_duration"]) == (0, "7d")
    assert sorted(Window.objects.values_list("posted_nano", flat=True)) == [0, 0, 5, 5]


def test_model_that_is_no_longer_named_loses_its_budget(client: Client) -> None:
    key = generate(client, ALL_MONEY).json()["key"]
    told = post(
        client, "/key/update", {"key": key, "model_max_budget": {"claude-haiku": {"max_budget": 1, "budget_duration": "1mo"}}}
    ).json()
    assert told["model_max_budget"] == {"claude-haiku": {"budget_limit": 1, "time_period": "1mo"}}
    assert set(Budget.objects.values_list("model", flat=True)) == {"", "claude-haiku"}


def test_plan_is_taken_and_left(client: Client) -> None:
    BudgetPlan.objects.create(id="trial", amount_nano=10**10, period="30d")
    told = generate(client, {"budget_id": "trial"}).json()
    assert (told["budget_id"], told["max_budget"], told["litellm_budget_table"]["max_budget"]) == ("trial", 10, 10)
    told = post(client, "/key/update", {"key": told["key"], "budget_id": None}).json()
    assert (told["budget_id"], told["max_budget"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"budget_id": "nobody"}, "budget_id"),
        ({"max_budget": 1, "budget_duration": "1M"}, "budget_duration"),
        ({"model_max_budget": {"x": {"budget_limit": 1, "time_period": "soon"}}}, "budget_duration"),
        ({"model_max_budget": {" ": {"budget_limit": 1}}}, "model_max_budget"),
        ({"team_id": "nobody"}, "team_id"),
    ],
)
def test_wrong_update_changes_nothing(client: Client, body: dict[str, Any], param: str) -> None:
    key = generate(client, {"key_alias": "a"}).json()["key"]
    answer = post(client, "/key/update", {"key": key, "key_alias": "b"} | body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert VirtualKey.objects.get().name == "a"


def test_what_the_api_tells_of_a_budget_is_the_refusals_sentence(client: Client) -> None:
    """R32: the figures and the text are those of one function."""
    key = generate(client, {"key_alias": "laptop", "max_budget": 2, "budget_duration": "30d"}).json()["key"]
    Window.objects.update(posted_nano=500_000_000)
    [one] = info(client, key).json()["info"]["budgets"]
    standing = standing_of(Budget.objects.get(), timezone.now())
    assert (one["text"], one["spend"], one["left"], one["used_percent"]) == (sentence(standing, "laptop"), 0.5, 1.5, 25)


def test_key_is_blocked_and_unblocked(client: Client) -> None:
    _, token = make_key()
    assert post(client, "/key/block", {"key": token}).json()["blocked"] is True
    told = post(client, "/key/unblock", {"key": hash_token(token)}).json()
    assert (told["blocked"], told["token"]) == (False, hash_token(token))


def test_deleted_keys_take_their_budgets_along(client: Client) -> None:
    keys = [generate(client, {"key_alias": name, "max_budget": 1}).json() for name in "abc"]
    told = post(client, "/key/delete", {"keys": [keys[0]["key"], keys[1]["token"]]}).json()
    assert told == {"deleted_keys": [keys[0]["token"], keys[1]["token"]]}
    assert post(client, "/key/delete", {"key_aliases": ["c"]}).json() == {"deleted_keys": ["c"]}
    assert (VirtualKey.objects.count(), Budget.objects.count()) == (0, 0)


@pytest.mark.parametrize("body", [{"keys": ["sk-nobody-at-all"]}, {"key_aliases": ["nobody"]}])
def test_one_unknown_key_and_none_is_deleted(client: Client, body: dict[str, list[str]]) -> None:
    _, token = make_key()
    answer = post(client, "/key/delete", {name: [*names, token] for name, names in body.items()})
    assert answer.status_code == 404
    assert VirtualKey.objects.exists()
    assert "nobody-at-all" not in answer.content.decode()


@pytest.mark.parametrize("path", ["update", "delete", "block", "unblock"])
def test_change_of_an_unknown_key_is_a_404_that_repeats_no_secret(client: Client, path: str) -> None:
    answer = post(client, f"/key/{path}", {"key": "sk-perhaps-a-secret", "keys": ["sk-perhaps-a-secret"]})
    assert answer.status_code == 404
    assert "perhaps" not in answer.content.decode()


# ── listing ───────────────────────────────────────────────────────────────────
def listed(client: Client, **query: Any) -> Any:
    return client.get("/key/list", query, headers={"x-api-key": master()}).json()


def test_keys_are_listed_in_pages_of_hashes(client: Client) -> None:
    keys = [make_key(f"k{number}")[0] for number in range(5)]
    told = listed(client, page=2, size=2)
    assert (told["total_count"], told["current_page"], told["total_pages"]) == (5, 2, 3)
    assert told["keys"] == [keys[2].token_hash, keys[1].token_hash]


def test_list_is_narrowed_by_whom_the_keys_are_of(client: Client) -> None:
    team, user = make_team(), make_user()
    of_team, of_user = make_key("a", team=team)[0], make_key("b", user=user)[0]
    assert listed(client, team_id=team.pk)["keys"] == [of_team.token_hash]
    assert listed(client, user_id=user.pk)["keys"] == [of_user.token_hash]
    assert listed(client, key_alias="b")["keys"] == listed(client, key_hash=of_user.token_hash)["keys"] == [of_user.token_hash]


def test_listed_objects_cost_the_same_few_queries(client: Client) -> None:
    for number in range(3):
        generate(client, ALL_MONEY | {"key_alias": f"k{number}"})
    with CaptureQueriesContext(connection) as few:
        listed(client, return_full_object=True)
    for number in range(3, 12):
        generate(client, ALL_MONEY | {"key_alias": f"k{number}"})
    with CaptureQueriesContext(connection) as many:
        rows = listed(client, return_full_object=True, size=100)["keys"]
    assert len(many) == len(few)
    assert {row["max_budget"] for row in rows} == {20}


@pytest.mark.parametrize("query", [{"size": 101}, {"page": 0}, {"sort_by": "secret"}])
def test_wrong_list_is_refused(client: Client, query: dict[str, Any]) -> None:
    assert client.get("/key/list", query, headers={"x-api-key": master()}).status_code in {400, 422}


@pytest.mark.parametrize("path", ["/budget/list", "/team/info?team_id=x", "/budget/settings?budget_id=x"])
def test_reading_of_all_needs_more_than_a_key(client: Client, path: str) -> None:
    assert client.get(path, headers={"x-api-key": make_key()[1]}).status_code == 403
