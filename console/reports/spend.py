"""The report of spend: sums out of the roll-ups, grouped by whatever is asked."""

from typing import Any

from rest_framework.exceptions import ValidationError

from audit.models import RollUp
from console.reports.base import CURRENCY, CUT_IN, Report
from console.reports.filters import Asked, SpendAsked
from console.reports.readers import may_see, may_see_by_tag
from console.reports.sums import grouped, rolled, rolled_by_tag, spend_columns, spend_rows, totals
from console.reports.tables import Table

MOST_LINES = 50_000
TOO_MANY = f"This would be more than {MOST_LINES:,} lines. Ask for a shorter period, fewer groups or more filters."


class Spend(Report):
    kind = RollUp
    title = "Spend"
    meaning = "What calls cost and used in a period, grouped by up to four things. However it is grouped, the costs add up to the ledger's."
    filters = SpendAsked

    def table(self, asked: Asked | None) -> Table:
        if asked is None:
            raise NotImplementedError
        form = asked.form
        groups, span = form.cleaned_data["group_by"], form.cleaned_data["span"]
        rows = rolled_by_tag(span, may_see_by_tag(self.reader), groups) if form.is_by_tag else rolled(span, may_see(self.reader), groups)
        lines = grouped(asked.rows(rows), groups, span, MOST_LINES + 1)
        if len(lines) > MOST_LINES:
            raise ValidationError({"group_by": [TOO_MANY]})
        facts: dict[str, Any] = {**span.facts, "currency": CURRENCY}
        if "tag" not in groups:  # a call with two tags would count twice
            facts["totals"] = totals(lines)
        return Table("spend", spend_columns(groups, is_by_tag=form.is_by_tag), spend_rows(groups, lines), facts, in_rows=CUT_IN)
