"""When a budget's window starts and ends. Pure: the clock is passed in, answers are aware UTC.

`30s 15m 1h 7d 2w` count from the anchor; `1mo 1y` keep the anchor's day and local time (the 31st becomes a short month's last day);
`day week month` are calendar periods in the time zone. Windows tile time: each ends where the next starts, whatever clocks do in between.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
CALENDAR = ("day", "week", "month")
ACCEPTED = "30s, 15m, 1h, 7d, 2w, 1mo, 1y, day, week, month, or nothing for once and for all"
_pattern = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d|w|mo|y)")
MONTHS_IN = {"mo": 1, "y": 12}
MONTH_SECONDS = 31 * 86400
MAX_SECONDS = 1200 * MONTH_SECONDS

# The number of a window → the moment it starts.
Start = Callable[[int], datetime]


class BadPeriod(ValueError):
    """A text that is no period; it says what is accepted."""


@dataclass(frozen=True, slots=True)
class Period:
    """Exactly one of the three is set; none of them: one window without end."""

    seconds: int = 0
    months: int = 0
    calendar: str = ""


@lru_cache(maxsize=1000)
def parse_period(text: str) -> Period:
    """Small letters only: a capital M could mean a minute or a month."""
    text = text.strip()
    if not text:
        return Period()
    if text in CALENDAR:
        return Period(calendar=text)
    match = _pattern.fullmatch(text)
    if match is None:
        raise BadPeriod(f"{text[:40]!r} is no period. Accepted: {ACCEPTED}.")
    number, unit = int(match[1]), match[2]
    if number * (MONTHS_IN[unit] * MONTH_SECONDS if unit in MONTHS_IN else SECONDS[unit]) > MAX_SECONDS:
        raise BadPeriod(f"{text!r} is longer than a hundred years.")
    return Period(months=number * MONTHS_IN[unit]) if unit in MONTHS_IN else Period(seconds=number * SECONDS[unit])


def window(period: str, anchor: datetime, now: datetime, time_zone: str = "UTC") -> tuple[datetime, datetime | None]:
    """The (start, end) that holds `now`. A budget's first window starts at its anchor; a calendar one at its calendar's start."""
    parsed = parse_period(period)
    # Two times of one zone subtract as wall clocks do; a window is measured in time that passed.
    anchor, now = anchor.astimezone(UTC), now.astimezone(UTC)
    if parsed.seconds:
        step = timedelta(seconds=parsed.seconds)
        start = anchor + (now - anchor) // step * step
        return start, start + step
    if parsed.months:
        return _around(now, *_months(parsed.months, anchor, now, ZoneInfo(time_zone)))
    if parsed.calendar:
        return _around(now, *_calendar(parsed.calendar, now, ZoneInfo(time_zone)))
    return anchor, None


def _around(now: datetime, guess: int, start: Start) -> tuple[datetime, datetime]:
    """The window that holds `now`: neighbours share one computed moment, so whatever clocks do there is no gap and no overlap."""
    while start(guess) > now:
        guess -= 1
    while start(guess + 1) <= now:
        guess += 1
    return start(guess), start(guess + 1)


def _months(months: int, anchor: datetime, now: datetime, zone: ZoneInfo) -> tuple[int, Start]:
    first, here = anchor.astimezone(zone), now.astimezone(zone)
    guess = ((here.year - first.year) * 12 + here.month - first.month) // months
    return guess, lambda number: _utc(_plus_months(first, number * months), zone)


def _plus_months(local: datetime, months: int) -> datetime:
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    return local.replace(year=year, month=month + 1, day=min(local.day, monthrange(year, month + 1)[1]))


def _calendar(unit: str, now: datetime, zone: ZoneInfo) -> tuple[int, Start]:
    today = now.astimezone(zone).date()
    if unit == "day":
        return today.toordinal(), lambda number: _utc(datetime.fromordinal(number), zone)
    if unit == "week":
        # Day 1 of the proleptic calendar is a Monday.
        return (today.toordinal() - 1) // 7, lambda number: _utc(datetime.fromordinal(number * 7 + 1), zone)
    return today.year * 12 + today.month - 1, lambda number: _utc(datetime(number // 12, number % 12 + 1, 1), zone)


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    """A local wall time as UTC; one that clocks skip is the moment at which they do."""
    return local.replace(tzinfo=zone).astimezone(UTC)
