"""LiteLLM's scripts against /customer/…, and /end_user/…, its older name."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from billing.models import Budget, LedgerEntry
from keys.models import EndUser
from tests.console.spend_rows import NOON, NOVEMBER, Cast, spent
from tests.factories import make_admin, make_key, make_user

pytestmark = pytest.mark.django_db
EVE: dict[str, Any] = {
    "user_id": "eve", "alias": "Eve Ltd", "max_budget": 20.5, "soft_budget": 10, "budget_duration": "30d",
    "model_max_budget": {"claude-opus": {"budget_limit": 5, "time_period": "1d"}},
}  # fmt: skip
LITELLMS_FIELDS = "user_id alias spend blocked allowed_model_region default_model litellm_budget_table object_permission"


def post(client: Client, path: str, body: object, token: str = "") -> Any:
    headers = {"x-api-key": token or settings.TALLYGATE_MASTER_KEY}
    return client.post(f"/{path}", json.dumps(body), content_type="application/json", headers=headers)


def get(client: Client, path: str, token: str = "") -> Any:
    return client.get(f"/{path}", headers={"authorization": f"Bearer {token or settings.TALLYGATE_MASTER_KEY}"})


def names(client: Client, query: str = "") -> list[str]:
    return [row["user_id"] for row in get(client, f"customer/list?{query}").json()]


def ledger(nano: int, end_user: str) -> None:
    LedgerEntry.objects.create(
        attempt_id="1", kind="base", request_id="r", at=timezone.now(), amount_nano=nano, end_user=end_user, provider="demo", model="m"
    )


@pytest.fixture
def eve(client: Client) -> dict[str, Any]:
    told: dict[str, Any] = post(client, "customer/new", EVE).json()
    return told


# ── making and changing ───────────────────────────────────────────────────────
def test_new_customer_is_told_with_all_of_litellms_fields(eve: dict[str, Any]) -> None:
    assert set(LITELLMS_FIELDS.split()) <= set(eve)
    table = eve["litellm_budget_table"]
    assert {name: (eve | table)[name] for name in EVE} == EVE
    assert (eve["blocked"], eve["spend"], eve["default_model"]) == (False, 0, None)
    assert Budget.objects.filter(scope="end_user", scope_id="eve").count() == 3


def test_customer_without_a_budget_has_no_table(client: Client) -> None:
    told = post(client, "customer/new", {"user_id": "eve"}).json()
    assert (told["litellm_budget_table"], told["budgets"], told["budget_id"]) == (None, [], None)


def test_budget_can_be_that_of_a_plan(client: Client) -> None:
    post(client, "budget/new", {"budget_id": "gold", "max_budget": 7})
    told = post(client, "customer/new", {"user_id": "eve", "budget_id": "gold"}).json()
    assert (told["budget_id"], told["litellm_budget_table"]["max_budget"]) == ("gold", 7)


def test_fields_that_are_not_sent_stay_and_null_takes_away(client: Client, eve: dict[str, Any]) -> None:
    told = post(client, "customer/update", {"user_id": "eve", "max_budget": None, "blocked": True}).json()
    assert (told["alias"], told["blocked"], told["litellm_budget_table"]["max_budget"]) == ("Eve Ltd", True, None)
    assert told["litellm_budget_table"]["soft_budget"] == 10
    told = post(client, "customer/update", {"user_id": "eve", "alias": None, "blocked": None}).json()
    assert (told["alias"], told["blocked"]) == (None, False)


def test_model_and_region_are_kept_shown_and_named_as_without_effect(client: Client) -> None:
    answer = post(client, "customer/new", {"user_id": "eve", "default_model": "claude-haiku", "allowed_model_region": "eu", "rpm_limit": 5})
    told = answer.json()
    assert (told["default_model"], told["allowed_model_region"]) == ("claude-haiku", "eu")
    assert answer["x-tallygate-ignored-fields"] == "allowed_model_region, default_model, rpm_limit"
    answer = post(client, "customer/update", {"user_id": "eve", "allowed_model_region": None})
    assert (answer.json()["default_model"], answer.json()["allowed_model_region"]) == ("claude-haiku", None)
    assert "x-tallygate-ignored-fields" not in answer


@pytest.mark.parametrize("forged", ["id", "pk", "metadata", "is_blocked", "spend", "created_at", "budgets"])
def test_forged_fields_change_nothing_and_are_named(client: Client, eve: dict[str, Any], forged: str) -> None:
    answer = post(client, "customer/update", {"user_id": "eve", forged: "forged"})
    assert answer["x-tallygate-ignored-fields"] == forged
    assert answer.json() == eve | {"extra": {forged: "forged"}}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("new", {"user_id": "eve"}, 400),
        ("new", {}, 422),
        ("new", {"user_id": ""}, 422),
        ("new", {"user_id": "x" * 201}, 422),
        ("new", {"user_id": "adam", "max_budget": -1}, 422),
        ("new", {"user_id": "adam", "allowed_model_region": "moon"}, 422),
        ("new", {"user_id": "adam", "budget_id": "none"}, 400),
        ("new", {"user_id": "adam", "max_budget": 1, "budget_duration": "soon"}, 400),
        ("new", {"user_id": " adam", "max_budget": 1}, 400),
        ("update", {"user_id": "adam"}, 404),
        ("delete", {"user_ids": ["eve", "adam"]}, 404),
        ("delete", {"user_ids": []}, 422),
        ("block", {"user_ids": []}, 422),
        ("block", {"user_ids": ["eve", ""]}, 422),
    ],
)
def test_wrong_body_is_refused_and_changes_nothing(
    client: Client, eve: dict[str, Any], path: str, body: dict[str, Any], status: int
) -> None:
    before = AuditEvent.objects.count()
    assert post(client, f"customer/{path}", body).status_code == status
    assert (EndUser.objects.get().pk, AuditEvent.objects.count()) == ("eve", before)


def test_deleted_customer_takes_the_budgets_along(client: Client, eve: dict[str, Any]) -> None:
    post(client, "customer/new", {"user_id": "adam", "max_budget": 1})
    told = post(client, "customer/delete", {"user_ids": ["eve", "eve"]}).json()
    assert (told["deleted_customers"], names(client)) == (1, ["adam"])
    assert [budget.scope_id for budget in Budget.objects.all()] == ["adam"]


# ── blocking ──────────────────────────────────────────────────────────────────
def test_somebody_unknown_can_be_blocked_and_unblocked(client: Client, eve: dict[str, Any]) -> None:
    told = post(client, "customer/block", {"user_ids": ["adam", "eve", "adam"]}).json()
    assert [(row["user_id"], row["blocked"]) for row in told["blocked_users"]] == [("adam", True), ("eve", True)]
    told = post(client, "customer/unblock", {"user_ids": ["eve", "nobody"]}).json()
    assert told == {"blocked_users": ["adam"]}
    assert [event.event for event in AuditEvent.objects.order_by("pk")][-4:] == [
        "end_user.created", "end_user.blocked", "end_user.blocked", "end_user.unblocked",
    ]  # fmt: skip


# ── reading ───────────────────────────────────────────────────────────────────
def test_spend_is_that_of_the_budgets_window_else_the_ledgers(client: Client, eve: dict[str, Any]) -> None:
    post(client, "customer/new", {"user_id": "adam"})
    ledger(123_000_000, "adam")
    assert [get(client, f"customer/info?end_user_id={name}").json()["spend"] for name in ("adam", "eve")] == [0.123, 0]


def test_unknown_customer_is_a_404(client: Client) -> None:
    answer = get(client, "customer/info?end_user_id=nobody")
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "user_id")
    assert get(client, "customer/info?end_user_id=%00").status_code == 422


def test_customers_are_listed_by_page_and_search(client: Client, eve: dict[str, Any]) -> None:
    for number in range(3):
        post(client, "customer/new", {"user_id": f"u{number}"})
    assert names(client) == ["eve", "u0", "u1", "u2"]
    assert names(client, "page=2&page_size=3") == ["u2"]
    assert (names(client, "search=ltd"), names(client, "search=U1")) == (["eve"], ["u1"])
    assert get(client, "customer/list?page=0").status_code == 422


def test_any_number_of_customers_costs_the_same_few_queries(client: Client) -> None:
    counts = []
    for more in (range(2), range(2, 10)):
        for number in more:
            post(client, "customer/new", {"user_id": f"u{number}", "max_budget": 5})
        with CaptureQueriesContext(connection) as queries:
            assert len(names(client)) == more.stop
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_older_name_of_the_addresses_does_the_same(client: Client) -> None:
    assert post(client, "end_user/new", EVE).json()["user_id"] == "eve"
    assert post(client, "end_user/update", {"user_id": "eve", "alias": "E"}).json()["alias"] == "E"
    assert post(client, "end_user/block", {"user_ids": ["eve"]}).json()["blocked_users"][0]["blocked"]
    assert get(client, "end_user/info?end_user_id=eve").json() == get(client, "end_user/list").json()[0]
    assert post(client, "end_user/unblock", {"user_ids": ["eve"]}).json() == {"blocked_users": []}
    assert post(client, "end_user/delete", {"user_ids": ["eve"]}).json()["deleted_customers"] == 1
    assert get(client, f"end_user/daily/activity?{NOVEMBER}").json()["results"] == []


# ── who may ───────────────────────────────────────────────────────────────────
WRITES: list[tuple[str, dict[str, Any]]] = [
    ("new", {"user_id": "adam"}), ("update", {"user_id": "eve", "alias": "x"}), ("delete", {"user_ids": ["eve"]}),
    ("block", {"user_ids": ["eve"]}), ("unblock", {"user_ids": ["eve"]}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_administrator_acts_with_a_key_of_their_own(client: Client, path: str, body: dict[str, Any]) -> None:
    post(client, "customer/new", EVE | {"blocked": True})
    post(client, "customer/update", {"user_id": "eve", "blocked": path == "unblock"})
    root = make_admin()
    token = make_key(user=root)[1]
    assert post(client, f"customer/{path}", body, token).status_code == 200
    assert AuditEvent.objects.latest("pk").actor_id == root.pk


@pytest.mark.parametrize("role", ["viewer", "member", "finance"])
@pytest.mark.parametrize(("path", "body"), WRITES)
def test_other_keys_and_sessions_change_nothing(client: Client, eve: dict[str, Any], path: str, body: dict[str, Any], role: str) -> None:
    client.force_login(make_admin())
    token = make_key(user=make_user("mallory", role))[1]
    before = AuditEvent.objects.count()
    assert [post(client, f"customer/{path}", body, secret).status_code for secret in (token, "sk-wrong")] == [403, 401]
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("path", ["list", "info?end_user_id=eve", "info?end_user_id=nobody"])
def test_other_keys_read_no_customer(client: Client, eve: dict[str, Any], path: str) -> None:
    token = make_key(user=make_user("mallory", "finance"))[1]
    assert [get(client, f"customer/{path}", secret).status_code for secret in (token, "sk-wrong")] == [403, 401]


# ── daily activity ────────────────────────────────────────────────────────────
@pytest.fixture
def cast() -> Cast:
    cast = Cast()
    spent(cast.alice, 7, end_user="eve")
    spent(cast.alice, 5, end_user="eve", outcome="failed", status=502)
    spent(cast.charlie, 100, end_user="adam", route="haiku")
    spent(cast.alice, 0, end_user="eve", endpoint="/v1/messages/count_tokens")
    return cast


def activity(cast: Cast, asked: str = "", who: str = "master") -> Any:
    return json.loads(cast.get(f"/customer/daily/activity?{NOVEMBER}{asked}", who).content, parse_float=Decimal)


def test_activity_counts_calls_tokens_and_the_ledgers_money(cast: Cast) -> None:
    [day] = activity(cast, "&end_user_ids=eve,adam")["results"]
    assert (day["date"], day["metrics"]["spend"], day["metrics"]["api_requests"]) == (f"{NOON:%Y-%m-%d}", Decimal("0.000000112"), 3)
    eve = day["breakdown"]["entities"]["eve"]["metrics"]
    assert {name: eve[name] for name in ("spend", "total_tokens", "successful_requests", "failed_requests")} == {
        "spend": Decimal("0.000000012"), "total_tokens": 60, "successful_requests": 1, "failed_requests": 1
    }  # fmt: skip
    assert set(day["breakdown"]["models"]) == {"opus", "haiku"}


def test_later_truth_in_the_ledger_counts(cast: Cast) -> None:
    entry = LedgerEntry.objects.filter(end_user="adam").get()
    entry.pk, entry.kind, entry.amount_nano = None, "adjust", 11
    entry.save()
    assert activity(cast, "&end_user_ids=adam")["metadata"]["total_spend"] == Decimal("0.000000111")


@pytest.mark.parametrize(
    ("asked", "calls"),
    [
        ("&end_user_ids=eve", 2),
        ("&end_user_ids=eve,adam", 3),
        ("&exclude_end_user_ids=eve,acme", 1),
        ("&model=haiku", 1),
        ("&end_user_ids=x", 0),
    ],
)
def test_activity_is_narrowed(cast: Cast, asked: str, calls: int) -> None:
    assert activity(cast, asked)["metadata"]["total_api_requests"] == calls


@pytest.mark.parametrize(("who", "calls"), [("root", 4), ("finance", 4), ("alice", 3), ("bob", 0), ("charlie", 1)])
def test_activity_shows_each_key_what_it_may_see(cast: Cast, who: str, calls: int) -> None:
    assert activity(cast, who=who)["metadata"]["total_api_requests"] == calls
