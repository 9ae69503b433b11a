"""The period a report is asked for: days, months or moments, cut in a time zone. Whatever cannot be read is told, nothing is guessed."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError

from audit.rollups import QUARTER_S

YEARS = range(2000, 2999)
DAY = timedelta(days=1)
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOW = "Write a day such as 2026-11-30, a month such as 2026-11, or a moment such as 2026-11-30T09:00Z."


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to but without `end`, both in UTC; days and months are those of `zone`."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    @property
    def days(self) -> int:
        return -((self.start - self.end) // DAY)

    @property
    def facts(self) -> dict[str, str]:
        """As answers tell it, with the offset of the zone."""
        local = (moment.astimezone(self.zone).isoformat() for moment in (self.start, self.end))
        return {"from": next(local), "until": next(local), "time_zone": self.zone.key}


@cache
def _zones() -> set[str]:
    """Looked up on disk, some hundred files."""
    return available_timezones()


def zone_of(name: str) -> ZoneInfo:
    if name not in _zones():
        raise ValidationError(f"{name!r} is no time zone. Write a name such as Europe/Berlin, Asia/Tokyo or UTC.")
    return ZoneInfo(name)


def start_of(text: str, zone: ZoneInfo, today: date) -> datetime:
    """Of what is named; without a name the start of this month."""
    if not text:
        return _midnight(today.replace(day=1), zone)
    first = _first_day(text)
    return _midnight(first, zone) if first else _moment(text, zone)


def end_of(text: str, zone: ZoneInfo, today: date) -> datetime:
    """The day or month that is named belongs to the period; without a name today does."""
    if not text:
        return _midnight(today + DAY, zone)
    first = _first_day(text)
    if first is None:
        return _moment(text, zone)
    return _midnight((first + timedelta(days=32)).replace(day=1) if _MONTH.fullmatch(text) else first + DAY, zone)


def span_of(start: datetime, end: datetime, zone: ZoneInfo) -> Span:
    if end <= start:
        raise ValidationError("The period ends before it begins.")
    return Span(start, end, zone)


def is_quarter(moment: datetime) -> bool:
    """Whether sums, which are kept by quarters of an hour, can be cut there."""
    return moment.microsecond == 0 and int(moment.timestamp()) % QUARTER_S == 0


def _first_day(text: str) -> date | None:
    if not (_MONTH.fullmatch(text) or _DAY.fullmatch(text)):
        return None
    try:
        found = date.fromisoformat(text if _DAY.fullmatch(text) else f"{text}-01")
    except ValueError:
        raise ValidationError(f"There is no {text}. {_HOW}") from None
    return _in_range(found)


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """A + of an offset comes as a blank where nobody wrote it as %2B."""
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise ValidationError(f"{text!r} is no day, month or moment. {_HOW}") from None
    _in_range(found)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _in_range(found: date) -> date:
    if found.year not in YEARS:
        raise ValidationError(f"Only the years {YEARS.start} to {YEARS.stop - 1} can be asked for.")
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
