"""Spend: figures are the ledger's to the nano, days and months are those of the page's time zone."""

import csv
import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models import Q, Sum
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from billing.models import LedgerEntry
from billing.rollup_posting import post_adjustments
from console.breakdown import PARTS, ROWS, Breakdown, Question, breakdown
from console.figures import Source
from console.period import period
from console.spend_filter import SpendFilter
from keys.access import EVERYTHING, Reach
from keys.models import User
from tests.console.rows import MINUTE, as_admin, served
from tests.console.spend_rows import NOON, Cast, spent
from tests.factories import make_admin, make_key, make_team, make_user

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")
ALL = Q()

pytestmark = pytest.mark.django_db


def spend(key: str, zone: tzinfo = TOKYO, now: datetime = NOW, **asked: Any) -> Breakdown:
    source, span = Source(ALL, zone), period(key, now, zone)
    return breakdown(Question(SpendFilter(period=key, **asked), span, source, source, source))


def admin() -> Client:
    client = Client()
    client.force_login(User.objects.filter(username="root").first() or make_admin())
    return client


def page(query: str = "", client: Client | None = None) -> str:
    return (client or admin()).get(f"/spend/{query}").content.decode()


def test_total_is_the_ledgers_sum_to_the_nano() -> None:
    for number in range(9):
        served(at=NOW - MINUTE - timedelta(days=number), nano=123_456_789 + number, route=f"model-{number % 4}")
    figures = spend("month")
    ledger = LedgerEntry.objects.aggregate(nano=Sum("amount_nano"))["nano"]
    assert figures.total.cost_nano == ledger
    assert sum(row.usage.cost_nano for row in figures.rows) == ledger
    assert sum(day.total_nano for day in figures.bars) == ledger


def test_series_and_other_add_up_to_each_day() -> None:
    for number in range(9):
        served(at=NOW - MINUTE, nano=1_000_000_000 - number, route=f"model-{number}")
    day = spend("today").bars[-1]
    assert len(day.series_nano) == 6
    assert sum(day.series_nano) + day.other_nano == day.total_nano


def test_adjustment_counts_when_it_was_posted() -> None:
    record = served(at=NOW - timedelta(days=1), nano=5_000_000_000)
    late = LedgerEntry.objects.create(
        attempt_id="late", kind="adjust", request_id=record.id, at=NOW - timedelta(hours=1), amount_nano=-1_000_000_000, route=record.route
    )
    post_adjustments([late])
    figures = spend("month")
    assert [day.total_nano for day in figures.bars][-2:] == [5_000_000_000, -1_000_000_000]


def test_month_is_cut_in_the_page_time_zone() -> None:
    served(at=datetime(2026, 10, 31, 15, 0, tzinfo=UTC), nano=1)
    served(at=datetime(2026, 10, 31, 14, 59, 59, tzinfo=UTC), nano=20)
    assert spend("month").total.cost_nano == 1
    assert spend("last-month").total.cost_nano == 20


def test_days_without_spend_are_shown_as_nothing() -> None:
    served(at=NOW - MINUTE)
    figures = spend("7d")
    assert [bool(day.total_nano) for day in figures.bars] == [False] * 6 + [True]


def test_token_kinds_are_summed_by_model() -> None:
    served(at=NOW - MINUTE, cache_write_1h_tokens=174)
    served(at=NOW - MINUTE)
    row = spend("today").rows[0]
    assert (row.usage.calls, row.usage.fresh, row.usage.cache_write) == (2, 2408, 5826)
    assert (row.usage.cache_read, row.usage.output) == (88_360, 3808)


def test_refused_call_counts_and_a_token_count_does_not() -> None:
    served(at=NOW - MINUTE, nano=0, status=403, outcome="refused")
    served(at=NOW - MINUTE, nano=0, endpoint="/v1/messages/count_tokens")
    assert spend("today").total.calls == 1


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "Australia/Eucla"])
def test_midnight_of_a_zone_at_odds_with_the_hour_cuts_days(zone: str) -> None:
    midnight = datetime(2026, 11, 21, tzinfo=ZoneInfo(zone))
    served(at=midnight, nano=1)
    served(at=midnight - timedelta(microseconds=1), nano=20)
    figures = spend("7d", ZoneInfo(zone), midnight + MINUTE)
    assert [day.total_nano for day in figures.bars][-2:] == [20, 1]


def test_earlier_span_is_compared() -> None:
    served(at=NOW - MINUTE - timedelta(days=7), nano=5)
    served(at=NOW - MINUTE, nano=7)
    figures = spend("7d")
    assert (figures.total.cost_nano, figures.earlier.cost_nano, figures.rows[0].earlier_nano) == (7, 5, 5)


