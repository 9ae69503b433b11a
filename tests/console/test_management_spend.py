"""LiteLLM's scripts against /spend/… and /global/…: shapes, exact sums, and who sees what."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.models import Budget, LedgerEntry
from keys.actions import block_key, change_key, change_team, change_user, revoke_key, rotate_key
from keys.secrets import hash_token
from tests.console.spend_rows import NOON, NOVEMBER, Cast, spent
from tests.factories import make_deployment, make_key, make_route

pytestmark = pytest.mark.django_db
ALL_NANO = 1_000_000_321
# Each address with figures, as a script would ask for November.
SEEN = [
    "/spend/logs", f"/spend/logs?{NOVEMBER}", f"/spend/logs?{NOVEMBER}&summarize=false", f"/spend/logs/v2?{NOVEMBER}", "/spend/keys",
    "/spend/users", "/spend/tags", "/global/spend", "/global/spend/keys", "/global/spend/models", "/global/spend/teams",
    f"/global/spend/report?{NOVEMBER}", f"/global/spend/report?{NOVEMBER}&group_by=customer",
    f"/global/spend/report?{NOVEMBER}&group_by=api_key", f"/global/activity?{NOVEMBER}", f"/global/activity/model?{NOVEMBER}",
    f"/user/daily/activity?{NOVEMBER}", f"/team/daily/activity?{NOVEMBER}", f"/tag/daily/activity?{NOVEMBER}",
]  # fmt: skip
BY_TAG = [path for path in SEEN if "tag" in path]
SPEND_LOG = """
    request_id call_type api_key spend total_tokens prompt_tokens completion_tokens startTime endTime completionStartTime
    request_duration_ms model model_id model_group custom_llm_provider api_base user metadata cache_hit cache_key request_tags team_id
    organization_id end_user requester_ip_address messages response session_id status proxy_server_request
