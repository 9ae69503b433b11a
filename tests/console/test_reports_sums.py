"""Grouped any way, paged any way, the figures are the ledger's to the nano-dollar; a year of days is one query over the roll-ups."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import LedgerEntry
from billing.rollup_proof import prove_rollups
from tests.console.permissions.cast import undone
from tests.console.report_rows import NOON, NOVEMBER, ask, charged, costs, csv_rows, results

ZONES = ("UTC", "Asia/Tokyo", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin")
GROUPS = ("organisation", "team", "cost_centre", "user", "key", "model", "provider", "client", "hour", "day", "week", "month")
FIRST = datetime(2026, 10, 20, tzinfo=UTC)
NAMES = st.sampled_from(["", "a", "b", "c"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "nano": st.integers(-(10**12), 10**13),
            "at": st.integers(0, 29 * 86_400 * 1_000_000).map(lambda micro: FIRST + timedelta(microseconds=micro)),
            "kind": st.sampled_from(["base", "adjust", "reap"]), "budget_id": st.sampled_from([None, None, None, 7]),
            "organisation_id": NAMES, "team_id": NAMES, "user_id": NAMES, "key_id": NAMES, "cost_centre": NAMES, "client": NAMES,
            "route": st.sampled_from(["", "opus", "haiku"]), "provider": st.sampled_from(["demo", "anthropic"]),
            "is_unpriced": st.booleans(),
            "status": st.sampled_from([200, 429, 500]), "tags": st.sampled_from([[], ["x"], ["x", "y"]]),
        }
    ),
    max_size=12,
)  # fmt: skip
SEVERAL = st.lists(st.sampled_from(GROUPS[:8]), max_size=3, unique=True)
PERIOD = "from=2026-10-21&to=2026-11-16"

pytestmark = pytest.mark.django_db
few = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def in_ledger(query: str) -> int:
    """Over all pages, as /ledger/ lists it."""
    found, cursor = 0, ""
    while True:
        body = ask("ledger", f"{query}&page_size=3{cursor}").json()
        found += costs(body["results"], "amount_nano")
        if body["next"] is None:
            return found
        cursor = f"&cursor={body['next'].partition('cursor=')[2].partition('&')[0]}"


def ledger_of(zone: str) -> int:
    """What the database's ledger holds of the period, without us."""
    body = ask("spend", f"{PERIOD}&time_zone={zone}").json()
    entries = LedgerEntry.objects.filter(budget_id=None, at__gte=body["from"], at__lt=body["until"])
    return int(entries.aggregate(nano=Sum("amount_nano", default=0))["nano"])


@few
@given(
    rows=ROWS,
    groups=st.lists(st.sampled_from(GROUPS[:8]), max_size=3, unique=True),
    time=st.sampled_from(GROUPS[9:]),
    zone=st.sampled_from(ZONES),
)
def test_spend_grouped_any_way_adds_up_to_the_ledger(rows: list[dict[str, Any]], groups: list[str], time: str, zone: str) -> None:
    with undone():
        for row in rows:
            charged(**row)
        query = f"{PERIOD}&time_zone={zone}"
        expected = ledger_of(zone)
        found = ask("spend", f"group_by={','.join([time, *groups])}&{query}").json()
        assert costs(found["results"]) == expected == (found["totals"]["cost_nano"])
        assert costs(results("chargeback", query)) == in_ledger(query) == expected
        assert prove_rollups() == []


@few
@given(rows=ROWS)
def test_spend_by_tag_counts_a_call_under_each_of_its_tags(rows: list[dict[str, Any]]) -> None:
    with undone():
        for row in rows:
            charged(**row)
        entries = LedgerEntry.objects.filter(budget_id=None)
        expected = sum(entry.amount_nano * len(entry.tags) for entry in entries)
        assert costs(results("spend", "group_by=tag,team&from=2026-10-20&to=2026-11-20&time_zone=UTC")) == expected


def test_each_grouping_adds_up() -> None:
    for number in range(5):
        charged(10**9 + number, at=NOON - timedelta(days=number), team_id=f"t{number % 2}", client=f"c{number % 3}")
    found = {group: costs(results("spend", f"group_by={group}&from=2026-11-05&to=2026-11-30&time_zone=UTC")) for group in GROUPS}
    assert found == dict.fromkeys(GROUPS, 5 * 10**9 + 10)


def test_calls_and_tokens_are_the_requests() -> None:
    for number in range(4):
        charged(number, route=f"m{number % 2}", is_unpriced=number == 3)
    spent, requests = results("spend", f"group_by=model&{NOVEMBER}"), results("requests")
    assert sum(row["requests"] for row in spent) == len(requests)
    assert sum(row["output_tokens"] for row in spent) == sum(row["output_tokens"] for row in requests)
    assert sum(row["unpriced_requests"] for row in spent) == sum(row["is_unpriced"] for row in requests)


def test_twelve_months_by_day_are_one_query_over_the_days() -> None:
    for day in range(0, 360, 30):
        charged(1, at=NOON - timedelta(days=day), team_id=f"t{day % 3}")
    with CaptureQueriesContext(connection) as queries:
        found = results("spend", "group_by=day,team&from=2025-12&to=2026-11")
    asked = [query["sql"] for query in queries]
    assert len(found) == 12
    assert len([sql for sql in asked if "audit_dayrollup" in sql]) == 1
    assert not [sql for sql in asked if "audit_requestrecord" in sql or "billing_ledgerentry" in sql or "audit_rollup" in sql]
    assert len(asked) <= 3


@pytest.mark.parametrize("report", ["ledger", "requests", "keys", "teams", "budgets"])
def test_longer_lists_need_no_more_queries(report: str) -> None:
    counts = []
    for number in range(2):
        for place in range(6):
            charged(1, team_id=f"t{number}{place}")
        with CaptureQueriesContext(connection) as queries:
            results(report, "")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 4


@pytest.mark.parametrize("report", ["ledger", "requests"])
def test_pages_skip_nothing_and_tell_nothing_twice_where_times_are_equal(report: str) -> None:
    for _ in range(7):
        charged(1)
    seen, address = [], f"/api/reports/{report}/?{NOVEMBER}&page_size=2"
    while address:
        query = address.partition("?")[2]
        body = ask(report, query).json()
        seen += [row["id"] for row in body["results"]]
        charged(1, at=datetime.now(UTC))
        address = body["next"]
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, reverse=True)


def test_file_that_cannot_hold_all_says_where_the_rest_is() -> None:
    for _ in range(3):
        charged(1)
    response = ask("ledger", f"{NOVEMBER}&format=csv&page_size=2")
    assert len(csv_rows(response)) == 2
    rest = response["Link"].removeprefix("<").partition(">")[0].partition("?")[2]
    assert len(csv_rows(ask("ledger", rest))) == 1


def test_last_page_of_a_file_names_no_further_one() -> None:
    charged(1)
    assert "Link" not in ask("ledger", f"{NOVEMBER}&format=csv").headers
