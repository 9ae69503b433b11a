"""Sums of the roll-ups by whatever people group by: one query each. Money is the ledger's, calls and tokens are the records'."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import DateField, Model, Q, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncHour, TruncMonth, TruncWeek

from audit.models import DayRollUp, DayTagRollUp, RollUp, TagRollUp
from audit.rolled import Days, day_rows, days_alone
from billing.scopes import names_of
from console.reports.span import Span
from console.reports.tables import Column, Row, Value, money_cells, money_columns

TIMES = ("hour", "day", "week", "month")
# What people group by, and the roll-ups' column for it.
GROUPS = {
    "organisation": "organisation_id", "team": "team_id", "cost_centre": "cost_centre", "user": "user_id", "key": "key_id",
    "model": "route", "provider": "provider", "client": "client",
}  # fmt: skip
TAG_GROUPS = ("team", "model")
DAYS = (DayRollUp, DayTagRollUp)
# Of these, people know names and the roll-ups ids.
NAMED = ("organisation", "team", "user", "key")
NAMES_PER_QUERY = 2000

ANSWERED = Q(status_class="2xx")
MEASURES = {
    "requests": ("calls", "calls, whatever became of them; token counts, which are free, are left out"),
    "failed_requests": ("", "calls of these that were not answered in full"),
    "unpriced_requests": ("unpriced_calls", "calls of these whose model had no price: their cost is not known and not in the sum"),
    "estimated_requests": ("estimated_calls", "calls of these whose usage had to be estimated"),
    "input_tokens": ("input_tokens", "tokens sent that were neither read from nor written to a cache"),
    "cache_read_tokens": ("cache_read_tokens", "tokens read from the provider's cache"),
    "cache_write_tokens": ("cache_write_tokens", "tokens written to the provider's cache"),
    "output_tokens": ("output_tokens", "tokens answered, thinking included"),
    "thinking_tokens": ("thinking_tokens", "output tokens that were thinking"),
}
TAG_MEASURES = {
    "requests": ("calls", "calls; one with two tags counts under both"),
    "sent_tokens": ("input_tokens", "tokens sent, cached or not"),
    "output_tokens": ("output_tokens", "tokens answered"),
}
_MEANINGS = {
    "hour": "the hour's start by the clocks of the time zone", "day": "the day in the time zone", "week": "the week's Monday",
    "month": "the month", "model": "the name that was called", "tag": "the tag; `other` are those beyond the first 50 of an hour",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """What is grouped by, in the order asked, and the sums by their names."""

    values: tuple[Value, ...]
    cost_nano: int
    counts: dict[str, int]


def rolled(span: Span, seen: Q, groups: Sequence[str] = ()) -> QuerySet[Any]:
    """Days, where the zone's fill the span and no hour is asked for; else quarters of an hour."""
    days = _days(span, groups)
    return day_rows(days).filter(seen).order_by() if days else _quarters(RollUp, span, seen)


def rolled_by_tag(span: Span, seen: Q, groups: Sequence[str]) -> QuerySet[Any]:
    days = _days(span, groups)
    return day_rows(days, DayTagRollUp).filter(seen).order_by() if days else _quarters(TagRollUp, span, seen)


def _days(span: Span, groups: Sequence[str]) -> Days | None:
    return None if "hour" in groups else days_alone((span.start, span.end), span.zone)


def _quarters(model: type[Model], span: Span, seen: Q) -> QuerySet[Any]:
    return model._default_manager.filter(seen, starts_at__gte=span.start, starts_at__lt=span.end).order_by()


