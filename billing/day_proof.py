"""Proves days against the quarters of an hour that they are made of, each kind in one statement. Part of `prove()`."""

from collections.abc import Iterator, Mapping
from datetime import date

from django.db import connection, models

from audit.models import DayRollUp, DayTagRollUp, DayZone, RollUp, TagRollUp
from audit.rollup_days import ADDED, ANSWERED
from audit.rollups import TAG_SUMS

# The day of a time zone that a roll-up lies in, as `day` is stored; on SQLite by a function of Django's.
DAY = {"sqlite": "django_datetime_cast_date(starts_at, %s, 'UTC')", "postgresql": "(starts_at AT TIME ZONE %s)::date"}

# What days add up: how their quarters tell it.
SUMMED = {"failed_calls": f"CASE WHEN status_class = '{ANSWERED}' THEN 0 ELSE calls END"} | {name: name for name in ADDED}
KEPT = ((DayRollUp, RollUp, SUMMED), (DayTagRollUp, TagRollUp, {name: name for name in TAG_SUMS}))


def prove_days() -> list[str]:
    """A day that has no roll-up, and one that says something else than its quarters do; told as one sentence for each zone."""
    zones = DayZone.objects.filter(is_whole=True).values_list("zone", flat=True)
    found = ((zone, sorted({day for kind in KEPT for day in _differences(zone, *kind)})) for zone in zones)
    return [
        f"Roll-ups of {len(days)} days in {zone}, {days[0]} to {days[-1]}, are not the sums of their quarters of an hour: "
        "`tallygate money rebuild-rollups --days` makes them anew."
        for zone, days in found
        if days
    ]


def _differences(zone: str, days: type[models.Model], quarters: type[models.Model], summed: Mapping[str, str]) -> Iterator[date]:
    with connection.cursor() as cursor:
        cursor.execute(_statement(days, quarters, summed), [zone, zone])
        for (day,) in cursor.fetchall():
            yield date.fromisoformat(day) if isinstance(day, str) else day


def _statement(days: type[models.Model], quarters: type[models.Model], summed: Mapping[str, str]) -> str:
    kept, made_of = (connection.ops.quote_name(model._meta.db_table) for model in (days, quarters))
    names, told = ", ".join(summed), ", ".join(f"-({each})" for each in summed.values())
    differ = " OR ".join(f"SUM({name}) <> 0" for name in summed)
    return (
        f"SELECT day FROM (SELECT day, {names} FROM {kept} WHERE zone = %s UNION ALL "  # noqa: S608 - names of our models
        f"SELECT {DAY[connection.vendor]}, {told} FROM {made_of}) AS both_sides GROUP BY day HAVING {differ}"
    )
