"""Windows tile time in every zone, over clock changes, months of any length and leap days."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import BadPeriod, Period, parse_period, window

TICK = timedelta(microseconds=1)
CALENDAR = ("day", "week", "month")

zones = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 12, 31), timezones=st.just(UTC))
periods = st.sampled_from(["30s", "15m", "1h", "7d", "30d", "1w", "1mo", "2mo", "3mo", "1y", *CALENDAR])


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def bounded(period: str, anchor: datetime, now: datetime, zone: str = "UTC") -> tuple[datetime, datetime]:
    start, end = window(period, anchor, now, zone)
    assert end is not None
    return start, end


def starts(period: str, anchor: datetime, number: int, zone: str = "UTC", now: datetime | None = None) -> list[datetime]:
    """The starts of the windows from `now` on."""
    found = []
    at = now or anchor
    for _ in range(number):
        start, at = bounded(period, anchor, at, zone)
        found.append(start)
    return found


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("", Period()),
        ("  ", Period()),
        ("30s", Period(seconds=30)),
        ("15m", Period(seconds=900)),
        ("1h", Period(seconds=3600)),
        ("7d", Period(seconds=604_800)),
        ("1w", Period(seconds=604_800)),
        ("1mo", Period(months=1)),
        ("2mo", Period(months=2)),
        ("1y", Period(months=12)),
        (" day ", Period(calendar="day")),
        ("week", Period(calendar="week")),
        ("month", Period(calendar="month")),
    ],
)
def test_period_is_read(text: str, period: Period) -> None:
    assert parse_period(text) == period


@pytest.mark.parametrize(
    "text",
    [
        "0d",
        "-1d",
        "1.5h",
        "d",
        "1 d",
        "1D",
        "1M",
        "Day",
        "daily",
        "1q",
        "\N{ARABIC-INDIC DIGIT ONE}d",
        "01d",
        "101y",
        "1201mo",
        "999999999w",
    ],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(BadPeriod):
        parse_period(text)


def test_refusal_names_what_is_accepted() -> None:
    with pytest.raises(ValueError, match=r"'fortnight' is no period. Accepted: 30s, 15m, 1h, 7d, 2w, 1mo, 1y, day, week, month"):
        parse_period("fortnight")


# R26
@given(periods, moments, moments, zones)
def test_windows_tile_time(period: str, anchor: datetime, now: datetime, zone: str) -> None:
    start, end = bounded(period, anchor, now, zone)
    assert start <= now < end
    assert bounded(period, anchor, end, zone)[0] == end
    assert bounded(period, anchor, start - TICK, zone)[1] == start
    assert bounded(period, anchor, start, zone) == bounded(period, anchor, end - TICK, zone) == (start, end)


@given(periods.filter(lambda period: period not in CALENDAR), moments, zones)
def test_first_window_starts_at_the_anchor(period: str, anchor: datetime, zone: str) -> None:
    assert window(period, anchor, anchor, zone)[0] == anchor


@given(periods, moments, moments, zones, zones)
def test_zone_in_which_a_moment_is_written_does_not_matter(period: str, anchor: datetime, now: datetime, zone: str, other: str) -> None:
    here = ZoneInfo(other)
    assert window(period, anchor.astimezone(here), now.astimezone(here), zone) == window(period, anchor, now, zone)


def test_counted_period_is_time_that_passed_not_what_the_wall_clock_shows() -> None:
    here = ZoneInfo("America/New_York")
    anchor, now = datetime(2026, 3, 7, 12, tzinfo=here), datetime(2026, 3, 9, 12, 30, tzinfo=here)
    assert window("1d", anchor, now) == (utc("2026-03-08T17:00"), utc("2026-03-09T17:00"))


@given(st.sampled_from(CALENDAR), moments, zones)
def test_calendar_window_is_of_whole_days_of_its_zone(period: str, now: datetime, zone: str) -> None:
    local = ZoneInfo(zone)
    for edge in bounded(period, now, now, zone):
        assert (edge - TICK).astimezone(local).date() < edge.astimezone(local).date()


@given(moments, zones)
def test_week_begins_on_monday_and_month_on_its_first(now: datetime, zone: str) -> None:
    local = ZoneInfo(zone)
    assert bounded("week", now, now, zone)[0].astimezone(local).isoweekday() == 1
    assert bounded("month", now, now, zone)[0].astimezone(local).day == 1


@given(st.integers(1, 10**6), moments, moments)
def test_counted_windows_are_equally_long(seconds: int, anchor: datetime, now: datetime) -> None:
    start, end = bounded(f"{seconds}s", anchor, now)
    assert end - start == timedelta(seconds=seconds)
    assert (start - anchor) % timedelta(seconds=seconds) == timedelta()


def test_budget_without_a_period_never_resets() -> None:
    anchor = datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert window("", anchor, utc("2030-01-01"), "Asia/Tokyo") == (utc("2025-12-31T15:00"), None)


@pytest.mark.parametrize(
    ("period", "anchor", "expected"),
    [
        ("1mo", "2026-01-31T10:00", ["2026-01-31T10:00", "2026-02-28T10:00", "2026-03-31T10:00", "2026-04-30T10:00", "2026-05-31T10:00"]),
        ("1mo", "2028-01-31T00:00", ["2028-01-31T00:00", "2028-02-29T00:00", "2028-03-31T00:00"]),
        ("2mo", "2025-12-30T00:00", ["2025-12-30T00:00", "2026-02-28T00:00", "2026-04-30T00:00"]),
        ("1y", "2024-02-29T00:00", ["2024-02-29T00:00", "2025-02-28T00:00", "2026-02-28T00:00", "2027-02-28T00:00", "2028-02-29T00:00"]),
        ("30d", "2026-01-31T10:00", ["2026-01-31T10:00", "2026-03-02T10:00", "2026-04-01T10:00"]),
    ],
)
def test_months_keep_the_day_of_their_anchor_where_they_have_it(period: str, anchor: str, expected: list[str]) -> None:
    assert starts(period, utc(anchor), len(expected)) == [utc(each) for each in expected]


def test_month_keeps_the_local_hour_over_a_clock_change() -> None:
    found = starts("1mo", utc("2026-10-10T07:00"), 2, "Europe/Berlin")
    assert found == [utc("2026-10-10T07:00"), utc("2026-11-10T08:00")]


@pytest.mark.parametrize(
    ("zone", "now", "start", "hours"),
    [
        ("UTC", "2026-11-21T12:00", "2026-11-21T00:00", 24),
        ("Asia/Kolkata", "2026-11-21T12:00", "2026-11-20T18:30", 24),
        ("America/New_York", "2026-03-08T12:00", "2026-03-08T05:00", 23),
        ("America/New_York", "2026-11-01T12:00", "2026-11-01T04:00", 25),
        ("America/Havana", "2026-03-08T05:00", "2026-03-08T05:00", 23),
        ("America/Havana", "2026-03-08T04:59", "2026-03-07T05:00", 24),
        ("Africa/Cairo", "2026-04-24T12:00", "2026-04-23T22:00", 23),
        ("Pacific/Apia", "2011-12-30T09:59", "2011-12-29T10:00", 24),
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00", 24),
        ("America/St_Johns", "2010-11-07T02:45", "2010-11-07T02:30", 25),
    ],
)
def test_day_of_a_zone_over_clock_changes(zone: str, now: str, start: str, hours: int) -> None:
    assert bounded("day", utc(now), utc(now), zone) == (utc(start), utc(start) + timedelta(hours=hours))


@pytest.mark.parametrize(
    "zone", ["America/Havana", "Africa/Cairo", "Pacific/Apia", "America/St_Johns", "Antarctica/Troll", "Australia/Lord_Howe"]
)
@pytest.mark.parametrize("year", [2010, 2011, 2026])
def test_days_of_a_year_follow_each_other(zone: str, year: int) -> None:
    first = datetime(year, 1, 1, tzinfo=UTC)
    found = starts("day", first, 364, zone, now=first)
    assert all(timedelta(hours=21) <= later - earlier <= timedelta(hours=27) for earlier, later in pairwise(found))


# R26
@pytest.mark.parametrize("period", CALENDAR)
def test_windows_of_twenty_years_follow_each_other_in_every_zone(period: str) -> None:
    """R26: each window that is looked at ends where its neighbour starts, 2020 to 2040; the step hits other days in every zone."""
    for number, zone in enumerate(sorted(available_timezones() - {"localtime", "Factory"})):
        now = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number * 7)
        while now.year <= 2040:
            start, end = bounded(period, now, now, zone)
            assert start <= now < end, (zone, now)
            assert bounded(period, now, end, zone)[0] == end, (zone, now)
            now = end + timedelta(days=53, hours=5)
