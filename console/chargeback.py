"""A month's chargeback as the page shows it: cost centres with their teams, or one centre's teams with their keys, and the month before."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Sum

from billing.models import FrozenLine, FrozenMonth
from billing.month_bills import Amounts, Bill, Lines, added, bills
from billing.months import Month, months_between
from console.chargeback_filter import ChargebackFilter
from console.dimensions import NOTHING, names

NONE = Amounts()
# What the lines are grouped by, as addresses and roll-ups call it, and what the parts of each.
Level = tuple[str, str]
OVERVIEW: tuple[Level, Level] = (("centre", "cost_centre"), ("team", "team_id"))
OF_A_CENTRE: tuple[Level, Level] = (("team", "team_id"), ("key", "key_id"))


@dataclass(slots=True)
class Row:
    """`inside` is the page of what it is made of, `spend` the same in Spend; `value` is empty for what has no cost centre, team or key."""

    value: str
    name: str
    amounts: Amounts
    before: Amounts = NONE
    spend: str = ""
    inside: str = ""
    is_allocated: bool = True
    parts: list["Row"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a difference, and the month that it is charged in."""

    month: Month
    query: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Chargeback:
    """`rows` are the month's own lines, the dearest first and the unallocated last; `since` what came after it was frozen."""

    bill: Bill
    before: Bill
    rows: list[Row]
    adjustments: list[Share]
    since: list[Row]
    charged_in: list[Share]

    @property
    def has_lines(self) -> bool:
        return bool(self.rows or self.adjustments or self.since)

    @property
    def own(self) -> Amounts:
        return added([self.bill.own])

    @property
    def unallocated(self) -> Amounts:
        return self.own - self.allocated

    @property
    def allocated(self) -> Amounts:
        return sum((row.amounts for row in self.rows if row.is_allocated), start=NONE)


@dataclass(frozen=True, slots=True)
class Cell:
    """A month of the year strip; one that has not begun has no sum."""

    month: Month
    query: str
    cost_nano: int | None = None
    is_frozen: bool = False
    is_asked: bool = False


def chargeback(asked: ChargebackFilter) -> Chargeback:
    """In three queries for the sums, and some for names and for what became of a difference."""
    levels = OF_A_CENTRE if asked.centre else OVERVIEW
    before, bill = bills(asked.month.before, asked.month, [column for _, column in levels], asked.narrow)
    return Chargeback(
        bill,
        before,
        _rows(asked, levels, bill.own, before.own, bill.frozen),
        [Share(month, asked.of_month(month), added([lines])) for month, lines in _by_month(bill)],
        _rows(asked, levels, bill.since, {}, None),
        _charged_in(asked, bill) if bill.frozen else [],
    )


def strip(asked: ChargebackFilter, now: datetime) -> list[Cell]:
    """The year of the month that was asked for."""
    first = Month(asked.month.first.replace(month=1), asked.month.zone)
    last = Month(first.first.replace(month=12), first.zone)
    found = {bill.month: bill for bill in bills(first, min(last, Month.at(now, first.zone), key=lambda one: one.first), (), asked.narrow)}
    cells = []
    for month in months_between(first, last):
        bill = found.get(month)
        cost = bill.total.cost_nano if bill else None
        cells.append(Cell(month, asked.of_month(month), cost, bool(bill and bill.frozen), month == asked.month))
    return cells


def _rows(
    asked: ChargebackFilter, levels: tuple[Level, Level], lines: Lines, before: Lines, frozen: FrozenMonth | None
) -> list[Row]:  # fmt: skip
    (outer, _), (inner, _) = levels
    inside: dict[str, Lines] = defaultdict(dict)
    for (value, part), amounts in lines.items():
        inside[value][part,] = amounts
    earlier: dict[str, Amounts] = defaultdict(Amounts)
    for (value, _part), amounts in before.items():
        earlier[value] += amounts
    called = _names(levels, lines, frozen)
    rows = []
    for value, parts in inside.items():
        row = Row(value, called[outer, value], added([parts]), earlier[value], asked.traffic(**{outer: value}, by=inner))
        row.inside = asked.of_centre(value or NOTHING) if outer == "centre" else ""
        row.is_allocated = asked.centre != NOTHING and (bool(value) or outer != "centre")
        row.parts = [
            Row(part, called[inner, part], amounts, before.get((value, part), NONE), asked.traffic(**{outer: value, inner: part}))
            for (part,), amounts in parts.items()
        ]
        row.parts.sort(key=_dearest)
        rows.append(row)
    return sorted(rows, key=_dearest)


def _dearest(row: Row) -> tuple[bool, int, str]:
    return not row.value, -row.amounts.cost_nano, row.name


def _names(levels: tuple[Level, Level], lines: Iterable[tuple[str, ...]], frozen: FrozenMonth | None) -> dict[tuple[str, str], str]:
    listed = list(lines)
    found = ((key, names_then(key, {line[place] for line in listed}, frozen)) for place, (key, _) in enumerate(levels))
    return {(key, value): name for key, called in found for value, name in called.items()}


def names_then(key: str, values: Iterable[str], frozen: FrozenMonth | None) -> dict[str, str]:
    """How people call teams, keys or cost centres; of a frozen month, how they did on that day."""
    called = {str(value): name for value, name in names(key, values).items()}
    if frozen and key != "centre":
        kept = FrozenLine.objects.filter(frozen=frozen).order_by().values_list(f"{key}_id", f"{key}_name").distinct()
        called |= {value: name for value, name in kept if value in called and value and name}
    return called


def _by_month(bill: Bill) -> list[tuple[Month, Lines]]:
    return [(month, lines) for key, lines in bill.adjustments.items() if (month := Month.read(key, bill.month.zone))]


def _charged_in(asked: ChargebackFilter, bill: Bill) -> list[Share]:
    """Where the difference of a frozen month stands: in later frozen ones, and the rest in the first that is open."""
    zone = bill.month.zone
    lines = asked.narrow(FrozenLine.objects.filter(frozen__time_zone=zone.key, adjusts=bill.month.key)).order_by()
    sums = lines.values_list("frozen__month").annotate(*(Sum(name) for name in Amounts.__slots__))
    charged = {key: Amounts(*map(int, found)) for key, *found in sums}
    shares = [Share(month, asked.of_month(month), charged[key]) for key in sorted(charged) if (month := Month.read(key, zone))]
    rest = bill.differs_by - sum(charged.values(), start=NONE)
    if rest:
        frozen = set(FrozenMonth.objects.filter(time_zone=zone.key, starts_at__gt=bill.month.start).values_list("month", flat=True))
        month = bill.month.after
        while month.key in frozen:
            month = month.after
        shares.append(Share(month, asked.of_month(month), rest))
    return shares
