"""The budget columns of the lists of keys and teams."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.utils import timezone

from billing.models import Budget
from billing.standing_columns import shown
from console.use_cases import budgets_of, main_budget


def attach_budgets(rows: Iterable[Any], scope: str) -> None:
    """Each row gets as `shown` its main budget, or the first of those it has."""
    listed = list(rows)
    budgets: dict[str, list[Budget]] = {}
    for budget in budgets_of(scope, *(row.pk for row in listed)):
        budgets.setdefault(budget.scope_id, []).append(budget)
    chosen = {scope_id: main_budget(found) or found[0] for scope_id, found in budgets.items()}
    by_id = shown(chosen.values(), timezone.now())
    for row in listed:
        main = chosen.get(row.pk)
        row.shown = replace(by_id[main.pk], more=len(budgets[row.pk]) - 1) if main else None
