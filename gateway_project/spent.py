"""What was used and spent, summed from the roll-ups by one of the things that people ask about."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Max, Min, QuerySet, Sum
from django.db.models.functions import TruncDate

from audit.models import RollUp
from audit.rollups import QUARTER_S, quarter_of
from billing.money import NANO, money, usd
from billing.scopes import names_of
from gateway_project.tables import Table

DAY = "day"
# What people ask by, and the roll-ups' column for it.
COLUMNS = {"key": "key_id", "team": "team_id", "user": "user_id", "model": "route", "provider": "provider", DAY: DAY}
NAMED = ("key", "team", "user")
HEAD = ("calls", "input", "cache read", "cache write", "output", "unpriced", "cost")


@dataclass(frozen=True, slots=True)
class Sums:
    """Columns of the roll-ups, added up."""

    calls: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    unpriced_calls: int = 0
    cost_nano: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One key, team, day …: `id` is what the roll-ups know it by, `name` what people do; empty where a call had none."""

    id: str
    name: str
    sums: Sums


COUNTED = tuple(field.name for field in fields(Sums))


def spent(by: str, start: datetime, end: datetime) -> list[Row]:
    """Whole quarters of an hour: the ones that `start` and `end` lie in count. Days are UTC's and in order, all else dearest first."""
    found = _summed(by, start, end)
    names = names_of((by, str(one)) for one in found) if by in NAMED else {}
    rows = [Row(str(one), names.get((by, str(one)), "") if by in NAMED else str(one), sums) for one, sums in found.items()]
    if by == DAY:
        return sorted(rows, key=lambda row: row.id)
    return sorted(rows, key=lambda row: (-row.sums.cost_nano, -row.sums.calls, row.name, row.id))


def _summed(by: str, start: datetime, end: datetime) -> dict[str | date, Sums]:
    rolled: QuerySet[Any, Any] = RollUp.objects.filter(starts_at__gte=_quarter(start), starts_at__lt=end).order_by()
    if by == DAY:
        rolled = rolled.annotate(day=TruncDate("starts_at", tzinfo=UTC))
    # the sums must not be named as the columns are, or they could not be made of them
    sums = {f"sum_{name}": Sum(name) for name in COUNTED}
    return {row[0]: Sums(*map(int, row[1:])) for row in rolled.values_list(COLUMNS[by]).annotate(**sums)}


def _quarter(moment: datetime) -> datetime:
    return datetime.fromtimestamp(quarter_of(moment.timestamp()), UTC)


def total(rows: Iterable[Row]) -> Sums:
    found = [row.sums for row in rows]
    return Sums(*(sum(getattr(one, name) for one in found) for name in COUNTED))


def span() -> tuple[datetime, datetime] | None:
    """From the first to behind the last quarter of an hour in which something was called."""
    found = RollUp.objects.aggregate(first=Min("starts_at"), last=Max("starts_at"))
    return (found["first"], found["last"] + timedelta(seconds=QUARTER_S)) if found["first"] else None


def as_json(sums: Sums) -> dict[str, Any]:
    """The cost is US dollars as text, to the last digit."""
    found = asdict(sums)
    cost = found.pop("cost_nano")
    return {**found, "cost_usd": f"{usd(cost):f}"}


def spend_table(by: str, rows: list[Row]) -> Table:
    """It ends with the total. Costs have as many decimals as the finest of them needs: nothing is rounded."""
    whole = total(rows)
    places = next(places for places in range(2, 10) if all(row.sums.cost_nano % (NANO // 10**places) == 0 for row in rows))
    texts = [(_title(by, row), *_texts(row.sums, places)) for row in rows]
    return Table((by, *HEAD), [*texts, ("total", *_texts(whole, places))], HEAD)


def _title(by: str, row: Row) -> str:
    return row.name or (f"(deleted) {row.id[:12]}" if row.id else f"(no {by})")


def _texts(sums: Sums, places: int) -> tuple[str, ...]:
    *counts, cost = (getattr(sums, name) for name in COUNTED)
    return (*(f"{count:,}" for count in counts), money(cost, places))
