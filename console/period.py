"""The span of time a page looks at: named in the URL, cut at midnight of the page's time zone.

Beside the names: 2026-11 (a month), 2026-11-20 (a day), 2026-11-03..2026-11-20 (days, both included), 2026-11-20T13 (an hour).
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

NAMES: dict[str, Promise] = {
    "today": _("today"),
    "7d": _("last 7 days"),
    "30d": _("last 30 days"),
    "90d": _("last 90 days"),
    "month": _("this month"),
    "last-month": _("last month"),
}
_DAYS = {"today": 1, "7d": 7, "30d": 30, "90d": 90}
_WRITTEN = re.compile(r"(?a:(\d{4})-(\d\d)(?:-(\d\d)(?:T(\d\d)|\.\.(\d{4})-(\d\d)-(\d\d))?)?)")
_EARLIEST = 2000
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to but without `end`; `earlier` is the span of the same length to compare with."""

    key: str
    start: datetime
    end: datetime
    earlier: tuple[datetime, datetime]

    @property
    def is_named(self) -> bool:
        return self.key in NAMES

    @property
    def length(self) -> timedelta:
        return self.end.astimezone(UTC) - self.start.astimezone(UTC)

    @property
    def hours(self) -> list[datetime]:
        """As clocks show them in the page's time zone; an hour that they show twice is one, and one that they show a part of is there."""
        first, zone = self.start.astimezone(UTC), self.start.tzinfo
        step = HOUR if self.start.utcoffset() == self.end.utcoffset() else QUARTER
        shown = ((first + step * at).astimezone(zone).replace(minute=0) for at in range(-(-self.length // step)))
        return list(dict.fromkeys(shown))

    @property
    def days(self) -> list[date]:
        last = (self.end - timedelta(microseconds=1)).date()
        return [self.start.date() + timedelta(days=i) for i in range((last - self.start.date()).days + 1)]

    @property
    def earlier_days(self) -> tuple[date, date]:
        start, end = self.earlier
        return start.date(), (end - timedelta(microseconds=1)).date()

    @property
    def first_day(self) -> date:
        return self.start.date()

    @property
    def last_day(self) -> date:
        return self.days[-1]


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)


def _month_before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def is_period(key: str) -> bool:
    return key in NAMES or _written(key, UTC) is not None


def between(first: str, last: str) -> str:
    """The key of the days that a form names, or nothing when they are not two days in their order."""
    key = f"{first}..{last}" if first and last else first or last
    return key if "-" in key and is_period(key) else ""


def period(key: str, now: datetime, zone: tzinfo) -> Period:
    """The period of that name as it lies at `now`; an unknown name is this month."""
    local = now.astimezone(zone)
    if written := _written(key, zone):
        return _past(key, *written, local)
    first = local.date().replace(day=1)
    start = _midnight(first, zone)
    before = _midnight(_month_before(first), zone)
    if key in _DAYS:
        start = _midnight(local.date() - timedelta(days=_DAYS[key] - 1), zone)
        shift = timedelta(days=_DAYS[key])
        return Period(key, start, local, (start - shift, local - shift))
    if key == "last-month":
        return Period(key, before, start, (_midnight(_month_before(before.date()), zone), before))
    return Period("month", start, local, (before, min(before + (local - start), start)))


def _written(key: str, zone: tzinfo) -> tuple[datetime, datetime] | None:
    """Where a written period starts and ends; None if there is no such time, or it is longer than a page can show."""
    found = _WRITTEN.fullmatch(key)
    if not found or int(found[1]) < _EARLIEST:
        return None
    year, month, day, hour, *last = (int(part) if part else 0 for part in found.groups())
    try:
        first = _midnight(date(year, month, day or 1), zone)
        if found[4]:
            begins = first.replace(hour=hour)
            return begins, (begins.astimezone(UTC) + HOUR).astimezone(zone)
        end = date(*last) if found[5] else first.date()
        end = end + timedelta(days=1) if day else (first.date() + timedelta(days=31)).replace(day=1)
        ends = _midnight(end, zone)
    except (ValueError, OverflowError):
        return None
    return (first, ends) if timedelta() < ends - first <= LONGEST else None


def _past(key: str, start: datetime, end: datetime, now: datetime) -> Period:
    """What has passed of it, against as much time before it; of a month, against the month before."""
    reached = max(start + timedelta(microseconds=1), min(end, now))
    before = _midnight(_month_before(start.date()), now.tzinfo or UTC) if key.count("-") == 1 else start - (end - start)
    return Period(key, start, reached, (before, min(before + (reached - start), start)))
