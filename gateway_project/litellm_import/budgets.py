"""Budgets of imported rows: new ones begin with what was spent over there, those of an earlier import are brought up to date."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from billing.actions import BudgetTerms, change_budget
from billing.models import Budget
from billing.money import money
from billing.openings import Opening, carried, carry, open_budgets, problem_with_terms
from gateway_project.litellm_import.presence import IMPORT, Kind, budgets_here, removed_budgets, touched
from gateway_project.litellm_import.report import Report
from gateway_project.litellm_import.wanted import BUDGET, Terms, Wanted


@dataclass(slots=True)
class BudgetWriter:
    """Called with rows that are here, or in a dry run would be, inside the transaction of their batch."""

    report: Report
    now: datetime
    is_dry: bool
    _removed: set[tuple[str, str, str, str]] = field(default_factory=removed_budgets)
    _changed: set[int] = field(default_factory=set)

    def write(self, kind: Kind, wanted: Sequence[Wanted]) -> None:
        if not kind.scope:
            return
        with_terms = [one for one in wanted if one.terms]
        here = budgets_here(kind.scope, [one.id for one in with_terms])
        touched_here = touched(Budget, [budget for budgets in here.values() for budget in budgets])
        openings: list[Opening] = []
        known: dict[Budget, Terms] = {}
        for one in with_terms:
            left = [budget for budget in here.get(one.id, []) if not _has(one, budget)]
            for terms in one.terms:
                budget = _same(terms, here.get(one.id, [])) or next((each for each in left if _alike(terms, each)), None)
                if budget is None:
                    openings += self._opening(kind.scope, one, terms)
                elif self._is_ours(one, budget, terms, touched_here):
                    known[self._brought_up(budget, terms)] = terms
        self._open(openings)
        self._carry(known)

    def _opening(self, scope: str, one: Wanted, terms: Terms) -> list[Opening]:
        name = f"of {one.kind} {one.name}"
        if (scope, one.id, terms.model, terms.period) in self._removed:
            self.report.leave(BUDGET, name, "was removed here since")
            return []
        wished = _terms(terms)
        if problem := problem_with_terms(wished):
            self.report.refuse(BUDGET, name, problem)
            return []
        self.report.count(BUDGET, "made")
        return [Opening(scope, one.id, wished, terms.resets_at, terms.spent_nano, terms.plan or None)]

    def _is_ours(self, one: Wanted, budget: Budget, terms: Terms, touched_here: set[str]) -> bool:
        if str(budget.pk) not in touched_here:
            return True
        if (budget.amount_nano, budget.period) == (terms.amount_nano, terms.period):
            self.report.count(BUDGET, "unchanged")
        else:
            said = f"{money(budget.amount_nano)} here, {money(terms.amount_nano)} with LiteLLM"
            self.report.leave(BUDGET, f"of {one.kind} {one.name}", f"was changed here: {said}")
        return False

    def _brought_up(self, budget: Budget, terms: Terms) -> Budget:
        """The one that an earlier import made, with the terms of today."""
        wished = replace(BudgetTerms.of(budget), amount_nano=terms.amount_nano, period=terms.period)
        if wished == BudgetTerms.of(budget):
            return budget
        self._changed.add(budget.pk)
        return budget if self.is_dry else change_budget(budget, wished, actor=IMPORT, plan=budget.plan)

    def _open(self, openings: Sequence[Opening]) -> None:
        if not self.is_dry:
            open_budgets(openings, actor=IMPORT, now=self.now)

    def _carry(self, known: dict[Budget, Terms]) -> None:
        """What was spent over there since the last import."""
        before = carried(list(known), self.now) if known else {}
        more = {budget: terms.spent_nano - before[budget.pk] for budget, terms in known.items() if terms.spent_nano > before[budget.pk]}
        changed = sum(budget in more or budget.pk in self._changed for budget in known)
        self.report.count(BUDGET, "changed", changed)
        self.report.count(BUDGET, "unchanged", len(known) - changed)
        if not self.is_dry:
            carry(more, now=self.now)


def _terms(terms: Terms) -> BudgetTerms:
    return BudgetTerms(terms.amount_nano, terms.period, Budget.Mode.SOFT if terms.is_soft else Budget.Mode.HARD, model=terms.model)


def _alike(terms: Terms, budget: Budget) -> bool:
    return budget.model == terms.model and (budget.mode == Budget.Mode.SOFT) == terms.is_soft


def _same(terms: Terms, budgets: Sequence[Budget]) -> Budget | None:
    return next((budget for budget in budgets if budget.period == terms.period and _alike(terms, budget)), None)


def _has(one: Wanted, budget: Budget) -> bool:
    return any(budget.period == terms.period and _alike(terms, budget) for terms in one.terms)
