"""The sums our pages show, out of the roll-ups: money is the ledger's, calls and tokens are the request records'."""

from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, tzinfo
from typing import Any

from django.db.models import Q, QuerySet, Sum

from audit.models import DayRollUp, DayTagRollUp, RequestRecord, RollUp, TagRollUp
from audit.querysets import RequestQuerySet
from audit.rolled import Span, cut, day_rows, kept_zones, quarter_rows
from audit.rollup_days import starts

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
        """Field by field: a page adds some ten thousand."""
        self.cost_nano += other.cost_nano
        self.calls += other.calls
        self.unpriced += other.unpriced
        self.fresh += other.fresh
        self.cache_read += other.cache_read
        self.cache_write += other.cache_write
        self.output += other.output


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
# A column, and the values in it that are asked for.
Only = tuple[str, Collection[Any]]
# Of a tag all that was sent is one number.
TAG_COLUMNS = ("cost_nano", "calls", "input_tokens", "output_tokens")
MONEY = ("cost_nano",)
# Days are asked for together with these: few rows more, and most of what a page says of a span is added up from them.
READ_AT_ONCE = ("day", "route", "provider")


@dataclass(frozen=True, slots=True)
class Source:
    """The roll-ups that answer: those that the visitor may see, narrowed by what they asked for. No page sums records.

    Days answer where they can, quarters of an hour what is left of a span beside them. What was read is not read again.
    """

    where: Q
    zone: tzinfo
    of_tags: bool = False
    _read: dict[tuple[Span, tuple[str, ...]], list[Group]] = field(default_factory=dict, compare=False, repr=False)
    _kept: list[list[str]] = field(default_factory=list, compare=False, repr=False)

    def sums(self, span: Span, *by: str, only: Only | None = None) -> list[Group]:
        """A span is cut on quarters of an hour, as midnight is in every time zone; the quarter that its end lies in counts."""
        if self.of_tags:  # a call with two tags must not count twice where tags are not told apart
            return self._ask(span, by, only)
        wanted = {*by, *(only[:1] if only else ())}
        columns, read = self._known(span, wanted)
        if not columns:
            if only and not wanted <= set(READ_AT_ONCE):
                return self._ask(span, by, only)
            columns = READ_AT_ONCE if "day" in wanted and wanted <= set(READ_AT_ONCE) else tuple(dict.fromkeys((*by, *wanted)))
            read = self._read[span, columns] = self._ask(span, columns, None)
        return read if columns == by and only is None else regrouped(read, columns, by, only)

    def costs(self, span: Span, *by: str, only: Only | None = None) -> dict[tuple[Any, ...], int]:
        """Money alone, which is a third of the work unless all of it was read already."""
        is_known = not self.of_tags and self._known(span, {*by, *(only[:1] if only else ())})[0]
        found = self.sums(span, *by, only=only) if is_known else self._ask(span, by, only, MONEY)
        return {values: usage.cost_nano for values, usage in found}

    def _known(self, span: Span, wanted: Set[str]) -> tuple[tuple[str, ...], list[Group]]:
        """What was read of the span, or by day of a longer one, and by which columns; by none if it was not."""
        for (known, columns), found in self._read.items():
            if not wanted <= set(columns):
                continue
            if known == span:
                return columns, found
            if "day" in columns and self._is_of_days(span, known):
                first, end = (moment.astimezone(self.zone).date() for moment in span)
                is_to_the_end, at = span[1] == known[1], columns.index("day")
                return columns, [one for one in found if first <= one[0][at] and (is_to_the_end or one[0][at] < end)]
        return (), []

    def _is_of_days(self, span: Span, known: Span) -> bool:
        """Whether a span lies in a known one and is cut where days are, or where that is."""
        is_within = known[0] <= span[0] and span[1] <= known[1]
        return is_within and all(
            one == other or one == starts(one.astimezone(self.zone).date(), self.zone) for one, other in zip(span, known, strict=True)
        )

    def _ask(self, span: Span, by: tuple[str, ...], only: Only | None, columns: tuple[str, ...] = ()) -> list[Group]:
        """One query, or two where days do not fill the span."""
        where = self.where & Q((f"{only[0]}__in", list(only[1]))) if only else self.where
        days, rest = cut(span, self.zone, by, self._zones())
        kept, quarters = (DayTagRollUp, TagRollUp) if self.of_tags else (DayRollUp, RollUp)
        found = self._summed(day_rows(days, kept).filter(where), by, columns) if days else []
        if not rest:
            return found
        beside = self._summed(quarter_rows(quarters, rest, self.zone).filter(where), by, columns)
        return regrouped([*found, *beside], by, by) if found and beside else found or beside

    def _zones(self) -> list[str]:
        if not self._kept:
            self._kept.append(kept_zones())
        return self._kept[0]

    def _summed(self, rows: QuerySet[Any], by: tuple[str, ...], columns: tuple[str, ...]) -> list[Group]:
        every, width = TAG_COLUMNS if self.of_tags else COLUMNS, len(by)
        found = rows.order_by().values_list(*by).annotate(**{f"sum_{column}": Sum(column) for column in columns or every})
        made = of_tag if self.of_tags and not columns else Usage
        return [(row[:width], made(*row[width:])) for row in found]

    def by_day(self, span: Span) -> dict[date, Usage]:
        return {day: usage for (day,), usage in self.sums(span, "day")}


def of_tag(cost_nano: int, calls: int, sent: int, output: int) -> Usage:
    return Usage(cost_nano=cost_nano, calls=calls, fresh=sent, output=output)


def regrouped(found: Iterable[Group], columns: Sequence[str], by: Sequence[str], only: Only | None = None) -> list[Group]:
    """Sums by some of the columns that they were asked by."""
    places, wanted = [columns.index(one) for one in by], set(only[1]) if only else set()
    at = columns.index(only[0]) if only else None
    sums: dict[tuple[Any, ...], Usage] = {}
    for values, usage in found:
        if at is None or values[at] in wanted:
            sums.setdefault(tuple([values[place] for place in places]), Usage()).add(usage)
    return list(sums.items())