def test_figures_read_no_record_and_no_ledger_entry() -> None:
    served(at=NOW - MINUTE)
    with CaptureQueriesContext(connection) as queries:
        spend("month")
    asked = " ".join(query["sql"] for query in queries)
    assert "audit_rollup" in asked
    assert "audit_requestrecord" not in asked
    assert "billing_ledgerentry" not in asked


def test_models_beyond_the_table_are_summed_as_other() -> None:
    for number in range(ROWS + 3):
        served(at=NOW - MINUTE, nano=1000 - number, route=f"model-{number:02d}")
    figures = spend("today")
    assert len(figures.rows) == ROWS
    assert figures.rest is not None
    assert figures.rest.calls == figures.rest_count == 3


def test_page_shows_what_has_no_price() -> None:
    served(nano=0, cost_nano=None, is_unpriced=True, route="grok-4-preview")
    text = page()
    assert "1 request has no price." in text
    assert '<span class="state warn">unpriced</span>' in text


def test_chart_carries_its_own_table() -> None:
    served(at=timezone.now() - MINUTE, nano=3_500_000_001)
    text = page("?period=today")
    assert '<figure data-chart="bars" data-unit="$#" data-ahead="forecast">' in text
    assert 'data-v="3.500000001"' in text
    assert "vendor/echarts/echarts.min.js" in text


