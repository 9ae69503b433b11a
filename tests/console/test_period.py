"""Periods: cut at local midnight, compared with a span of the same length."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from console.period import NAMES, between, is_period, period

TOKYO = ZoneInfo("Asia/Tokyo")
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "first", "last", "days"),
    [
        ("today", (2026, 11, 21), (2026, 11, 21), 1),
        ("7d", (2026, 11, 15), (2026, 11, 21), 7),
        ("90d", (2026, 8, 24), (2026, 11, 21), 90),
        ("month", (2026, 11, 1), (2026, 11, 21), 21),
        ("last-month", (2026, 10, 1), (2026, 10, 31), 31),
    ],
)
def test_days_of_a_period(key: str, first: tuple[int, int, int], last: tuple[int, int, int], days: int) -> None:
    span = period(key, NOW, TOKYO)
    assert (span.first_day, span.last_day, len(span.days)) == (date(*first), date(*last), days)


def test_new_month_has_begun_in_tokyo_only() -> None:
    moment = datetime(2026, 10, 31, 15, 0, tzinfo=UTC)
    assert period("month", moment, TOKYO).first_day == date(2026, 11, 1)
    assert period("month", moment, BERLIN).first_day == date(2026, 10, 1)


def test_month_is_compared_with_as_much_of_the_month_before() -> None:
    assert period("month", NOW, TOKYO).earlier_days == (date(2026, 10, 1), date(2026, 10, 21))


def test_long_month_is_compared_with_the_whole_short_one() -> None:
    span = period("month", datetime(2026, 3, 31, 12, 0, tzinfo=UTC), UTC)
    assert span.earlier_days == (date(2026, 2, 1), date(2026, 2, 28))


def test_days_stay_whole_when_the_clocks_change() -> None:
    span = period("7d", datetime(2026, 10, 27, 12, 0, tzinfo=UTC), BERLIN)
    assert span.start == datetime(2026, 10, 21, 0, 0, tzinfo=BERLIN)
    assert len(span.days) == 7


@pytest.mark.parametrize("key", NAMES)
def test_earlier_span_ends_where_the_period_begins_or_before(key: str) -> None:
    span = period(key, NOW, TOKYO)
    assert span.earlier[0] < span.earlier[1] <= span.start < span.end


@pytest.mark.parametrize(
    ("key", "first", "last", "earlier"),
    [
        ("2026-10", date(2026, 10, 1), date(2026, 10, 31), (date(2026, 9, 1), date(2026, 9, 30))),
        ("2026-11-20", date(2026, 11, 20), date(2026, 11, 20), (date(2026, 11, 19), date(2026, 11, 19))),
        ("2026-11-03..2026-11-05", date(2026, 11, 3), date(2026, 11, 5), (date(2026, 10, 31), date(2026, 11, 2))),
        ("2026-11-20T13", date(2026, 11, 20), date(2026, 11, 20), (date(2026, 11, 20), date(2026, 11, 20))),
    ],
)
def test_written_period(key: str, first: date, last: date, earlier: tuple[date, date]) -> None:
    span = period(key, NOW, TOKYO)
    assert (span.key, span.first_day, span.last_day, span.earlier_days) == (key, first, last, earlier)


def test_written_period_ends_now_at_the_latest() -> None:
    assert period("2026-11", NOW, TOKYO).end == period("month", NOW, TOKYO).end == NOW


@pytest.mark.parametrize(
    "key",
    [
        "2026-13",
        "2026-02-30",
        "2026-11-20T24",
        "2026-11-05..2026-11-03",
        "2024-01-01..2026-01-01",
        "0001-01",
        "9999-12",
        "\uff12026-11",
        "x",
    ],
)
def test_what_is_no_time_is_no_period(key: str) -> None:
    assert not is_period(key)
    assert period(key, NOW, TOKYO).key == "month"


def test_days_of_a_form_make_a_period() -> None:
    assert between("2026-11-03", "2026-11-05") == "2026-11-03..2026-11-05"
    assert [between("2026-11-03", ""), between("", ""), between("2026-11-05", "2026-11-03")] == ["2026-11-03", "", ""]


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 24), ("2026-03-29", 23), ("2026-10-24", 24)])
def test_hours_of_a_day_are_those_that_a_clock_shows(day: str, hours: int) -> None:
    assert len(period(day, NOW, BERLIN).hours) == hours
