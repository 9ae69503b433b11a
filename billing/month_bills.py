"""What months come to, line by line: the roll-ups' sums where a month is open, its snapshot where it is frozen.

What the ledger gains or loses in a month after it was frozen is charged in the first later month that is open, as an adjustment; when that
is frozen the adjustment is frozen with it. So over all months nothing is charged twice and nothing is lost: the sums are the ledger's.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

from django.db.models import DateField, QuerySet, Sum
from django.db.models.functions import TruncMonth

from audit.models import RollUp
from audit.rolled import day_rows, days_alone
from billing.models import FrozenLine, FrozenMonth
from billing.months import Month, months_between

# Whom a line is charged to; columns of roll-ups and of frozen lines alike.
LINE = ("organisation_id", "cost_centre", "team_id", "user_id", "key_id")
# Which rows somebody may see and asked for.
Narrow = Callable[[QuerySet[Any]], QuerySet[Any]]


@dataclass(frozen=True, slots=True)
class Amounts:
    cost_nano: int = 0
    calls: int = 0
    unpriced_calls: int = 0
    estimated_calls: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(getattr(self, name) + getattr(other, name) for name in SUMS))

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(getattr(self, name) - getattr(other, name) for name in SUMS))

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in SUMS)


SUMS = tuple(one.name for one in fields(Amounts))
# By what was grouped by.
Lines = dict[tuple[str, ...], Amounts]


@dataclass(slots=True)
class Bill:
    """Of one month. `adjustments` are by the earlier month that they are of; `since` is what a frozen month would come to more by now."""

    month: Month
    frozen: FrozenMonth | None = None
    own: Lines = field(default_factory=dict)
    adjustments: dict[str, Lines] = field(default_factory=dict)
    since: Lines = field(default_factory=dict)

    @property
    def total(self) -> Amounts:
        return added([self.own, *self.adjustments.values()])

    @property
    def adjusted(self) -> Amounts:
        return added(self.adjustments.values())

    @property
    def differs_by(self) -> Amounts:
        return added([self.since])


def added(groups: Iterable[Lines]) -> Amounts:
    return sum((amounts for lines in groups for amounts in lines.values()), start=Amounts())


def everything(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows


def bills(first: Month, last: Month, by: Sequence[str], narrow: Narrow = everything) -> list[Bill]:
    """Of the months from `first` to `last`, lines grouped by some of LINE. Three queries, however many months."""
    frozen = {one.month: one for one in FrozenMonth.objects.filter(time_zone=first.zone.key)}
    earliest = first
    while earliest.before.key in frozen:
        earliest = earliest.before
    books = _Books(frozen, _live(earliest, last, by, narrow), _kept(frozen.values(), by, narrow))
    return [books.bill(month) for month in months_between(first, last)]


def summed(start: datetime, end: datetime, by: Sequence[str], narrow: Narrow) -> Lines:
    """Of any span, as the roll-ups have it."""
    rows = narrow(RollUp.objects.filter(starts_at__gte=start, starts_at__lt=end)).order_by()
    found = rows.values_list(*by).annotate(*(Sum(name) for name in SUMS))
    return {row[: len(by)]: Amounts(*map(int, row[len(by) :])) for row in found}


@dataclass(frozen=True, slots=True)
class _Books:
    """All that bills are made of: `kept` is by the frozen month and the month that its lines adjust, empty for its own."""

    frozen: dict[str, FrozenMonth]
    live: dict[str, Lines]
    kept: dict[tuple[str, str], Lines]

    def bill(self, month: Month) -> Bill:
        snapshot = self.frozen.get(month.key)
        if snapshot is None:
            return Bill(month, own=self.live.get(month.key, {}), adjustments=self._to_carry(month))
        own = self.kept.get((month.key, ""), {})
        adjustments = {of: lines for (key, of), lines in self.kept.items() if key == month.key and of}
        return Bill(month, snapshot, own, adjustments, since=less(self.live.get(month.key, {}), own))

    def _to_carry(self, month: Month) -> dict[str, Lines]:
        """With an open month: what the frozen ones right before it have become since, less what other frozen ones have charged of it."""
        carried: dict[str, Lines] = {}
        while (month := month.before).key in self.frozen:
            charged = (lines for (key, of), lines in self.kept.items() if of == month.key or (key == month.key and not of))
            if lines := less(self.live.get(month.key, {}), *charged):
                carried[month.key] = lines
        return dict(sorted(carried.items()))


def less(lines: Lines, *others: Lines) -> Lines:
    """Only where something is left."""
    found = dict(lines)
    for other in others:
        for line, amounts in other.items():
            found[line] = found.get(line, Amounts()) - amounts
    return {line: amounts for line, amounts in found.items() if amounts}


def _live(first: Month, last: Month, by: Sequence[str], narrow: Narrow) -> dict[str, Lines]:
    days = days_alone((first.start, last.end), first.zone)
    rows: QuerySet[Any] = day_rows(days) if days else RollUp.objects.filter(starts_at__gte=first.start, starts_at__lt=last.end)
    cut = TruncMonth("day", output_field=DateField()) if days else TruncMonth("starts_at", tzinfo=first.zone, output_field=DateField())
    found = narrow(rows).order_by().annotate(cut=cut).values_list("cut", *by).annotate(*(Sum(name) for name in SUMS))
    live: dict[str, Lines] = {}
    for day, *row in found:
        live.setdefault(_key(day), {})[tuple(row[: len(by)])] = Amounts(*map(int, row[len(by) :]))
    return live


def _key(day: date) -> str:
    return f"{day:%Y-%m}"


def _kept(frozen: Iterable[FrozenMonth], by: Sequence[str], narrow: Narrow) -> dict[tuple[str, str], Lines]:
    months = {one.pk: one.month for one in frozen}
    if not months:
        return {}
    rows = narrow(FrozenLine.objects.filter(frozen_id__in=months)).order_by()
    found = rows.values_list("frozen_id", "adjusts", *by).annotate(*(Sum(name) for name in SUMS))
    kept: dict[tuple[str, str], Lines] = {}
    for frozen_id, of, *row in found:
        kept.setdefault((months[frozen_id], of), {})[tuple(row[: len(by)])] = Amounts(*map(int, row[len(by) :]))
    return kept
