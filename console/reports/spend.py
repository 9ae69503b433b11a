"""Reports of sums out of the roll-ups: spend grouped by whatever is asked, and the months' chargeback."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError

from audit.models import RollUp
from console.reports.base import CURRENCY, Report
from console.reports.filters import Asked, ChargebackAsked, SpendAsked
from console.reports.readers import may_see, may_see_by_tag
from console.reports.sums import Group, grouped, names_by_id, rolled, rolled_by_tag, spend_columns, spend_rows, totals
from console.reports.tables import Column, Row, Table, money_cells, money_columns

MOST_LINES = 50_000
TOO_MANY = f"This would be more than {MOST_LINES:,} lines. Ask for a shorter period, fewer groups or more filters."
BY_MONTH = ("month", "cost_centre", "team")
ALLOCATED, UNALLOCATED, UNPRICED = "allocated", "unallocated", "unpriced"


class Sums(Report):
    kind = RollUp

    def grouped(self, rows: QuerySet[Any], groups: Sequence[str], asked: Asked, name: str) -> list[Group]:
        lines = grouped(asked.rows(rows), groups, asked.form.cleaned_data["span"], MOST_LINES + 1)
        if len(lines) > MOST_LINES:
            raise ValidationError({name: [TOO_MANY]})
        return lines


class Spend(Sums):
    title = "Spend"
    meaning = "What calls cost and used in a period, grouped by up to four things. However it is grouped, the costs add up to the ledger's."
    filters = SpendAsked

    def table(self, asked: Asked | None) -> Table:
        if asked is None:
            raise NotImplementedError
        form = asked.form
        groups, span = form.cleaned_data["group_by"], form.cleaned_data["span"]
        rows = rolled_by_tag(span, may_see_by_tag(self.reader)) if form.is_by_tag else rolled(span, may_see(self.reader))
        lines = self.grouped(rows, groups, asked, "group_by")
        facts: dict[str, Any] = {**span.facts, "currency": CURRENCY}
        if "tag" not in groups:  # a call with two tags would count twice
            facts["totals"] = totals(lines)
        return Table("spend", spend_columns(groups, is_by_tag=form.is_by_tag), spend_rows(groups, lines), facts)


class Chargeback(Sums):
    title = "Chargeback"
    meaning = (
        "Each month's cost by cost centre and team. Lines without a cost centre are unallocated; calls whose model had no price are "
        "lines of their own, without a cost."
    )
    filters = ChargebackAsked
    columns = (
        Column("month", "the month in the time zone"),
        Column("line", "allocated, unallocated (no cost centre) or unpriced (no price: the cost is not known)"),
        Column("cost_centre", "the cost centre of key or team; empty where there was none"),
        Column("team_id", "id of the team; empty where a call had none"),
        Column("team", "the team"),
        *money_columns("cost", "what the ledger says"),
        Column("requests", "calls of this line"),
    )

    def table(self, asked: Asked | None) -> Table:
        if asked is None:
            raise NotImplementedError
        span = asked.form.cleaned_data["span"]
        lines = self.grouped(rolled(span, may_see(self.reader)), BY_MONTH, asked, "from")
        names = names_by_id(("team", str(line.values[2])) for line in lines)
        rows = [row for line in lines for row in _charged(line, names.get(("team", str(line.values[2])), ""))]
        summed = totals(lines)
        told = {name: summed[name] for name in ("cost_usd", "cost_nano", "requests", "unpriced_requests") if name in summed}
        return Table("chargeback", self.columns, rows, {**span.facts, "currency": CURRENCY, "totals": told})


def _charged(line: Group, team: str) -> list[Row]:
    """Nothing is told twice: calls without a price are in no other line."""
    month, cost_centre, team_id = line.values
    unpriced = line.counts["unpriced_requests"]
    priced = line.counts["requests"] - unpriced
    whose: Row = {"month": month, "cost_centre": cost_centre, "team_id": team_id, "team": team}
    rows = []
    if priced or line.cost_nano or not unpriced:
        kind = ALLOCATED if cost_centre else UNALLOCATED
        rows.append({**whose, "line": kind, **money_cells("cost", line.cost_nano), "requests": priced})
    if unpriced:
        rows.append({**whose, "line": UNPRICED, **money_cells("cost", None), "requests": unpriced})
    return rows
