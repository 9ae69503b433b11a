"""Columns of admin lists that show how budgets stand: read for the whole page at once, never row by row."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from billing.models import Budget
from billing.money import money
from billing.standing import Standing
from billing.status import Burn, burns, standings


@dataclass(frozen=True, slots=True)
class Shown:
    """The budget of a row as its list shows it; `more` counts the others that it has."""

    standing: Standing
    burn: Burn
    now: datetime
    period: str = ""
    more: int = 0

    @property
    def used(self) -> str:
        """A bar that turns yellow at 80 % and red at 100 %. No style attribute: pages forbid them."""
        standing = self.standing
        held = _(", %s held") % money(standing.held_nano) if standing.held_nano else ""
        spent = f"{money(standing.spent_nano)} / {money(standing.amount_nano)} {self.period}".strip()
        more = _(" and %s more") % self.more if self.more else ""
        bar = '<meter min="0" max="100" low="79" high="99" optimum="0" value="{}"></meter> {}% · {}{}{}'
        return format_html(bar, min(100, standing.used_percent), standing.used_percent, spent, held, more)

    @property
    def lasts(self) -> str:
        if self.standing.left_nano == 0:
            return str(_("used up"))
        days = self.burn.days_left(self.now)
        if days is None:
            return str(_("not before its reset") if self.standing.resets_at else _("no end in sight"))
        return ngettext("%d day", "%d days", days) % days if days else str(_("less than a day"))


def shown(budgets: Iterable[Budget], now: datetime) -> dict[int, Shown]:
    """By budget id, in a few queries."""
    rows = list(budgets)
    standing = standings(rows, now)
    burn = burns(rows, standing, now)
    return {budget.pk: Shown(standing[budget.pk], burn[budget.pk], now, budget.period) for budget in rows}


class StandingColumns:
    """For an admin class: `attach` gives each row of the page its `shown`, or None."""

    def attach(self, rows: list[Any]) -> None:
        raise NotImplementedError

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        listed = super().get_changelist_instance(request)  # type: ignore[misc]  # ModelAdmin's, which this is mixed into
        listed.result_list = list(listed.result_list)
        self.attach(listed.result_list)
        return listed

    @display(description=_("used"))  # type: ignore[untyped-decorator]  # unfold is untyped
    def used(self, row: Any) -> str:
        return row.shown.used if row.shown else "–"

    @display(description=_("a day"))  # type: ignore[untyped-decorator]  # unfold is untyped
    def burn(self, row: Any) -> str:
        return money(row.shown.burn.per_day_nano) if row.shown else "–"

    @display(description=_("lasts"))  # type: ignore[untyped-decorator]  # unfold is untyped
    def lasts(self, row: Any) -> str:
        return row.shown.lasts if row.shown else "–"
