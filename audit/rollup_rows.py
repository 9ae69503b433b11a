"""Roll-ups ↔ database: sums are added to what their rows hold, or take its place. Always inside the caller's transaction.

Who writes several tables writes RollUp first, then days, then tags, then days of tags; rows in the order of their keys: drainers of
several processes lock in one order. Which zones have days is asked behind RollUp's lock: a new zone misses nothing (day_rebuild.py).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from operator import attrgetter

import msgspec
from django.db import connection, models

from audit.batch_sql import ROWS_PER_INSERT, insert_into, moments
from audit.models import DayRollUp, DayTagRollUp, DayZone, RollUp, TagRollUp
from audit.rollup_days import DAY_KIND, DAY_SUMS, DAY_TAG_KIND, DayKind, DaySums, by_day, tags_by_day
from audit.rollups import BOUNDS_MS, HOUR_S, KIND, OTHER_TAG, TAG_KIND, TAG_SUMS, RollUps, Sums, TagKind, TagSums, named_tags

SUMS = tuple(name for name in Sums.__slots__ if name not in {"waits", "first_waits"})
WAITS = ("waits", "first_waits")
KINDS: dict[type[models.Model], tuple[str, ...]] = {RollUp: KIND, DayRollUp: DAY_KIND, TagRollUp: TAG_KIND, DayTagRollUp: DAY_TAG_KIND}
# Of PostgreSQL's advisory locks the one under which an hour gets new tags, so that two processes do not both take the last place.
TAG_LOCK = 1_952_540_519

Row = tuple[str | int, ...]

_sums = attrgetter(*SUMS)
_tag_sums = attrgetter(*TAG_SUMS)
_encode = msgspec.json.Encoder().encode


def add_rows(rollups: RollUps) -> None:
    if not rollups.by_kind:  # then none is tagged, either
        return
    _write(RollUp, (*KIND, *SUMS, *WAITS), _rows(rollups))
    zones = list(DayZone.objects.order_by("zone").values_list("zone", flat=True))
    for zone in zones:
        add_days(by_day(rollups.by_kind, zone))
    if not rollups.tagged:
        return
    by_tag = rollups.by_tag(_named(rollups.tags_by_hour()))
    _write(TagRollUp, (*TAG_KIND, *TAG_SUMS), _tag_rows(by_tag))
    for zone in zones:
        add_tag_days(tags_by_day(by_tag, zone))


def add_days(days: Mapping[DayKind, DaySums]) -> None:
    _write(DayRollUp, (*DAY_KIND, *DAY_SUMS), _day_rows(days))


def add_tag_days(days: Mapping[DayKind, DaySums]) -> None:
    _write(DayTagRollUp, (*DAY_TAG_KIND, *TAG_SUMS), _day_rows(days))


def lock_rows() -> None:
    """Nobody else adds until the transaction ends: what is counted anew must not grow meanwhile. On SQLite a transaction is that lock."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {connection.ops.quote_name(RollUp._meta.db_table)} IN SHARE ROW EXCLUSIVE MODE")


def replace_rows(quarter: int, rollups: RollUps) -> None:
    """Puts the sums in the place of the quarter's rows. The hour's tags keep their names; days are made anew by themselves."""
    named = _named(rollups.tags_by_hour())
    starts_at = datetime.fromtimestamp(quarter, UTC)
    RollUp.objects.filter(starts_at=starts_at).delete()
    TagRollUp.objects.filter(starts_at=starts_at).delete()
    if rollups.by_kind:
        _write(RollUp, (*KIND, *SUMS, *WAITS), _rows(rollups))
    if rollups.tagged:
        _write(TagRollUp, (*TAG_KIND, *TAG_SUMS), _tag_rows(rollups.by_tag(named)))


def _rows(rollups: RollUps) -> list[Row]:
    moment = moments()
    return [
        (moment(kind[0]), *kind[1:], *_sums(sums), _encode(sums.waits).decode(), _encode(sums.first_waits).decode())
        for kind, sums in sorted(rollups.by_kind.items(), key=lambda item: item[0])
    ]


def _tag_rows(by_tag: Mapping[TagKind, TagSums]) -> list[Row]:
    moment = moments()
    return [(moment(kind[0]), *kind[1:], *_tag_sums(sums)) for kind, sums in sorted(by_tag.items(), key=lambda item: item[0])]


def _day_rows(days: Mapping[DayKind, DaySums]) -> list[Row]:
    return [(*kind, *sums) for kind, sums in sorted(days.items(), key=lambda item: item[0])]


def _write(model: type[models.Model], columns: tuple[str, ...], rows: Sequence[Row]) -> None:
    """PostgreSQL plans each statement anew, which is more work than the rows are; SQLite plans one for one row, once for all batches."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(_adding(model, columns, 1), rows)
            return
        for start in range(0, len(rows), ROWS_PER_INSERT):
            part = rows[start : start + ROWS_PER_INSERT]
            cursor.execute(_adding(model, columns, len(part)), list(chain.from_iterable(part)))


@cache
def _adding(model: type[models.Model], columns: tuple[str, ...], rows: int) -> str:
    """An INSERT that adds to the rows that are there."""
    table = connection.ops.quote_name(model._meta.db_table)
    kind = KINDS[model]
    changes = [
        f"{name} = {_added_lists(table, name)}" if name in WAITS else f"{name} = {table}.{name} + excluded.{name}"
        for name in columns[len(kind) :]
    ]
    return insert_into(model, columns, rows) + f"ON CONFLICT ({', '.join(kind)}) DO UPDATE SET {', '.join(changes)}"


def _added_lists(table: str, name: str) -> str:
    """Two JSON lists of numbers, added place by place."""
    both = [(f"{table}.{name}", f"excluded.{name}", place) for place in range(len(BOUNDS_MS) + 1)]
    if connection.vendor == "sqlite":
        sums = (f"json_extract({old}, '$[{at}]') + json_extract({new}, '$[{at}]')" for old, new, at in both)
        return f"json_array({', '.join(sums)})"
    return f"jsonb_build_array({', '.join(f'({old} ->> {at})::bigint + ({new} ->> {at})::bigint' for old, new, at in both)})"


def _named(coming: Mapping[int, Sequence[str]]) -> dict[int, frozenset[str]]:
    """The tags that keep their names in each hour, at most TAGS_PER_HOUR of them in all processes together."""
    known = {hour: _tags_of(hour) for hour in coming}
    is_new = any(tag not in known[hour] and tag != OTHER_TAG for hour, tags in coming.items() for tag in tags)
    if is_new and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TAG_LOCK])
        known = {hour: _tags_of(hour) for hour in coming}
    return {hour: named_tags(known[hour], tags) for hour, tags in coming.items()}


def _tags_of(hour: int) -> set[str]:
    start = datetime.fromtimestamp(hour, UTC)
    found = TagRollUp.objects.filter(starts_at__gte=start, starts_at__lt=start + timedelta(seconds=HOUR_S)).order_by()
    return set(found.values_list("tag", flat=True).distinct())
