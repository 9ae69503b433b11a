"""Budgets by risk, as their page shows them. The figures are those of refusals and the API: billing.status."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from billing.models import Budget
from billing.scopes import names_of
from billing.standing_columns import Shown, shown
from billing.status import DAY_S
from console.budget_rules import of_team, seen_budgets
from console.key_form import PERIODS
from console.paging import page_number
from keys.access import Reach

PAGE = 50
NEAR = 80
MODES: dict[str, Promise] = {Budget.Mode.HARD: _("hard"), Budget.Mode.STRICT: _("strict"), Budget.Mode.SOFT: _("soft")}
STATES: dict[str, Promise] = {"used-up": _("used up"), "runs-out": _("runs out before its reset"), "near": _("80% and more")}


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One budget: whose it is, how it stands, and where its burn rate takes it."""

    budget: Budget
    name: str
    shown: Shown

    @property
    def spent_nano(self) -> int:
        return self.shown.standing.spent_nano

    @property
    def amount_nano(self) -> int:
        return self.budget.amount_nano

    @property
    def held_nano(self) -> int:
        return self.shown.standing.held_nano

    @property
    def left_nano(self) -> int:
        return self.shown.standing.left_nano

    @property
    def percent(self) -> int:
        return self.shown.standing.used_percent

    @property
    def per_day_nano(self) -> int:
        return self.shown.burn.per_day_nano

    @property
    def is_used_up(self) -> bool:
        return self.spent_nano >= self.amount_nano

    @property
    def starts_at(self) -> datetime:
        return _moment(self.shown.standing.starts_at)

    @property
    def resets_at(self) -> datetime | None:
        at = self.shown.standing.resets_at
        return None if at is None else _moment(at)

    @property
    def runs_out_at(self) -> datetime | None:
        """None where it lasts until its reset, or nothing is being spent."""
        at = self.shown.burn.runs_out_at
        return None if at is None else _moment(at)

    @property
    def forecast_nano(self) -> int:
        """What is spent by the reset at this rate; what is spent now where there is none."""
        resets_at = self.shown.standing.resets_at
        rest_s = 0 if resets_at is None else max(0, int(resets_at - self.shown.now.timestamp()))
        return self.spent_nano + self.per_day_nano * rest_s // DAY_S

    @property
    def forecast_percent(self) -> int:
        return self.forecast_nano * 100 // self.amount_nano if self.amount_nano else 100

    @property
    def period(self) -> str | Promise:
        return PERIOD_WORDS.get(self.budget.period, self.budget.period)

    @property
    def mode(self) -> Promise:
        return MODES[self.budget.mode]

    @property
    def state(self) -> str:
        """How far it is from refusing calls, in one word; empty when it is far."""
        if self.is_used_up:
            return "used-up"
        if self.shown.burn.runs_out_at is not None:
            return "runs-out"
        return "near" if self.percent >= NEAR else ""

    @property
    def risk(self) -> tuple[bool, bool, float, int, str]:
        """Used up first, then by the day they run out, then by what is used."""
        ends = self.shown.burn.runs_out_at
        return not self.is_used_up, ends is None, ends or 0, -self.percent, self.name


PERIOD_WORDS: dict[str, str | Promise] = {**dict(PERIODS), "": _("once and for all")}


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)


def rows_of(budgets: Iterable[Budget], now: datetime) -> list[BudgetRow]:
    """Any number of budgets costs the same few queries; the riskiest first."""
    listed = list(budgets)
    figures = shown(listed, now)
    names = names_of((budget.scope, budget.scope_id) for budget in listed)
    rows = [BudgetRow(one, names.get((one.scope, one.scope_id), one.scope_id), figures[one.pk]) for one in listed]
    return sorted(rows, key=lambda row: row.risk)


@dataclass(frozen=True, slots=True)
class BudgetFilter:
    """What the URL asks for. Values that it cannot mean are left out."""

    scope: str = ""
    team: str = ""
    mode: str = ""
    state: str = ""
    search: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: QueryDict) -> "BudgetFilter":
        texts = {name: query.get(name, "").replace("\x00", "") for name in ("scope", "team", "mode", "state", "q")}
        return cls(
            scope=texts["scope"] if texts["scope"] in Budget.Scope.values else "",
            team=texts["team"],
            mode=texts["mode"] if texts["mode"] in Budget.Mode.values else "",
            state=texts["state"] if texts["state"] in STATES else "",
            search=texts["q"].strip(),
            page=page_number(query.get("page", "")),
        )

    @property
    def is_set(self) -> bool:
        return bool(self.scope or self.team or self.mode or self.state or self.search)

    def address(self, page: int) -> str:
        pairs = {"scope": self.scope, "team": self.team, "mode": self.mode, "state": self.state, "q": self.search}
        return urlencode({name: value for name, value in pairs.items() if value} | ({"page": str(page)} if page > 1 else {}))

    @property
    def next(self) -> str:
        return self.address(self.page + 1)

    @property
    def first(self) -> str:
        return self.address(1)

    def rows(self, reach: Reach, now: datetime) -> list[BudgetRow]:
        found = seen_budgets(reach).filter(self._condition())
        return [row for row in rows_of(found, now) if self._wants(row)]

    def _condition(self) -> Q:
        wanted = Q()
        if self.scope:
            wanted &= Q(scope=self.scope)
        if self.mode:
            wanted &= Q(mode=self.mode)
        return wanted & of_team(self.team) if self.team else wanted

    def _wants(self, row: BudgetRow) -> bool:
        text = self.search.casefold()
        is_found = text in row.name.casefold() or text in row.budget.model.casefold()
        is_near = self.state == "near" and row.percent >= NEAR
        return is_found and (not self.state or is_near or row.state == self.state)