def grouped(rows: QuerySet[Any], groups: Sequence[str], span: Span, limit: int) -> list[Group]:
    """One query, `limit` lines of it at most; the newest time last, then the dearest first."""
    is_by_tag, is_by_day = rows.model in {TagRollUp, DayTagRollUp}, rows.model in DAYS
    measures = {name: column for name, (column, _) in (TAG_MEASURES if is_by_tag else MEASURES).items()}
    timed = rows.annotate(**{one: _cut(one, span, rows.model) for one in groups if one in TIMES and not (is_by_day and one == "day")})
    failed = Sum("failed_calls") if rows.model is DayRollUp else Sum("calls", filter=~ANSWERED, default=0)
    sums = {f"sum_{name}": Sum(column) if column else failed for name, column in measures.items()}
    found = timed.values_list(*(GROUPS.get(one, one) for one in groups)).annotate(sum_cost=Sum("cost_nano"), **sums)
    cut = len(groups)
    read = ((row[:cut], row[cut], map(int, row[cut + 1 :])) for row in found[:limit])
    lines = [Group(_labels(groups, values), int(cost), dict(zip(measures, counts, strict=True))) for values, cost, counts in read]
    return sorted(lines, key=lambda line: (_times(groups, line), -line.cost_nano, tuple(map(str, line.values))))


def _cut(unit: str, span: Span, model: type[Model]) -> Any:
    if unit == "hour":
        return TruncHour("starts_at", tzinfo=span.zone)
    if unit == "day":
        return TruncDate("starts_at", tzinfo=span.zone)
    truncated = {"week": TruncWeek, "month": TruncMonth}[unit]
    if model in DAYS:
        return truncated("day", output_field=DateField())
    return truncated("starts_at", tzinfo=span.zone, output_field=DateField())


def _labels(groups: Sequence[str], values: Sequence[Any]) -> tuple[Value, ...]:
    return tuple(_label(one, value) for one, value in zip(groups, values, strict=True))


def _label(group: str, value: Any) -> Value:
    """An hour that clocks show twice, in autumn, is one line."""
    if group == "hour" and isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="minutes")
    if group == "month" and isinstance(value, date):
        return f"{value:%Y-%m}"
    return value  # type: ignore[no-any-return]  # text, or a date of the database


def _times(groups: Sequence[str], line: Group) -> str:
    return next((str(value) for one, value in zip(groups, line.values, strict=True) if one in TIMES), "")


def spend_columns(groups: Sequence[str], *, is_by_tag: bool) -> tuple[Column, ...]:
    columns: list[Column] = []
    for one in groups:
        if one in NAMED:
            columns.append(Column(f"{one}_id", f"id of the {one}; empty where a call had none"))
        columns.append(Column(one, _MEANINGS.get(one, f"the {one.replace('_', ' ')}; empty where a call had none")))
    measures = (Column(name, meaning) for name, (_, meaning) in (TAG_MEASURES if is_by_tag else MEASURES).items())
    return (*columns, *money_columns("cost", "what the ledger says they cost"), *measures)


def spend_rows(groups: Sequence[str], lines: Sequence[Group]) -> list[Row]:
    names = names_by_id((one, str(value)) for line in lines for one, value in zip(groups, line.values, strict=True) if one in NAMED)
    rows = []
    for line in lines:
        row: Row = {}
        for one, value in zip(groups, line.values, strict=True):
            if one in NAMED:
                row[f"{one}_id"] = value
                value = names.get((one, str(value)), "")
            row[one] = value
        rows.append(row | money_cells("cost", line.cost_nano) | dict(line.counts))
    return rows


def totals(lines: Iterable[Group]) -> Row:
    listed = list(lines)
    counts = {name: sum(line.counts[name] for line in listed) for name in (listed[0].counts if listed else ())}
    return {**money_cells("cost", sum(line.cost_nano for line in listed)), **counts}


def names_by_id(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Some thousands at a time: databases bound how many values a query may have."""
    wanted = sorted({pair for pair in pairs if pair[1]})
    found: dict[tuple[str, str], str] = {}
    for start in range(0, len(wanted), NAMES_PER_QUERY):
        found |= names_of(wanted[start : start + NAMES_PER_QUERY])
    return found


def spent_by(column: str, ids: Sequence[str], span: Span, seen: Q) -> dict[str, tuple[int, int]]:
    """Cost and calls of each of these keys or teams, as far as the reader may see them."""
    rows = rolled(span, seen).filter(**{f"{column}__in": ids}).values_list(column).annotate(Sum("cost_nano"), Sum("calls"))
    return {one: (int(cost), int(calls)) for one, cost, calls in rows}