"""


@pytest.fixture
def cast() -> Cast:
    return Cast()


def exact(answer: Any) -> Any:
    """JSON numbers as they are written, not as floats."""
    return json.loads(answer.content, parse_float=Decimal)


def calculate(cast: Cast, body: object, who: str = "bob") -> Any:
    headers = {"x-api-key": cast.tokens[who]}
    return Client().post("/spend/calculate", json.dumps(body), content_type="application/json", headers=headers)


# ── who sees what ─────────────────────────────────────────────────────────────
def test_without_a_known_key_nothing_is_shown(cast: Cast) -> None:
    paths = [*SEEN, "/global/spend/report", "/spend/logs/v2"]
    keyless, wrong = ([Client().get(path, headers=sent) for path in paths] for sent in ({}, {"x-api-key": "sk-nobody-knows"}))
    assert {(one.status_code, one.json()["error"]["type"]) for one in keyless} == {(401, "auth_error")}
    assert {(one.status_code, one.json()["error"]["type"]) for one in wrong} == {(401, "token_not_found_in_db")}


@pytest.mark.parametrize("path", SEEN)
def test_master_admin_and_finance_see_all_alike(cast: Cast, path: str) -> None:
    answers = [cast.get(path, who) for who in ("master", "root", "finance")]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert exact(answers[0]) == exact(answers[1]) == exact(answers[2])


@pytest.mark.parametrize("path", [path for path in SEEN if path not in BY_TAG])
def test_a_members_key_sees_nothing_of_others(cast: Cast, path: str) -> None:
    text = cast.get(path, "bob").content.decode()
    strangers = (cast.alice, cast.charlie)
    assert not [key for key in strangers if key.token_hash in text or key.user_id in text or key.name in text]
    assert "1.0" not in text
    assert "opus" not in text


@pytest.mark.parametrize("path", SEEN)
def test_a_manager_sees_nothing_of_other_teams(cast: Cast, path: str) -> None:
    answer = cast.get(path, "alice")
    assert answer.status_code == 200
    theirs = (cast.charlie.token_hash, cast.charlie.user_id, cast.sales.pk, "Sales", "Charlie")
    assert not [name for name in theirs if name in answer.content.decode()]


@pytest.mark.parametrize("path", BY_TAG)
def test_tags_are_not_shown_to_a_members_key(cast: Cast, path: str) -> None:
    assert cast.get(path, "bob").status_code == 403


@pytest.mark.parametrize(("who", "nano"), [("master", ALL_NANO), ("alice", 1_000_000_021), ("bob", 20), ("charlie", 300)])
def test_sums_are_the_ledgers_to_the_nano(cast: Cast, who: str, nano: int) -> None:
    expected = Decimal(nano) / 10**9
    rows = exact(cast.get(f"/global/spend/report?{NOVEMBER}&group_by=api_key", who))
    assert sum(row["total_cost"] for row in rows) == expected
    assert sum(row["spend"] for row in exact(cast.get(f"/spend/logs?{NOVEMBER}", who))) == expected
    assert exact(cast.get(f"/user/daily/activity?{NOVEMBER}", who))["metadata"]["total_spend"] == expected
    assert LedgerEntry.objects.aggregate(nano=Sum("amount_nano"))["nano"] == ALL_NANO


@pytest.mark.parametrize("blank", ["api_key=", "user_id=", "team_ids=", "team_id=", "api_key=&user_id=&request_id="])
@pytest.mark.parametrize("path", ["/spend/logs?summarize=false", f"/spend/logs/v2?{NOVEMBER}", f"/team/daily/activity?{NOVEMBER}"])
def test_blank_filter_is_not_all(cast: Cast, path: str, blank: str) -> None:
    mark = "&" if "?" in path else "?"
    assert exact(cast.get(f"{path}{mark}{blank}", "bob")) == exact(cast.get(path, "bob"))


@pytest.mark.parametrize(
    "path", [f"/spend/logs/v2?{NOVEMBER}&api_key=", "/spend/logs?api_key=", f"/user/daily/activity?{NOVEMBER}&api_key="]
)
def test_foreign_and_unknown_keys_get_one_answer(cast: Cast, path: str) -> None:
    foreign, unknown = cast.get(path + cast.charlie.token_hash, "alice"), cast.get(path + "0" * 64, "alice")
    assert (foreign.status_code, foreign.content) == (403, unknown.content)


@pytest.mark.parametrize(
    "path",
    [
        f"/user/daily/activity?{NOVEMBER}&user_id=nobody", f"/team/daily/activity?{NOVEMBER}&team_ids=nobody",
        "/spend/users?user_id=nobody",
        f"/global/spend/report?{NOVEMBER}&team_id=nobody", f"/global/spend/report?{NOVEMBER}&internal_user_id=nobody",
    ],
)  # fmt: skip
def test_naming_what_is_not_ones_own_is_a_403(cast: Cast, path: str) -> None:
    assert cast.get(path, "alice").json()["error"]["type"] == "permission_error"
    assert cast.get(path).status_code == 200


def test_forged_fields_widen_nothing(cast: Cast) -> None:
    asked = f"/spend/logs/v2?{NOVEMBER}&user_role=proxy_admin&sees_all=true&key_id={cast.charlie.pk}"
    answer = cast.get(asked, "bob")
    assert [row["api_key"] for row in answer.json()["data"]] == [cast.bob.token_hash]
    assert answer["x-tallygate-ignored-fields"] == "key_id, sees_all, user_role"


def test_manager_names_their_members_and_keys(cast: Cast) -> None:
    asked = f"/spend/logs?{NOVEMBER}&summarize=false&user_id={cast.bob.user_id}&api_key={cast.tokens['bob']}"
    assert [row["user"] for row in cast.get(asked, "alice").json()] == [cast.bob.user_id]


def test_blocked_key_is_refused(cast: Cast) -> None:
    block_key(cast.bob, actor=SYSTEM)
    assert cast.get("/spend/keys", "bob").status_code == 401


def test_revoked_key_is_refused(cast: Cast) -> None:
    revoke_key(cast.bob, actor=SYSTEM)
    assert cast.get("/spend/keys", "bob").status_code == 401


def test_expired_key_is_refused(cast: Cast) -> None:
    change_key(cast.bob, {"expires_at": timezone.now() - timedelta(days=1)}, actor=SYSTEM)
    assert cast.get("/spend/keys", "bob").status_code == 401


def test_key_of_a_blocked_user_is_refused(cast: Cast) -> None:
    assert cast.bob.user is not None
    change_user(cast.bob.user, {"is_blocked": True}, actor=SYSTEM)
    assert cast.get("/spend/keys", "bob").status_code == 401


def test_key_of_a_blocked_team_is_refused(cast: Cast) -> None:
    change_team(cast.search, {"is_blocked": True}, actor=SYSTEM)
    assert cast.get("/spend/keys", "bob").status_code == 401


def test_key_from_a_foreign_address_is_refused(cast: Cast) -> None:
    change_key(cast.bob, {"allowed_ips": ["10.0.0.0/8"]}, actor=SYSTEM)
    assert cast.get("/spend/keys", "bob").status_code == 403


def test_rotated_token_shows_figures_while_it_is_good(cast: Cast) -> None:
    rotate_key(cast.bob, actor=SYSTEM, overlap=timedelta(hours=1))
    assert cast.get(f"/spend/logs?{NOVEMBER}", "bob").json()[0]["spend"] == 2e-08


# ── /spend ────────────────────────────────────────────────────────────────────
def test_days_are_summed_by_user_and_model(cast: Cast) -> None:
    rows = exact(cast.get("/spend/logs?start_date=2026-11-19&end_date=2026-11-20"))
    assert [row["startTime"] for row in rows] == ["2026-11-19", "2026-11-20"]
    assert rows[1]["spend"] == Decimal("1.000000301")
    assert rows[1]["users"] == {cast.alice.user_id: Decimal("1.000000001"), cast.charlie.user_id: Decimal("3E-7")}
    assert rows[0]["models"] == {"haiku": Decimal("2E-8")}


def test_last_day_counts_whole_and_days_without_calls_follow(cast: Cast) -> None:
    late = NOON.replace(day=10, hour=23, minute=59)
    spent(cast.bob, 7, at=late)
    rows = exact(cast.get("/spend/logs?start_date=2026-11-09&end_date=2026-11-12"))
    assert [(row["startTime"], row["spend"]) for row in rows] == [
        ("2026-11-10", Decimal("7E-9")), ("2026-11-11", 0), ("2026-11-12", 0)
    ]  # fmt: skip


def test_single_call_has_every_field_of_a_spend_log(cast: Cast) -> None:
    record = spent(cast.bob, 123_456_789, at=timezone.now() - timedelta(minutes=1))
    [row] = exact(cast.get(f"/spend/logs?request_id={record.id}"))
    assert set(SPEND_LOG.split()) <= set(row)
    assert (row["spend"], row["prompt_tokens"], row["total_tokens"]) == (Decimal("0.123456789"), 17, 30)
    assert (row["api_key"], row["status"], row["request_tags"]) == (cast.bob.token_hash, "success", ["nightly"])


def test_request_of_somebody_else_is_not_found(cast: Cast) -> None:
    record = spent(cast.charlie, 5)
    assert cast.get(f"/spend/logs?request_id={record.id}", "alice").json() == []
    assert cast.get("/spend/logs?request_id=nothing").json() == []


def test_single_calls_come_in_pages(cast: Cast) -> None:
    first = cast.get(f"/spend/logs/v2?{NOVEMBER}&page_size=2").json()
    last = cast.get(f"/spend/logs/v2?{NOVEMBER}&page_size=2&page=2").json()
    assert (first["total"], first["total_pages"], len(first["data"]), len(last["data"])) == (3, 2, 2, 1)
    ids = [row["request_id"] for row in first["data"] + last["data"]]
    assert len(set(ids)) == 3
    turned = cast.get(f"/spend/logs/v2?{NOVEMBER}&sort_order=asc").json()
    assert [row["request_id"] for row in turned["data"]] == ids[::-1]


@pytest.mark.parametrize(
    ("asked", "found"),
    [("status_filter=failure", 1), ("status_filter=success", 2), ("min_spend=0.5", 1), ("max_spend=0.00000002", 1),
     ("model_group=haiku", 1),
     ("end_user=acme", 1), ("key_alias=bob's key", 1), ("model=claude-opus", 2), ("request_id=no", 0)],
)  # fmt: skip
def test_pages_are_filtered(cast: Cast, asked: str, found: int) -> None:
    assert cast.get(f"/spend/logs/v2?{NOVEMBER}&{asked}").json()["total"] == found


@pytest.mark.parametrize(
    "path",
    [
        "/spend/logs/v2", "/global/activity", "/global/spend/report?start_date=2026-11-01", f"/spend/logs/v2?{NOVEMBER}&sort_by=spend",
        "/spend/logs?start_date=yesterday&end_date=2026-11-02", "/spend/logs?start_date=0001-01-01&end_date=9999-12-31",
        "/spend/logs/v2?start_date=2020-01-01&end_date=2026-11-30", f"/spend/logs/v2?{NOVEMBER}&status_filter=odd",
        f"/tag/daily/activity?{NOVEMBER}&api_key=x", f"/global/spend/report?{NOVEMBER}&customer_id=acme",
    ],
)  # fmt: skip
def test_wrong_question_is_a_400(cast: Cast, path: str) -> None:
    answer = cast.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "400")


@pytest.mark.parametrize("asked", ["api_key=%00", "page=0", "page_size=x", "min_spend=NaN", "page=99999999999999999999"])
def test_impossible_value_is_a_422(cast: Cast, asked: str) -> None:
    assert cast.get(f"/spend/logs/v2?{NOVEMBER}&{asked}").status_code == 422


def test_keys_come_dearest_first_without_a_token(cast: Cast) -> None:
    answer = cast.get("/spend/keys")
    rows = exact(answer)
    assert [row["token"] for row in rows][:3] == [cast.alice.token_hash, cast.charlie.token_hash, cast.bob.token_hash]
    assert (rows[0]["spend"], rows[0]["key_alias"]) == (Decimal("1.000000001"), "alice's key")
    assert not [token for token in cast.tokens.values() if token in answer.content.decode()]


def test_users_come_dearest_first(cast: Cast) -> None:
    rows = exact(cast.get("/spend/users"))
    assert [row["user_id"] for row in rows][:3] == [cast.alice.user_id, cast.charlie.user_id, cast.bob.user_id]
    assert [row["user_id"] for row in exact(cast.get("/spend/users", "bob"))] == [cast.bob.user_id]
    assert exact(cast.get("/spend/users?user_id=nobody")) == []


def test_tags_are_summed(cast: Cast) -> None:
    first, second = exact(cast.get(f"/spend/tags?{NOVEMBER}"))
    assert first == {"individual_request_tag": "nightly", "log_count": 2, "total_spend": Decimal("1.000000301")}
    assert second == {"individual_request_tag": "ci", "log_count": 1, "total_spend": Decimal("2E-8")}


# ── /spend/calculate ──────────────────────────────────────────────────────────
ANSWER = {"input_tokens": 1000, "output_tokens": 100, "cache_read_input_tokens": 10_000, "cache_creation_input_tokens": 2000}


@pytest.mark.parametrize(
    ("body", "cost"),
    [
        ({"completion_response": {"model": "demo/opus", "usage": ANSWER}}, "0.025"),
        ({"model": "demo/haiku", "completion_response": {"usage": ANSWER}}, "0.005"),
        ({"model": "demo/sonnet", "completion_response": {"usage": {"prompt_tokens": 1000, "completion_tokens": 10}}}, "0.00315"),
        ({"model": "demo/opus", "messages": [{"role": "user", "content": "x" * 4000}]}, "0.005"),
        ({"model": "demo/opus", "messages": []}, "0"),
    ],
)
def test_cost_is_calculated_exactly(cast: Cast, body: dict[str, Any], cost: str) -> None:
    assert exact(calculate(cast, body)) == {"cost": Decimal(cost)}


def test_public_name_is_priced_as_what_answers_for_it(cast: Cast) -> None:
    make_route("our-best", make_deployment(base_model="demo-opus"))
    body = {"model": "our-best", "completion_response": {"usage": {"input_tokens": 0, "output_tokens": 1000}}}
    assert exact(calculate(cast, body)) == {"cost": Decimal("0.025")}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "demo/opus"}, "messages"), ({"messages": []}, "model"), ({"model": "nobody/nothing", "messages": []}, "model"),
        ({"model": "demo/opus", "completion_response": {}}, "completion_response"), ({"completion_response": {"model": 3}}, "model"),
        ({"model": "/", "messages": []}, "model"),
        ({"model": "unheard-of", "messages": []}, "model"),
    ],
)  # fmt: skip
def test_what_cannot_be_calculated_is_a_400(cast: Cast, body: dict[str, Any], param: str) -> None:
    answer = calculate(cast, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_calculating_needs_a_key(cast: Cast) -> None:
    assert Client().post("/spend/calculate", "{}", content_type="application/json").status_code == 401


# ── /global ───────────────────────────────────────────────────────────────────
def test_global_spend_is_that_of_the_last_30_days(cast: Cast) -> None:
    spent(cast.bob, 5_000_000_000, at=timezone.now() - timedelta(days=31, minutes=20))
    lately = spent(cast.bob, 2_500_000_000, at=timezone.now() - timedelta(minutes=20))
    Budget.objects.create(scope="global", amount_nano=100 * 10**9)
    since = LedgerEntry.objects.filter(at__gte=timezone.now() - timedelta(days=30)).aggregate(nano=Sum("amount_nano"))["nano"]
    assert lately.cost_nano is not None
    assert exact(cast.get("/global/spend")) == {"spend": Decimal(since) / 10**9, "max_budget": 100}


def test_dearest_keys_models_and_teams(cast: Cast) -> None:
    keys = exact(cast.get(f"/global/spend/keys?{NOVEMBER}&limit=1"))
    dearest = {"api_key": cast.alice.token_hash, "key_alias": "alice's key", "key_name": cast.alice.hint}
    assert keys == [dearest | {"total_spend": Decimal("1.000000001")}]
    models = exact(cast.get(f"/global/spend/models?{NOVEMBER}"))
    assert models == [{"model": "opus", "total_spend": Decimal("1.000000301")}, {"model": "haiku", "total_spend": Decimal("2E-8")}]
    teams = exact(cast.get(f"/global/spend/teams?{NOVEMBER}"))
    assert teams["teams"] == ["Search", "Sales"]
    assert teams["daily_spend"][0] == {"date": "2026-11-19", "Search": Decimal("2E-8")}
    assert teams["total_spend_per_team"][1] == {"team_id": "Sales", "total_spend": Decimal("3E-7")}


def test_report_by_team_lists_models_and_keys_of_each_day(cast: Cast) -> None:
    rows = exact(cast.get(f"/global/spend/report?{NOVEMBER}&team_id={cast.search.pk}"))
    assert [row["group_by_day"] for row in rows] == ["2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z"]
    [team] = rows[0]["teams"]
    detail = {"model": "haiku", "spend": Decimal("2E-8"), "total_tokens": 30, "api_key": cast.bob.token_hash}
    assert team == {"team_name": "Search", "total_spend": Decimal("2E-8"), "metadata": [detail]}


def test_report_by_customer_is_the_ledgers(cast: Cast) -> None:
    [row] = exact(cast.get(f"/global/spend/report?{NOVEMBER}&group_by=customer&customer_id=acme"))
    [customer] = row["customers"]
    assert (customer["customer"], customer["total_spend"]) == ("acme", Decimal("1.000000001"))
    assert customer["metadata"][0]["api_key"] == cast.alice.token_hash


def test_report_by_key_has_tokens_and_models(cast: Cast) -> None:
    [row] = exact(cast.get(f"/global/spend/report?{NOVEMBER}&group_by=api_key&api_key={cast.tokens['bob']}"))
    sums = {"total_cost": Decimal("2E-8"), "total_input_tokens": 17, "total_output_tokens": 13}
    assert row == {"api_key": cast.bob.token_hash} | sums | {"model_details": [{"model": "haiku"} | sums]}


def test_activity_counts_calls_and_tokens(cast: Cast) -> None:
    told = cast.get(f"/global/activity?{NOVEMBER}").json()
    assert (told["sum_api_requests"], told["sum_total_tokens"]) == (3, 90)
    assert told["daily_data"][1] == {"date": "Nov 20", "api_requests": 2, "total_tokens": 60}
    assert [row["model"] for row in cast.get(f"/global/activity/model?{NOVEMBER}").json()] == ["opus", "haiku"]


# ── in general ────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("path", [path for path in SEEN if "/spend/logs" not in path])
def test_sums_read_no_request_record(cast: Cast, path: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert cast.get(path).status_code == 200
    assert "audit_requestrecord" not in " ".join(query["sql"] for query in queries)


@pytest.mark.parametrize("path", SEEN)
def test_number_of_queries_does_not_grow(cast: Cast, path: str) -> None:
    counts = []
    for more in (range(2), range(2, 8)):
        for number in more:
            spent(make_key(f"k{number}", team=cast.sales)[0], 5, route=f"m{number}", at=NOON.replace(day=2 + number))
        with CaptureQueriesContext(connection) as queries:
            cast.get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_reading_leaves_no_trace(cast: Cast) -> None:
    before = AuditEvent.objects.count()
    statuses = {cast.get(path).status_code for path in SEEN}
    assert (statuses, AuditEvent.objects.count()) == ({200}, before)


def test_master_keys_own_calls_are_shown(cast: Cast) -> None:
    key = cast.bob
    key.pk, key.token_hash = "master", hash_token(settings.TALLYGATE_MASTER_KEY)
    spent(key, 9)
    rows = msgspec.json.decode(cast.get(f"/global/spend/report?{NOVEMBER}&group_by=api_key").content)
    assert "master" in [row["api_key"] for row in rows]
