"""Which roll-ups a span is read from: days of the gateway's time zone as far as they fill it, quarters of an hour for the rest.

Where no days are kept of that zone, or of an hour or of another zone's days is asked, quarters alone answer.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.db.models.functions import TruncDate, TruncHour
from django.utils import timezone

from audit.models import DayRollUp, DayTagRollUp, DayZone, RollUp, TagRollUp
from audit.rollup_days import starts

Span = tuple[datetime, datetime]
DAY = timedelta(days=1)
# Between asking what time it is and reading what was called so far.
MOMENT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Days:
    """From `first` up to but without `end`, as the clocks of `zone` cut them."""

    zone: str
    first: date
    end: date


def kept_zones() -> list[str]:
    """Whose days are whole."""
    return list(DayZone.objects.filter(is_whole=True).order_by("zone").values_list("zone", flat=True))


def cut(span: Span, zone: tzinfo, by: Collection[str], zones: Sequence[str]) -> tuple[Days | None, list[Span]]:
    """The days to read, those of the zone itself if they are kept, and what of the span lies beside them."""
    kept = str(zone) if str(zone) in zones else next(iter(zones), None)
    if "hour" in by or kept is None or ("day" in by and kept != str(zone)):
        return None, [span]
    start, end = (moment.astimezone(UTC) for moment in span)
    days = whole_days(start, end, ZoneInfo(kept))
    if days.first >= days.end:
        return None, [span]
    first, last = (starts(day, ZoneInfo(kept)) for day in (days.first, days.end))
    return days, [one for one in ((start, first), (last, end)) if one[0] < one[1]]


def days_alone(span: Span, zone: tzinfo) -> Days | None:
    """The days of that zone where they fill the span: by week and month, too, they are enough."""
    days, beside = cut(span, zone, ("day",), kept_zones())
    return None if beside else days


def whole_days(start: datetime, end: datetime, zone: ZoneInfo) -> Days:
    """Today is whole where the span ends now: there is nothing behind it."""
    now = timezone.now()
    first, last = (moment.astimezone(zone).date() for moment in (start, end))
    is_now = last == now.astimezone(zone).date() and end >= now - MOMENT
    return Days(zone.key, first if start <= starts(first, zone) else first + DAY, last + DAY if is_now else last)


def day_rows(days: Days, model: type[DayRollUp] | type[DayTagRollUp] = DayRollUp) -> QuerySet[Any]:
    return model.objects.filter(zone=days.zone, day__gte=days.first, day__lt=days.end)


def quarter_rows(model: type[RollUp] | type[TagRollUp], spans: Iterable[Span], zone: tzinfo) -> QuerySet[Any]:
    within = Q(*(Q(starts_at__gte=start, starts_at__lt=end) for start, end in spans), _connector=Q.OR)
    times = {"day": TruncDate("starts_at", tzinfo=zone), "hour": TruncHour("starts_at", tzinfo=zone)}
    return model.objects.filter(within).annotate(**times)
