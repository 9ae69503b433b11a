"""The sums our pages show, out of the roll-ups: money is the ledger's, calls and tokens are the request records'."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncHour

from audit.models import RequestRecord, RollUp, TagRollUp
from audit.querysets import RequestQuerySet

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


def records(seen: Q) -> RequestQuerySet:
    """`seen` is what the visitor may see: console.access.traffic."""
    return RequestQuerySet(RequestRecord).filter(seen)


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


def add_up(usages: Iterable[Usage]) -> Usage:
    total = Usage()
    for usage in usages:
        total.add(usage)
    return total


# What sums were grouped by, in the order asked, and the sums. Days are dates, hours are times in the page's time zone.
Group = tuple[tuple[Any, ...], Usage]
Span = tuple[datetime, datetime]
# Of a tag all that was sent is one number.
TAG_COLUMNS = {"cost_nano": "cost_nano", "calls": "calls", "input_tokens": "fresh", "output_tokens": "output"}
COLUMNS_OF_USAGE = dict(zip(COLUMNS, Usage.__slots__, strict=True))


@dataclass(frozen=True, slots=True)
class Source:
    """The roll-ups that answer: those that the visitor may see, narrowed by what they asked for. No page sums records."""

    where: Q
    zone: tzinfo
    of_tags: bool = False

    def sums(self, span: Span, *by: str, only: Q | None = None) -> list[Group]:
        """One query. A span is cut on quarters of an hour, as midnight is in every time zone; the quarter that its end lies in counts."""
        columns = TAG_COLUMNS if self.of_tags else COLUMNS_OF_USAGE
        found = self._rows(span, only).values_list(*by).annotate(*(Sum(column) for column in columns))
        names, cut = list(columns.values()), len(by)
        return [(row[:cut], Usage(**dict(zip(names, map(int, row[cut:]), strict=True)))) for row in found]

    def _rows(self, span: Span, only: Q | None) -> QuerySet[Any]:
        start, end = span
        times = {"day": TruncDate("starts_at", tzinfo=self.zone), "hour": TruncHour("starts_at", tzinfo=self.zone)}
        model = TagRollUp if self.of_tags else RollUp
        rows: QuerySet[Any] = model.objects.filter(self.where, starts_at__gte=start, starts_at__lt=end).annotate(**times).order_by()
        return rows.filter(only) if only is not None else rows

    def by_day(self, span: Span) -> dict[date, Usage]:
        return {day: usage for (day,), usage in self.sums(span, "day")}
