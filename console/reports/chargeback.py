"""The report of months' chargeback: each month by cost centre and team, out of its snapshot where it is frozen."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from audit.models import RollUp
from billing.models import FrozenLine
from billing.month_bills import Amounts, Bill, Lines, Narrow, added, bills, summed
from billing.months import Month, months_between
from console.reports.base import CURRENCY, CUT_IN, Report
from console.reports.filters import Asked, ChargebackAsked
from console.reports.readers import may_see
from console.reports.span import Span
from console.reports.spend import MOST_LINES, TOO_MANY
from console.reports.sums import names_by_id
from console.reports.tables import Column, Row, Table, money_cells, money_columns

BY = ("cost_centre", "team_id")
ALLOCATED, UNALLOCATED, UNPRICED, ADJUSTMENT, SINCE_FROZEN = "allocated", "unallocated", "unpriced", "adjustment", "since_frozen"
MOMENT = timedelta(microseconds=1)
OPEN, FROZEN, PART = "open", "frozen", "part"


class Chargeback(Report):
    title = "Chargeback"
    meaning = (
        "Each month's cost by cost centre and team. Lines without a cost centre are unallocated; calls whose model had no price are "
        "lines of their own, without a cost. A frozen month is told as it was frozen; what came since is charged in a later month."
    )
    kind = RollUp
    filters = ChargebackAsked
    columns = (
        Column("month", "the month in the time zone"),
        Column("state", "open, frozen, or part: of a month that was not asked for as a whole, what the ledger has"),
        Column(
            "line",
            "allocated, unallocated (no cost centre), unpriced (no price: the cost is not known), adjustment (of an earlier frozen month), "
            "since_frozen (came after the month was frozen, and is in no cost of it)",
        ),
        Column("adjusts", "the earlier month that an adjustment is of"),
        Column("cost_centre", "the cost centre of key or team; empty where there was none"),
        Column("team_id", "id of the team; empty where a call had none"),
        Column("team", "the team"),
        *money_columns("cost", "what the ledger says"),
        *money_columns("since_frozen", "what the ledger has gained since the month was frozen"),
        Column("requests", "calls of this line"),
        Column("sha256", "of a frozen month: the hash over its lines"),
    )

    def table(self, asked: Asked | None) -> Table:
        if asked is None:
            raise NotImplementedError
        span = asked.form.cleaned_data["span"]
        seen = may_see(self.reader)

        def narrow(rows: QuerySet[Any]) -> QuerySet[Any]:
            return asked.rows(rows.filter(seen))

        told = [(bill, _state(bill, span)) for bill in _bills(span, narrow)]
        rows = [row for bill, state in told for row in _named(bill, list(_rows(bill, state)))]
        if len(rows) > MOST_LINES:
            raise ValidationError({"from": [TOO_MANY]})
        total = added(lines for bill, _ in told for lines in (bill.own, *bill.adjustments.values()))
        totals = money_cells("cost", total.cost_nano) | {"requests": total.calls, "unpriced_requests": total.unpriced_calls}
        frozen = {bill.month.key: bill.frozen.sha256 for bill, _ in told if bill.frozen}
        facts = {**span.facts, "currency": CURRENCY, "totals": totals, "frozen": frozen}
        return Table("chargeback", self.columns, rows, facts, in_rows=CUT_IN)


def _bills(span: Span, narrow: Narrow) -> list[Bill]:
    """Of a month of which a part was asked, what the ledger has of that part. This month is whole as soon as all of it so far is in."""
    months = months_between(Month.at(span.start, span.zone), Month.at(span.end - MOMENT, span.zone))
    whole = [month for month in months if _is_whole(month, span)]
    found = {bill.month: bill for bill in bills(whole[0], whole[-1], BY, narrow)} if whole else {}
    return [
        found.get(month) or Bill(month, own=summed(max(month.start, span.start), min(month.end, span.end), BY, narrow)) for month in months
    ]


def _is_whole(month: Month, span: Span) -> bool:
    return span.start <= month.start and min(month.end, timezone.now()) <= span.end


def _state(bill: Bill, span: Span) -> str:
    if bill.frozen:
        return FROZEN
    return OPEN if _is_whole(bill.month, span) else PART


def _rows(bill: Bill, state: str) -> Iterator[Row]:
    """Nothing is told twice: calls without a price are in no other line."""
    common: Row = {"month": bill.month.key, "state": state, "sha256": bill.frozen.sha256 if bill.frozen else ""}
    for of, lines in ({"": bill.own} | bill.adjustments).items():
        for (centre, team_id), amounts in _dearest_first(lines):
            kind = ADJUSTMENT if of else ALLOCATED if centre else UNALLOCATED
            for line in _priced(kind, amounts):
                yield {**common, "adjusts": of, "cost_centre": centre, "team_id": team_id, **line}
    for (centre, team_id), amounts in _dearest_first(bill.since):
        nothing: Row = {"line": SINCE_FROZEN, "adjusts": "", **money_cells("cost", None)}
        yield {**common, **nothing, "cost_centre": centre, "team_id": team_id, **money_cells("since_frozen", amounts.cost_nano)}


def _dearest_first(lines: Lines) -> Sequence[tuple[tuple[str, ...], Amounts]]:
    return sorted(lines.items(), key=lambda pair: (-pair[1].cost_nano, pair[0]))


def _priced(kind: str, amounts: Amounts) -> Iterator[Row]:
    unpriced = amounts.unpriced_calls
    priced = amounts.calls - unpriced
    if priced or amounts.cost_nano or not unpriced:
        yield {"line": kind, **money_cells("cost", amounts.cost_nano), "requests": priced}
    if unpriced:
        yield {"line": UNPRICED, **money_cells("cost", None), "requests": unpriced}


def _named(bill: Bill, rows: list[Row]) -> list[Row]:
    """A frozen month's teams by the names that they had."""
    names = {team_id: name for (_, team_id), name in names_by_id(("team", str(row["team_id"])) for row in rows).items()}
    if bill.frozen:
        kept = FrozenLine.objects.filter(frozen=bill.frozen).exclude(team_name="").order_by()
        names |= dict(kept.values_list("team_id", "team_name").distinct())
    return [row | {"team": names.get(str(row["team_id"]), "")} for row in rows]
