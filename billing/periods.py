"""When a budget's window starts and ends. Pure: the clock is passed in, answers are aware UTC.

`30s 15m 1h 7d 2w` count from the anchor; `1mo 1y` keep the anchor's day and local time (the 31st becomes a short month's last day);
`day week month` are calendar periods in the time zone. Windows tile time: each ends where the next starts, whatever clocks do in between.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
CALENDAR = ("day", "week", "month")
ACCEPTED = "30s, 15m, 1h, 7d, 2w, 1mo, 1y, day, week, month, or nothing for once and for all"
_pattern = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d|w|mo|y)")
MONTHS_IN = {"mo": 1, "y": 12}
MAX_MONTHS = 1200


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
    text = text.strip().lower()
    if not text:
        return Period()
    if text in CALENDAR:
        return Period(calendar=text)
    match = _pattern.fullmatch(text)
    if match is None:
        raise BadPeriod(f"{text!r} is no period. Accepted: {ACCEPTED}.")
    number, unit = int(match[1]), match[2]
    if unit in MONTHS_IN:
        if number * MONTHS_IN[unit] > MAX_MONTHS:
            raise BadPeriod(f"{text!r} is longer than a hundred years.")
        return Period(months=number * MONTHS_IN[unit])
    if number * SECONDS[unit] > MAX_MONTHS * 31 * 86400:
        raise BadPeriod(f"{text!r} is longer than a hundred years.")
    return Period(seconds=number * SECONDS[unit])


def window(period: str, anchor: datetime, now: datetime, time_zone: str = "UTC") -> tuple[datetime, datetime | None]:
    """The (start, end) that holds `now`. A budget's first window starts at its anchor; a calendar one at its calendar's start."""
    parsed = parse_period(period)
    if parsed.seconds:
        step = timedelta(seconds=parsed.seconds)
        start = anchor + (now - anchor) // step * step
        return start.astimezone(UTC), (start + step).astimezone(UTC)
    if parsed.months:
        return _months(parsed.months, anchor, now, ZoneInfo(time_zone))
    if parsed.calendar:
        return _calendar(parsed.calendar, now, ZoneInfo(time_zone))
    return anchor.astimezone(UTC), None


def _months(months: int, anchor: datetime, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    local = anchor.astimezone(zone).replace(tzinfo=None)
    here = now.astimezone(zone)
    number = ((here.year - local.year) * 12 + here.month - local.month) // months
    while _utc(_plus_months(local, number * months), zone) > now:
        number -= 1
    while _utc(_plus_months(local, (number + 1) * months), zone) <= now:
        number += 1
    return _utc(_plus_months(local, number * months), zone), _utc(_plus_months(local, (number + 1) * months), zone)


def _plus_months(local: datetime, months: int) -> datetime:
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    return local.replace(year=year, month=month + 1, day=min(local.day, monthrange(year, month + 1)[1]))


def _calendar(unit: str, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    midnight = now.astimezone(zone).replace(tzinfo=None, fold=0, hour=0, minute=0, second=0, microsecond=0)
    start = midnight
    if unit == "week":
        start = midnight - timedelta(days=midnight.weekday())
    elif unit == "month":
        start = midnight.replace(day=1)
    if _utc(start, zone) > now:
        # Midnight came late today (a clock change skipped it): this moment still belongs to the period before.
        return _calendar(unit, _utc(start, zone) - timedelta(hours=12), zone)
    after = {"day": start + timedelta(days=1), "week": start + timedelta(days=7), "month": _plus_months(start, 1)}[unit]
    return _utc(start, zone), _utc(after, zone)


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    """A local wall time as UTC; the first of two equal ones, and what a skipped one would have been."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)
