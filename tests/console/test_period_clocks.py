"""Zones off the whole hour and days on which clocks change: what pages show is what the ledger holds between two midnights."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Q, Sum

from billing.models import LedgerEntry
from console.breakdown import Breakdown, Question, breakdown
from console.figures import Source
from console.period import period
from console.spend_filter import SpendFilter
from tests.console.rows import served

QUARTER = timedelta(minutes=15)
# Half an hour and three quarters off; forward and back at night, at midnight, and by half an hour.
DAYS = [
    ("Asia/Kolkata", date(2026, 11, 20)),
    ("Asia/Kathmandu", date(2026, 11, 20)),
    ("America/St_Johns", date(2026, 11, 1)),
    ("Pacific/Chatham", date(2026, 9, 27)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
]


def figures(key: str, zone: ZoneInfo, now: datetime) -> Breakdown:
    source, span = Source(Q(), zone), period(key, now, zone)
    return breakdown(Question(SpendFilter(period=key), span, source, source, source))


def ends(zone: ZoneInfo, day: date) -> tuple[datetime, datetime]:
    first, last = (datetime.combine(day + timedelta(days=at), time.min, tzinfo=zone).astimezone(UTC) for at in (0, 1))
    return first, last


def ledger(first: datetime, last: datetime) -> int:
    return int(LedgerEntry.objects.filter(at__gte=first, at__lt=last).aggregate(nano=Sum("amount_nano"))["nano"])


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "day"), DAYS)
def test_bars_of_a_day_are_the_ledger_between_its_midnights(name: str, day: date) -> None:
    zone = ZoneInfo(name)
    first, last = ends(zone, day)
    steps = ((last - first) // QUARTER) + 2
    for at in range(-1, steps, 2):
        served(at=first + QUARTER * at + timedelta(seconds=1), nano=10**9 + at)
    served(at=last - timedelta(seconds=1), nano=7)
    shown = figures(day.isoformat(), zone, last + timedelta(days=3))
    assert shown.total.cost_nano == sum(bar.total_nano for bar in shown.bars) == ledger(first, last)


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "day"), DAYS)
def test_days_around_a_change_of_clocks_add_up(name: str, day: date) -> None:
    zone = ZoneInfo(name)
    first, last = ends(zone, day)
    for at in (first - QUARTER, first, last - QUARTER, last, last + timedelta(days=9)):
        served(at=at, nano=10**9 + 1)
    key = f"{day - timedelta(days=1)}..{day + timedelta(days=10)}"
    shown = figures(key, zone, last + timedelta(days=30))
    assert [bar.total_nano for bar in shown.bars[:3]] == [10**9 + 1, 2 * (10**9 + 1), 10**9 + 1]
    assert shown.total.cost_nano == sum(bar.total_nano for bar in shown.bars) == 5 * (10**9 + 1)


@pytest.mark.parametrize(("name", "day"), DAYS)
def test_hours_of_a_day_begin_on_the_clock(name: str, day: date) -> None:
    zone = ZoneInfo(name)
    hours = period(day.isoformat(), datetime(2027, 1, 1, tzinfo=UTC), zone).hours
    assert {hour.minute for hour in hours} == {0}
    assert {hour.date() for hour in hours} == {day}
    assert hours == sorted(set(hours))
