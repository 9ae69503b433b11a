"""Verbs that span apps: a key together with its budgets. One transaction each, calling the apps' own verbs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Prefetch, QuerySet, Sum

from audit.trail import Actor
from billing.actions import BudgetTerms, change_budget, remove_budget, remove_budgets, set_budget
from billing.models import Budget, LedgerEntry, Window
from billing.periods import window
from keys.actions import KeySpec, change_key, delete_key, issue_key
from keys.models import VirtualKey


@transaction.atomic
def issue_key_with_budget(
    spec: KeySpec, terms: Sequence[BudgetTerms] = (), *, actor: Actor, token: str | None = None
) -> tuple[VirtualKey, str]:
    key, token = issue_key(spec, actor=actor, token=token)
    for each in terms:
        set_budget(Budget.Scope.KEY, key.pk, each, actor=actor)
    return key, token


@transaction.atomic
def change_key_with_budget(key: VirtualKey, changes: Mapping[str, Any], terms: BudgetTerms | None, *, actor: Actor) -> VirtualKey:
    """`terms` are what the key's one budget becomes; None takes it away."""
    changed = change_key(key, changes, actor=actor)
    known = only_budget(key.pk)
    if terms is None:
        if known:
            remove_budget(known, actor=actor)
    elif known:
        change_budget(known, terms, actor=actor)
    else:
        set_budget(Budget.Scope.KEY, key.pk, terms, actor=actor)
    return changed


@transaction.atomic
def delete_key_with_budget(key: VirtualKey, *, actor: Actor) -> None:
    remove_budgets(Budget.Scope.KEY, key.pk, actor=actor)
    delete_key(key, actor=actor)


def budgets_of_key(key_id: str) -> QuerySet[Budget]:
    newest = Prefetch("windows", queryset=Window.objects.order_by("-starts_at"))
    return Budget.objects.filter(scope=Budget.Scope.KEY, scope_id=key_id).order_by("id").prefetch_related(newest)


def only_budget(key_id: str) -> Budget | None:
    return budgets_of_key(key_id).first()


def spent_in_ledger(key_id: str) -> int:
    """All that the key ever cost, in nano-USD."""
    return LedgerEntry.objects.filter(key_id=key_id).aggregate(total=Sum("amount_nano"))["total"] or 0


def window_of(budget: Budget, now: datetime) -> tuple[datetime, datetime | None]:
    return window(budget.period, budget.anchored_at, now, budget.time_zone)


def spent_of(budget: Budget, now: datetime) -> int:
    """What counts against the budget now, in nano-USD. A window without a row has had no spend."""
    start, _ = window_of(budget, now)
    return next((row.posted_nano for row in budget.windows.all() if row.starts_at == start), 0)