def test_page_names_its_time_zone(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    assert "Days are cut in Asia/Tokyo." in page()


@pytest.mark.parametrize("query", ["", "?period=nonsense", "?period=%00", "?period="])
def test_unknown_period_is_this_month(query: str) -> None:
    assert re.search(r'<option value="month" selected>', page(query))


def test_drill_down_keeps_period_and_model() -> None:
    served(route="a&b/c", at=timezone.now() - MINUTE)
    assert 'href="/requests/?period=7d&amp;model=a%26b%2Fc"' in page("?period=7d")


def test_many_models_need_no_more_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    client = as_admin()
    for number in range(40):
        served(route=f"model-{number}")
    with django_assert_max_num_queries(16):
        client.get("/spend/?period=30d")


GROUPS = ["team", "user", "key", "model", "provider", "client", "centre", "day", "hour"]


@pytest.mark.parametrize("by", GROUPS)
def test_every_grouping_adds_up_to_the_ledger(by: str) -> None:
    Cast()
    spent(make_key("lonely")[0], 4, at=NOON - timedelta(days=1), provider="bedrock", client="claude-cli", cost_centre="4711")
    figures = spend("2026-11-19..2026-11-20", by=by, then="model" if by != "model" else "team")
    ledger = LedgerEntry.objects.aggregate(nano=Sum("amount_nano"))["nano"]
    assert figures.total.cost_nano == sum(row.usage.cost_nano for row in figures.rows) == ledger
    assert sum(part.usage.cost_nano for row in figures.rows for part in row.parts) == ledger
    assert sum(bar.total_nano for bar in figures.bars) == sum(sum(bar.series_nano) + bar.other_nano for bar in figures.bars) == ledger


def test_short_period_is_drawn_by_the_hour() -> None:
    Cast()
    figures = spend("2026-11-20")
    assert len(figures.bars) == 24
    assert [(bar.at, bar.total_nano) for bar in figures.bars if bar.total_nano] == [(NOON.astimezone(TOKYO), 1_000_000_301)]


def test_parts_beyond_the_first_are_summed() -> None:
    for number in range(PARTS + 2):
        served(at=NOW - MINUTE, nano=100 - number, provider=f"provider-{number}")
    row = spend("today", then="provider").rows[0]
    assert (len(row.parts), row.rest_count) == (PARTS, 2)
    assert row.rest is not None
    assert sum(part.usage.cost_nano for part in row.parts) + row.rest.cost_nano == row.usage.cost_nano


def asked(query: str, *, reach: Reach = EVERYTHING) -> SpendFilter:
    return SpendFilter.read(QueryDict(query), reach)


def test_what_does_not_go_with_tags_is_left_out_and_said() -> None:
    found = asked("by=user&then=tag&key=laptop&team=Search")
    assert (found.by, found.then, found.texts, found.left_out) == ("model", "tag", (("team", "Search"),), ("user", "key"))
    assert "Left out: User, Key." in page("?by=user&then=tag&key=laptop&team=Search")


def test_tags_are_added_up_from_their_own_table() -> None:
    Cast()
    text = page("?by=tag&period=2026-11")
    assert "A request with two tags counts under both." in text
    assert re.findall(r"tag=(\w+)", text) == ["nightly", "ci"]
    assert "$1.00" in re.sub(r"<[^>]+>", "", text)


def test_tag_filter_narrows_everything() -> None:
    Cast()
    assert Decimal("0.00000002") == sum(Decimal(row["Spend (USD)"]) for row in rows_of("?tag=ci&period=2026-11"))


def test_many_hours_are_shown_as_days() -> None:
    assert "Hours are shown for periods of up to 8 days." in page("?by=hour&period=30d")


def test_drill_down_says_nothing_of_what_has_no_team() -> None:
    served(at=timezone.now() - MINUTE)
    assert 'href="/requests/?period=7d&amp;model=claude-sonnet&amp;team=-"' in page("?period=7d&by=team&model=claude-sonnet")


def test_drill_down_finds_the_requests_behind_each_row() -> None:
    Cast()
    client = admin()
    links = re.findall(r'href="(/requests/\?[^"]*user=[^"]*)"', page("?by=user&then=day&period=2026-11", client=client))
    found = [re.findall(r"/requests/(req_s\w+)/", client.get(link.replace("&amp;", "&")).content.decode()) for link in links]
    assert [len(set(ids)) for ids in found] == [1] * 6


def rows_of(query: str, client: Client | None = None) -> list[dict[str, str]]:
    response = (client or admin()).get(f"/spend/spend.csv{query}")
    return list(csv.DictReader(StringIO(response.content.decode("utf-8-sig"))))


@pytest.mark.parametrize("query", ["?period=2026-11&by=user&then=model", "?period=2026-11&by=day&then=key", "?period=2026-11&by=centre"])
def test_file_adds_up_to_the_ledger_to_the_nano(query: str) -> None:
    Cast()
    ledger = LedgerEntry.objects.aggregate(nano=Sum("amount_nano"))["nano"]
    assert sum(Decimal(row["Spend (USD)"]) for row in rows_of(query)) * 10**9 == ledger


def test_file_leaves_nothing_summed_as_other_and_no_formula() -> None:
    for number in range(ROWS + 3):
        served(at=NOW - MINUTE, nano=1000 - number, route=f"=cmd|{number}")
    names = [row["Model"] for row in rows_of("?period=2026-11")]
    assert len(names) == ROWS + 3
    assert all(name.startswith("'=cmd|") for name in names)


def test_spreadsheet_is_a_spreadsheet() -> None:
    served()
    response = as_admin().get("/spend/spend.xlsx")
    assert response.content[:2] == b"PK"
    assert response["Content-Disposition"].endswith('.xlsx"')


# ── whose money ───────────────────────────────────────────────────────────────
def total(who: str, query: str = "?period=2026-11") -> int:
    client = Client()
    client.force_login(User.objects.get(username=who))
    return int(sum(Decimal(row["Spend (USD)"]) for row in rows_of(query, client)) * 10**9)


@pytest.mark.parametrize(
    ("who", "nano"), [("root", 1_000_000_321), ("finance", 1_000_000_321), ("alice", 1_000_000_021), ("bob", 20), ("charlie", 300)]
)
def test_everybody_sees_what_they_may(who: str, nano: int) -> None:
    Cast()
    assert total(who) == nano


@pytest.mark.parametrize("query", ["&team=Sales", "&user=charlie", "&key=charlie%27s+key", "&by=key&user=charlie", "&team=-", "&tag=ci"])
def test_filter_opens_nothing_of_others(query: str) -> None:
    Cast()
    assert total("bob", f"?period=2026-11{query}") in {0, 20 * ("tag" in query)}


def test_manager_sees_tags_of_the_teams_led_alone() -> None:
    Cast()
    assert total("alice", "?period=2026-11&by=tag") == 1_000_000_021
    assert "tag" not in asked("by=tag&tag=ci", reach=Reach(person_id="bob", joined=frozenset({"search"}))).query


def test_name_of_another_team_is_not_told_for_its_id() -> None:
    cast = Cast()
    client = Client()
    client.force_login(User.objects.get(username="bob"))
    for address in ("/spend/", "/requests/"):
        assert "Sales" not in client.get(f"{address}?team={cast.sales.pk}").content.decode()
        assert "charlie" not in client.get(f"{address}?user={cast.charlie.user_id}&key={cast.charlie.pk}").content.decode()


def test_names_with_markup_are_inert() -> None:
    key, _secret = make_key("<img src=x>", team=make_team("<script>alert(1)</script>"), user=make_user("evil"))
    spent(key, 5, at=timezone.now() - MINUTE, provider="<b>")
    text = "".join(page(f"?by={by}&then=model") for by in ("team", "key", "provider"))
    assert "<script>alert" not in text
    assert "<img" not in text
