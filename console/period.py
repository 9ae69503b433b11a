"""The span of time a page looks at: named in the URL, cut at midnight of the page's time zone."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

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


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to but without `end`; `earlier` is the span of the same length to compare with."""

    key: str
    start: datetime
    end: datetime
    earlier: tuple[datetime, datetime]

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


def period(key: str, now: datetime, zone: tzinfo) -> Period:
    """The period of that name as it lies at `now`; an unknown name is this month."""
    local = now.astimezone(zone)
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
