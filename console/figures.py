"""The sums our pages show, grouped by the database. Money is the ledger's; calls and tokens are the request records'."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Any

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate

from audit.models import RequestRecord
from audit.querysets import RequestQuerySet
from billing.models import LedgerEntry
from console.period import Period

SERIES = 6
ROWS = 30


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
    """One model (the public name people call), what answered for it, and its colour: 1 to 6, 0 beyond."""

    name: str
    usage: Usage = field(default_factory=Usage)
    served: set[str] = field(default_factory=set)
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


def _ledger(start: datetime, end: datetime) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(at__gte=start, at__lt=end).order_by()


def _usage(row: dict[str, Any]) -> Usage:
    kinds = ("calls", "unpriced", "fresh", "cache_read", "cache_write", "output")
    return Usage(**{kind: int(row[kind] or 0) for kind in kinds})


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


def _costs(period: Period, zone: tzinfo) -> list[dict[str, Any]]:
    entries = _ledger(period.start, period.end).annotate(day=TruncDate("at", tzinfo=zone))
    return [dict(row) for row in entries.values("day", "route", "model").annotate(nano=Sum("amount_nano"))]


def _ranked(costs: list[dict[str, Any]], usage: Iterable[dict[str, Any]]) -> list[ModelRow]:
    rows: dict[str, ModelRow] = {}
    for used in usage:
        rows[used["route"]] = ModelRow(used["route"], _usage(used))
    for cost in costs:
        row = rows.setdefault(cost["route"], ModelRow(cost["route"]))
        row.usage.cost_nano += int(cost["nano"])
        row.served.add(cost["model"])
    ranked = sorted(rows.values(), key=lambda row: (-row.usage.cost_nano, -row.usage.calls, row.name))
    for place, row in enumerate(ranked[:SERIES], start=1):
        row.colour = place if row.usage.cost_nano else 0
    return ranked


def _days(period: Period, costs: list[dict[str, Any]], usage: dict[date, Usage], series: list[str]) -> list[Day]:
    by_day: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cost in costs:
        by_day[cost["day"]][cost["route"]] += int(cost["nano"])
    days = []
    for day in period.days:
        total = usage.get(day, Usage())
        total.cost_nano = sum(by_day[day].values())
        shown = [by_day[day].get(name, 0) for name in series]
        days.append(Day(day, shown, total.cost_nano - sum(shown), total))
    return days


def _sum(usages: Iterable[Usage]) -> Usage:
    total = Usage()
    for usage in usages:
        total.add(usage)
    return total


def spend(period: Period, zone: tzinfo) -> Spend:
    """Everything the Spend page says about a period, in five queries."""
    calls = records().received_between(period.start, period.end).without_token_counts()
    costs = _costs(period, zone)
    rows = _ranked(costs, calls.usage_by("route"))
    by_day = calls.annotate(day=TruncDate("received_at", tzinfo=zone)).usage_by("day")
    series = [row.name for row in rows if row.colour]
    rest = rows[ROWS:]
    return Spend(
        period=period,
        total=_sum(row.usage for row in rows),
        models=rows[:ROWS],
        rest=ModelRow("", _sum(row.usage for row in rest)) if rest else None,
        rest_count=len(rest),
        days=_days(period, costs, {row["day"]: _usage(row) for row in by_day}, series),
        earlier_nano=int(_ledger(*period.earlier).aggregate(nano=Sum("amount_nano"))["nano"] or 0),
        earlier_calls=records().received_between(*period.earlier).without_token_counts().count(),
    )
