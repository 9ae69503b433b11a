"""Spend: figures are the ledger's to the nano, days and months are those of the page's time zone."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from billing.models import LedgerEntry
from billing.rollup_posting import post_adjustments
from console.figures import ROWS, spend
from console.period import period
from routing.models import RouteTarget
from tests.console.rows import MINUTE, as_admin, served
from tests.factories import make_deployment, make_route

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")

pytestmark = pytest.mark.django_db


def page(query: str = "") -> str:
    return as_admin().get(f"/spend/{query}").content.decode()


def test_total_is_the_ledgers_sum_to_the_nano() -> None:
    for number in range(9):
        served(at=NOW - MINUTE - timedelta(days=number), nano=123_456_789 + number, route=f"model-{number % 4}")
    figures = spend(period("month", NOW, TOKYO), TOKYO)
    ledger = LedgerEntry.objects.aggregate(nano=Sum("amount_nano"))["nano"]
    assert figures.total.cost_nano == ledger
    assert sum(row.usage.cost_nano for row in figures.models) == ledger
    assert sum(day.total_nano for day in figures.days) == ledger


def test_series_and_other_add_up_to_each_day() -> None:
    for number in range(9):
        served(at=NOW - MINUTE, nano=1_000_000_000 - number, route=f"model-{number}")
    day = spend(period("today", NOW, TOKYO), TOKYO).days[-1]
    assert len(day.series_nano) == 6
    assert sum(day.series_nano) + day.other_nano == day.total_nano


def test_adjustment_counts_when_it_was_posted() -> None:
    record = served(at=NOW - timedelta(days=1), nano=5_000_000_000)
    late = LedgerEntry.objects.create(
        attempt_id="late", kind="adjust", request_id=record.id, at=NOW - timedelta(hours=1), amount_nano=-1_000_000_000, route=record.route
    )
    post_adjustments([late])
    figures = spend(period("month", NOW, TOKYO), TOKYO)
    assert [day.total_nano for day in figures.days][-2:] == [5_000_000_000, -1_000_000_000]


def test_month_is_cut_in_the_page_time_zone() -> None:
    served(at=datetime(2026, 10, 31, 15, 0, tzinfo=UTC), nano=1)
    served(at=datetime(2026, 10, 31, 14, 59, 59, tzinfo=UTC), nano=20)
    assert spend(period("month", NOW, TOKYO), TOKYO).total.cost_nano == 1
    assert spend(period("last-month", NOW, TOKYO), TOKYO).total.cost_nano == 20


def test_days_without_spend_are_shown_as_nothing() -> None:
    served(at=NOW - MINUTE)
    figures = spend(period("7d", NOW, TOKYO), TOKYO)
    assert [bool(day.total_nano) for day in figures.days] == [False] * 6 + [True]


def test_token_kinds_are_summed_by_model() -> None:
    served(at=NOW - MINUTE, cache_write_1h_tokens=174)
    served(at=NOW - MINUTE)
    row = spend(period("today", NOW, TOKYO), TOKYO).models[0]
    assert (row.usage.calls, row.usage.fresh, row.usage.cache_write) == (2, 2408, 5826)
    assert (row.usage.cache_read, row.usage.output) == (88_360, 3808)


def test_model_names_what_answers_for_it_first_the_one_that_is_asked_first() -> None:
    first, second = make_deployment("a", model="claude-sonnet-4-5"), make_deployment("b", model="claude-sonnet-4")
    make_route("claude-sonnet", first, second)
    RouteTarget.objects.filter(deployment=first).update(order=2)
    served(at=NOW - MINUTE)
    served(at=NOW - MINUTE, route="anthropic/claude-opus")
    assert [row.served for row in spend(period("today", NOW, TOKYO), TOKYO).models] == [[], ["claude-sonnet-4", "claude-sonnet-4-5"]]


def test_refused_call_counts_and_a_token_count_does_not() -> None:
    served(at=NOW - MINUTE, nano=0, status=403, outcome="refused")
    served(at=NOW - MINUTE, nano=0, endpoint="/v1/messages/count_tokens")
    assert spend(period("today", NOW, TOKYO), TOKYO).total.calls == 1


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "Australia/Eucla"])
def test_midnight_of_a_zone_at_odds_with_the_hour_cuts_days(zone: str) -> None:
    midnight = datetime(2026, 11, 21, tzinfo=ZoneInfo(zone))
    served(at=midnight, nano=1)
    served(at=midnight - timedelta(microseconds=1), nano=20)
    figures = spend(period("7d", midnight + MINUTE, ZoneInfo(zone)), ZoneInfo(zone))
    assert [day.total_nano for day in figures.days][-2:] == [20, 1]


def test_earlier_span_is_compared() -> None:
    served(at=NOW - MINUTE - timedelta(days=7), nano=5)
    served(at=NOW - MINUTE, nano=7)
    figures = spend(period("7d", NOW, TOKYO), TOKYO)
    assert (figures.total.cost_nano, figures.earlier_nano, figures.earlier_calls) == (7, 5, 1)


def test_figures_read_no_record_and_no_ledger_entry() -> None:
    served(at=NOW - MINUTE)
    with CaptureQueriesContext(connection) as queries:
        spend(period("month", NOW, TOKYO), TOKYO)
    asked = " ".join(query["sql"] for query in queries)
    assert "audit_rollup" in asked
    assert "audit_requestrecord" not in asked
    assert "billing_ledgerentry" not in asked


def test_models_beyond_the_table_are_summed_as_other() -> None:
    for number in range(ROWS + 3):
        served(at=NOW - MINUTE, nano=1000 - number, route=f"model-{number:02d}")
    figures = spend(period("today", NOW, TOKYO), TOKYO)
    assert len(figures.models) == ROWS
    assert figures.rest is not None
    assert figures.rest.usage.calls == figures.rest_count == 3


def test_page_shows_what_has_no_price() -> None:
    served(nano=0, cost_nano=None, is_unpriced=True, route="grok-4-preview")
    text = page()
    assert "1 request has no price." in text
    assert '<span class="state warn">unpriced</span>' in text


def test_chart_carries_its_own_table() -> None:
    served(at=timezone.now() - MINUTE, nano=3_500_000_001)
    text = page("?period=today")
    assert '<figure data-chart="bars" data-unit="$#">' in text
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
    with django_assert_max_num_queries(7):
        client.get("/spend/?period=30d")
