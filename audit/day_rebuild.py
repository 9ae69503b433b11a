"""Days made anew out of the quarters of an hour: for a time zone that has none yet, and after quarters were made anew.

One transaction per day, so that calls go on being posted meanwhile: from the first moment on, whoever writes roll-ups writes the zone's
days, too, and what a day says is counted while nobody adds to it.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import models, transaction
from django.db.models import Min, Q, Sum

from audit.models import DayRollUp, DayTagRollUp, DayZone, RollUp, TagRollUp
from audit.rollup_days import ADDED, ANSWERED, TAG_WHO, WHO, DayKind, DaySums, bounds, starts
from audit.rollup_rows import add_days, add_tag_days, lock_rows
from audit.rollups import TAG_SUMS

FIRST = date(1970, 1, 2)
# Quarters of an hour and the days that are made of them.
KEPT: tuple[tuple[type[models.Model], type[models.Model]], ...] = ((RollUp, DayRollUp), (TagRollUp, DayTagRollUp))
FAILED = Sum("calls", filter=~Q(status_class=ANSWERED), default=0)


def rebuild_days(zone: str, start: datetime | None = None, end: datetime | None = None) -> int:
    """The days of the zone that touch [start, end), and all of them if they were not whole. Those of other zones go. Tells how many."""
    is_whole = DayZone.objects.filter(zone=zone, is_whole=True).exists()
    if not is_whole:
        _begin(zone)
    done = 0
    for day in _days(ZoneInfo(zone), start if is_whole else None, end if is_whole else None):
        _rebuild(zone, day)
        done += 1
    _finish(zone)
    return done


@transaction.atomic
def _begin(zone: str) -> None:
    lock_rows()
    DayZone.objects.get_or_create(zone=zone)


@transaction.atomic
def _finish(zone: str) -> None:
    lock_rows()
    DayZone.objects.exclude(zone=zone).delete()
    DayZone.objects.filter(zone=zone).update(is_whole=True)
    for _, days in KEPT:
        days._default_manager.exclude(zone=zone).delete()


@transaction.atomic
def _rebuild(zone: str, day: date) -> None:
    lock_rows()
    for _, days in KEPT:
        days._default_manager.filter(zone=zone, day=day).delete()
    add_days(_summed(RollUp, zone, day, WHO, {"failed": FAILED} | {name: Sum(name) for name in ADDED}))
    add_tag_days(_summed(TagRollUp, zone, day, TAG_WHO, {name: Sum(name) for name in TAG_SUMS}))


def _summed(quarters: type[models.Model], zone: str, day: date, who: tuple[str, ...], sums: dict[str, Sum]) -> dict[DayKind, DaySums]:
    start, end = bounds(day, ZoneInfo(zone))
    rows = quarters._default_manager.filter(starts_at__gte=start, starts_at__lt=end).order_by().values_list(*who)
    found = rows.annotate(**{f"sum_{name}": summed for name, summed in sums.items()})
    return {(zone, day.isoformat(), *row[: len(who)]): tuple(map(int, row[len(who) :])) for row in found}


def _days(zone: ZoneInfo, start: datetime | None, end: datetime | None) -> Iterator[date]:
    """Those with quarters, and those that are there without any: such have to go."""
    day = start.astimezone(zone).date() if start else FIRST
    while (found := _next(zone, day)) is not None and (end is None or starts(found, zone) < end):
        yield found
        day = found + timedelta(days=1)


def _next(zone: ZoneInfo, day: date) -> date | None:
    found = []
    for quarters, days in KEPT:
        rolled = quarters._default_manager.filter(starts_at__gte=starts(day, zone)).aggregate(first=Min("starts_at"))["first"]
        found += [rolled and rolled.astimezone(zone).date()]
        found += [days._default_manager.filter(zone=zone.key, day__gte=day).aggregate(first=Min("day"))["first"]]
    return min((one for one in found if one), default=None)
