"""Days of the gateway's time zone, quarters of an hour and the ledger say the same, however they are written and read."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.db.models import F, Q, Sum
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from audit.day_rebuild import rebuild_days
from audit.models import DayRollUp, DayZone, RollUp
from audit.rollup_days import starts
from billing import posting
from billing.journal import Entry
from billing.ledger import prove
from billing.models import LedgerEntry
from billing.posting import post
from billing.rollup_posting import post_adjustments
from console.figures import Source
from console.period import period
from tests.billing.lines import closing
from tests.console.rows import as_admin, served

NEW_YORK, LORD_HOWE, TOKYO = "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"
# Beside the days on which clocks are put forward and back.
DAYS = [date(2026, 3, 8), date(2026, 4, 5), date(2026, 10, 4), date(2026, 11, 1)]
EDGES = [starts(day + timedelta(days=more), ZoneInfo(zone)) for zone in (NEW_YORK, LORD_HOWE, "UTC") for day in DAYS for more in (0, 1)]
MOMENTS = st.builds(lambda edge, beside: edge.timestamp() + beside, st.sampled_from(EDGES), st.sampled_from([-900, -1, 0, 899.5, 7200]))
CALLS = st.lists(st.tuples(MOMENTS, st.sampled_from(["a", "b"]), st.integers(1, 10**12)), max_size=8)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def whole_days() -> None:
    rebuild_days("UTC")


def posted(calls: list[tuple[float, str, int]], first: int = 0) -> None:
    post([call(number, *one) for number, one in enumerate(calls, start=first)], "base")


def call(number: int, at: float, key: str, nano: int) -> Entry:
    made = closing(f"req_{number}", [nano], at=at)
    made.postings[0].at, made.summary.key_id = at, key
    return made


def days(*names: str) -> list[dict[str, Any]]:
    return list(DayRollUp.objects.order_by("zone", "day", "key_id", "cost_nano").values("zone", "day", "key_id", *names))


def by(source: Source, span: tuple[datetime, datetime], *columns: str) -> dict[Any, int]:
    return {values: usage.cost_nano for values, usage in source.sums(span, *columns)}


def ledger(zone: ZoneInfo, span: tuple[datetime, datetime]) -> dict[Any, int]:
    found: Counter[Any] = Counter()
    for at, key, nano in LedgerEntry.objects.filter(at__gte=span[0], at__lt=span[1]).values_list("at", "key_id", "amount_nano"):
        found[at.astimezone(zone).date(), key] += nano
    return dict(found)


@pytest.mark.parametrize("kept", ["UTC", NEW_YORK, LORD_HOWE])
@pytest.mark.parametrize("shown", ["UTC", NEW_YORK, LORD_HOWE])
@examples(max_examples=10, deadline=None)
@given(calls=CALLS, start=st.sampled_from(EDGES), end=st.sampled_from(EDGES))
def test_days_quarters_and_ledger_say_the_same(
    kept: str, shown: str, calls: list[tuple[float, str, int]], start: datetime, end: datetime
) -> None:
    span, zone = (min(start, end), max(start, end) + timedelta(hours=5)), ZoneInfo(shown)
    with transaction.atomic():
        rebuild_days(kept)
        posted(calls)
        expected = ledger(zone, span)
        of_keys = Counter[Any]()
        for (_, key), nano in expected.items():
            of_keys[key,] += nano
        by_days = by(Source(Q(), zone), span, "day", "key_id"), by(Source(Q(), zone), span, "key_id")
        written = days("cost_nano", "calls")
        assert prove() == []
        rebuild_days(kept)
        assert days("cost_nano", "calls") == written
        DayZone.objects.all().delete()
        by_quarters = by(Source(Q(), zone), span, "day", "key_id"), by(Source(Q(), zone), span, "key_id")
        transaction.set_rollback(True)
    assert by_days == by_quarters == (expected, of_keys)


@pytest.mark.parametrize("shown", ["UTC", NEW_YORK, LORD_HOWE])
@examples(max_examples=20, deadline=None)
@given(calls=CALLS, edges=st.lists(st.sampled_from(EDGES), min_size=4, max_size=4).map(sorted))
def test_span_in_one_that_was_read_by_day_says_what_it_would_say_alone(
    shown: str, calls: list[tuple[float, str, int]], edges: list[datetime]
) -> None:
    wide, spans = (edges[0], edges[3]), [(edges[1], edges[2]), (edges[0], edges[1]), (edges[2], edges[3])]
    alone = partial(Source, Q(), ZoneInfo(shown))
    read = alone()
    with transaction.atomic():
        posted(calls)
        read.by_day(wide)
        by_route = [by(read, span, "route") for span in spans]
        assert by_route == [by(alone(), span, "route") for span in spans] == [alone().costs(span, "route") for span in spans]
        only = "key_id", ["a"]
        by_key = [by(alone(), span, "key_id", "day") for span in spans]
        assert [read.costs(span, "key_id", "day", only=only) for span in spans] == [
            {values: nano for values, nano in found.items() if values[0] == "a"} for found in by_key
        ]
        transaction.set_rollback(True)


def test_span_of_whole_days_in_one_that_was_read_is_not_read_again() -> None:
    served(at=datetime(2026, 9, 14, 12, tzinfo=UTC))
    month, source = period("2026-09", datetime(2026, 11, 2, tzinfo=UTC), ZoneInfo("UTC")), Source(Q(), ZoneInfo("UTC"))
    source.by_day((month.start, month.end))
    with CaptureQueriesContext(connection) as asked:
        found = source.sums((month.start, month.start + timedelta(days=14)), "route")
        assert (len(found), source.sums((month.start, month.start + timedelta(days=13)), "route")) == (1, [])
    assert list(asked) == []


def test_batch_posted_twice_adds_nothing_to_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [(EDGES[0].timestamp(), "a", 3), (EDGES[0].timestamp() - 1, "a", 4)]
    with monkeypatch.context() as dying, pytest.raises(OperationalError):
        dying.setattr(posting, "post_windows", mock.Mock(side_effect=OperationalError("killed")))
        posted(calls)
    assert days() == []
    posted(calls)
    once = days("calls", "cost_nano", "failed_calls")
    posted(calls)
    assert days("calls", "cost_nano", "failed_calls") == once
    assert DayRollUp.objects.aggregate(Sum("calls"), Sum("cost_nano")) == {"calls__sum": 2, "cost_nano__sum": 7}


def test_adjustment_counts_in_the_day_in_which_it_was_posted() -> None:
    posted([(EDGES[0].timestamp(), "a", 5)])
    first = LedgerEntry.objects.get()
    late = LedgerEntry(attempt_id=first.attempt_id, kind="adjust", request_id="req_0", at=first.at + timedelta(days=3), amount_nano=-2)
    late.save()
    post_adjustments([late])
    found = DayRollUp.objects.order_by("day").values_list("day").annotate(Sum("cost_nano"), Sum("calls"))
    assert list(found) == [(first.at.date(), 5, 1), (late.at.date(), -2, 0)]
    assert prove() == []


def test_other_time_zone_reads_quarters_until_its_days_are_made(settings: Settings) -> None:
    settings.TIME_ZONE = TOKYO
    posted([(datetime(2026, 10, 9, 20, tzinfo=UTC).timestamp(), "a", 5)])
    month = period("2026-10", datetime(2026, 11, 2, tzinfo=UTC), ZoneInfo(TOKYO))
    span = month.start, month.end
    assert Source(Q(), ZoneInfo(TOKYO)).by_day(span).keys() == {date(2026, 10, 10)}
    call_command("money", "rebuild-rollups", "--days", stdout=StringIO())
    assert set(DayRollUp.objects.values_list("zone", "day")) == {(TOKYO, date(2026, 10, 10))}
    RollUp.objects.all().delete()
    assert Source(Q(), ZoneInfo(TOKYO)).by_day(span).keys() == {date(2026, 10, 10)}
    assert Source(Q(), ZoneInfo("UTC")).by_day(span).keys() == set()


def test_day_that_says_something_else_is_found_and_made_anew() -> None:
    posted([(EDGES[0].timestamp(), "a", 5)])
    DayRollUp.objects.update(failed_calls=F("failed_calls") + 1)
    [finding] = prove()
    assert "Roll-ups of 1 days in UTC, 2026-03-08 to 2026-03-08, are not the sums" in finding
    out = StringIO()
    call_command("money", "rebuild-rollups", "--days", "--json", stdout=out)
    assert (json.loads(out.getvalue()), prove()) == ({"days": 1}, [])


def test_migration_fills_days_from_the_roll_ups_that_are_there() -> None:
    posted([(moment.timestamp(), "a", 5) for moment in EDGES])
    written = days("calls", "cost_nano", "failed_calls", "output_tokens")
    DayRollUp.objects.all().delete()
    DayZone.objects.all().delete()
    import_module("audit.migrations.0005_day_rollups").fill(apps, SimpleNamespace(connection=connection))
    assert days("calls", "cost_nano", "failed_calls", "output_tokens") == written
    assert list(DayZone.objects.values_list("zone", "is_whole")) == [("UTC", True)]


def tables_read(address: str) -> list[str]:
    client = as_admin()
    client.get(address)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    named = (table for one in asked for table in ("audit_dayrollup", "audit_rollup") if f'FROM "{table}"' in one["sql"])
    return sorted(named)


@pytest.mark.parametrize(
    ("by", "queries"), [("model", 3), ("provider", 3), ("day", 3), ("team", 5), ("key&then=model", 6), ("client&then=day", 6)]
)
def test_spend_of_thirty_whole_days_reads_days_alone_and_few_times(by: str, queries: int) -> None:
    for day in (1, 14, 30):
        served(at=datetime(2026, 9, day, 12, tzinfo=UTC))
    assert tables_read(f"/spend/?period=2026-09-01..2026-09-30&by={by}") == ["audit_dayrollup"] * queries


def test_spend_of_the_last_thirty_days_reads_quarters_of_the_one_day_alone_at_which_the_span_before_ends() -> None:
    served()
    assert tables_read("/spend/?period=30d") == ["audit_dayrollup"] * 3 + ["audit_rollup"]


def test_home_reads_days_alone() -> None:
    served()
    assert set(tables_read("/")) == {"audit_dayrollup"}
