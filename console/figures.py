"""The sums our pages show, out of the roll-ups: money is the ledger's, calls and tokens are the request records'."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate

from audit.models import RequestRecord, RollUp
from audit.querysets import RequestQuerySet
from console.period import Period
from routing.models import RouteTarget

SERIES = 6
ROWS = 30
# What the roll-ups sum up, in the order of Usage's fields.
COLUMNS = ("cost_nano", "calls", "unpriced_calls", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")


@dataclass(slots=True)
class Usage:
    """What a group of calls used and cost."""

    cost_nano: int = 0
    calls: int = 0
    unpriced: int = 0
    fresh: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0

    @property
    def sent(self) -> int:
        return self.fresh + self.cache_read + self.cache_write

    @property
    def tokens(self) -> int:
        return self.sent + self.output

    @property
    def per_thousand_nano(self) -> int:
        return self.cost_nano * 1000 // self.calls if self.calls else 0

    def add(self, other: "Usage") -> None:
        for name in Usage.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class ModelRow:
    """One model (the public name people call), the models that answer for it, and its colour: 1 to 6, 0 beyond."""

    name: str
    usage: Usage = field(default_factory=Usage)
    served: list[str] = field(default_factory=list)
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    series_nano: list[int]
    other_nano: int
    usage: Usage

    @property
    def total_nano(self) -> int:
        return self.usage.cost_nano


@dataclass(frozen=True, slots=True)
class Spend:
    period: Period
    total: Usage
    models: list[ModelRow]
    rest: ModelRow | None
    rest_count: int
    days: list[Day]
    earlier_nano: int
    earlier_calls: int

    @property
    def series(self) -> list[ModelRow]:
        return [row for row in self.models if row.colour]

    @property
    def other_count(self) -> int:
        """How many models with costs share the last colour."""
        return len([row for row in self.models if not row.colour and row.usage.cost_nano]) + self.rest_count

    @property
    def today(self) -> Usage:
        return self.days[-1].usage

    @property
    def unpriced_models(self) -> list[str]:
        return [row.name for row in self.models if row.usage.unpriced]


def records() -> RequestQuerySet:
    return RequestQuerySet(RequestRecord)


def newest(found: RequestQuerySet) -> RequestQuerySet:
    """For lists: newest first, without the columns that only the request's own page shows."""
    return found.order_by("-received_at", "-id").defer("price_lines", "tools", "tags", "error_message")


def usage_of(record: RequestRecord) -> Usage:
    return Usage(
        cost_nano=record.cost_nano or 0,
        calls=1,
        unpriced=int(record.is_unpriced),
        fresh=record.input_tokens,
        cache_read=record.cache_read_tokens,
        cache_write=record.cache_write_5m_tokens + record.cache_write_1h_tokens,
        output=record.output_tokens,
    )


def _rolled(start: datetime, end: datetime) -> QuerySet[RollUp]:
    """A span is cut on quarters of an hour, as midnight is in every time zone; the quarter that `end` lies in counts."""
    return RollUp.objects.filter(starts_at__gte=start, starts_at__lt=end).order_by()


def _usage_by_day(period: Period, zone: tzinfo) -> list[tuple[date, str, Usage]]:
    """By day and route, in one query."""
    by_day = _rolled(period.start, period.end).annotate(day=TruncDate("starts_at", tzinfo=zone)).values_list("day", "route")
    found = by_day.annotate(*(Sum(column) for column in COLUMNS))
    return [(day, name, Usage(*map(int, sums))) for day, name, *sums in found]


def _ranked(found: Iterable[tuple[date, str, Usage]]) -> list[ModelRow]:
    rows: dict[str, ModelRow] = {}
    for _, name, usage in found:
        rows.setdefault(name, ModelRow(name)).usage.add(usage)
    ranked = sorted(rows.values(), key=lambda row: (-row.usage.cost_nano, -row.usage.calls, row.name))
    for place, row in enumerate(ranked[:SERIES], start=1):
        row.colour = place if row.usage.cost_nano else 0
    return ranked


def _name_served(rows: list[ModelRow]) -> None:
    by_name = {row.name: row for row in rows}
    targets = RouteTarget.objects.filter(route__name__in=by_name).order_by("order", "-weight")
    for name, model in targets.values_list("route__name", "deployment__model"):
        if model not in by_name[name].served:
            by_name[name].served.append(model)


def _days(period: Period, found: Iterable[tuple[date, str, Usage]], series: list[str]) -> list[Day]:
    by_day: dict[date, dict[str, Usage]] = defaultdict(dict)
    for day, name, usage in found:
        by_day[day][name] = usage
    days = []
    for day in period.days:
        total = _sum(by_day[day].values())
        shown = [by_day[day].get(name, Usage()).cost_nano for name in series]
        days.append(Day(day, shown, total.cost_nano - sum(shown), total))
    return days


def _sum(usages: Iterable[Usage]) -> Usage:
    total = Usage()
    for usage in usages:
        total.add(usage)
    return total


def spend(period: Period, zone: tzinfo) -> Spend:
    """Everything the Spend page says about a period, in three queries."""
    found = _usage_by_day(period, zone)
    rows = _ranked(found)
    shown, rest = rows[:ROWS], rows[ROWS:]
    _name_served(shown)
    earlier = _rolled(*period.earlier).aggregate(nano=Sum("cost_nano", default=0), calls=Sum("calls", default=0))
    return Spend(
        period=period,
        total=_sum(row.usage for row in rows),
        models=shown,
        rest=ModelRow("", _sum(row.usage for row in rest)) if rest else None,
        rest_count=len(rest),
        days=_days(period, found, [row.name for row in rows if row.colour]),
        earlier_nano=int(earlier["nano"]),
        earlier_calls=int(earlier["calls"]),
    )
