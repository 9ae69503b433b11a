"""Plans: terms under a name that several scopes take. Each verb is one transaction: change, audit, notify on commit.

A scope that takes a plan has budgets of its own with the plan's amounts; a change of the plan is a change of all of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from audit.rows import ChangeRefused, add_row, change_row, remove_row
from audit.trail import Actor
from billing.actions import BudgetTerms, change_budget, clean_terms, remove_budget, same_kind, set_budget
from billing.models import Budget, BudgetPlan
from billing.scopes import ROWS
from keys.actions import LIMIT_FIELDS, change_key, change_team, change_user

PLAN_FIELDS = LIMIT_FIELDS | {"amount_nano", "soft_amount_nano", "period", "extra"}
# Scopes whose rows have limits that a plan can lend them.
_limited: dict[str, Callable[..., Any]] = {
    Budget.Scope.KEY: change_key,
    Budget.Scope.TEAM: change_team,
    Budget.Scope.USER: change_user,
}


def make_plan(plan: BudgetPlan, *, actor: Actor) -> BudgetPlan:
    if BudgetPlan.objects.filter(pk=plan.pk).exists():
        raise ChangeRefused(_("There is a plan %(name)s already. Change it, or choose another name.") % {"name": repr(plan.pk)}, field="id")
    plan.created_by = actor.id or actor.kind
    plan.period = _clean(plan).period
    return add_row(plan, event="plan.set", actor=actor)


@transaction.atomic
def change_plan(plan: BudgetPlan, changes: Mapping[str, Any], *, actor: Actor) -> BudgetPlan:
    """All budgets and limits that scopes have of the plan change with it. One of another period starts its first window now."""
    unknown = sorted(set(changes) - PLAN_FIELDS)
    if unknown:
        raise ChangeRefused(_("%(name)s cannot be changed.") % {"name": unknown[0]}, field=unknown[0])
    before = BudgetPlan.objects.select_for_update().get(pk=plan.pk)
    draft = BudgetPlan(**{name: getattr(before, name) for name in PLAN_FIELDS} | dict(changes))
    period = _clean(draft).period
    holders = holders_of(before)
    if holders and draft.amount_nano is None and draft.soft_amount_nano is None:
        raise ChangeRefused(_("Somebody has this plan: it needs an amount or a soft amount."), field="amount_nano")
    changed = change_row(before, {**changes, "period": period}, event="plan.set", actor=actor)
    for scope, scope_id in holders:
        _give(changed, scope, scope_id, actor=actor)
        _lend_limits(scope, scope_id, before, changed, actor)
    return changed


def holders_of(plan: BudgetPlan) -> list[tuple[str, str]]:
    return list(plan.budgets.order_by("scope", "scope_id").values_list("scope", "scope_id").distinct())


def remove_plan(plan: BudgetPlan, *, actor: Actor) -> None:
    """Its budgets stay with those who have them, each on its own: removing a name lets nobody spend without a limit."""
    remove_row(plan, event="plan.removed", actor=actor)


@transaction.atomic
def take_plan(plan: BudgetPlan, scope: str, scope_id: str, *, actor: Actor) -> list[Budget]:
    """The scope's budgets and limits become the plan's; those of another plan end."""
    if plan.amount_nano is None and plan.soft_amount_nano is None:
        told = _("Plan %(name)s names no amount, so it makes no budget. Give it an amount first.")
        raise ChangeRefused(told % {"name": plan}, field="plan")
    for budget in Budget.objects.filter(scope=scope, scope_id=scope_id).exclude(plan=None).exclude(plan=plan):
        remove_budget(budget, actor=actor)
    given = _give(plan, scope, scope_id, actor=actor)
    _lend_limits(scope, scope_id, BudgetPlan(), plan, actor)
    return given


@transaction.atomic
def leave_plan(scope: str, scope_id: str, *, actor: Actor) -> None:
    for budget in Budget.objects.filter(scope=scope, scope_id=scope_id).exclude(plan=None):
        remove_budget(budget, actor=actor)


def let_go(budget: Budget, *, actor: Actor) -> Budget:
    """The budget stays as it is and no longer changes with its plan."""
    return change_row(budget, {"plan": None}, event="budget.set", actor=actor)


def _amounts(plan: BudgetPlan) -> Iterator[tuple[str, int | None]]:
    yield Budget.Mode.HARD, plan.amount_nano
    yield Budget.Mode.SOFT, plan.soft_amount_nano


def _give(plan: BudgetPlan, scope: str, scope_id: str, *, actor: Actor) -> list[Budget]:
    """Brings the scope's budgets of the plan to its terms; what was set beside them (time zone, thresholds) stays."""
    own = list(Budget.objects.filter(scope=scope, scope_id=scope_id, plan=plan))
    given = []
    for mode, amount in _amounts(plan):
        known = next((budget for budget in own if (budget.mode == Budget.Mode.SOFT) == (mode == Budget.Mode.SOFT)), None)
        if amount is None:
            if known:
                remove_budget(known, actor=actor)
            continue
        terms = BudgetTerms(amount, plan.period, mode)
        known = known or same_kind(scope, scope_id, terms)
        if known:
            terms = replace(BudgetTerms.of(known), amount_nano=amount, period=plan.period)
            given.append(change_budget(known, terms, actor=actor, plan=plan))
        else:
            given.append(set_budget(scope, scope_id, terms, actor=actor, plan=plan))
    return given


def _lend_limits(scope: str, scope_id: str, before: BudgetPlan, after: BudgetPlan, actor: Actor) -> None:
    """A limit that somebody set otherwise on the row itself stays."""
    if scope not in _limited:
        return
    row = ROWS[scope]._default_manager.get(pk=scope_id)
    differing = [name for name in sorted(LIMIT_FIELDS) if getattr(before, name) != getattr(after, name)]
    changes = {name: getattr(after, name) for name in differing if getattr(row, name) in (None, getattr(before, name))}
    if changes:
        _limited[scope](row, changes, actor=actor)


def _clean(plan: BudgetPlan) -> BudgetTerms:
    amounts = [amount for _, amount in _amounts(plan) if amount is not None]
    cleaned = [clean_terms(BudgetTerms(amount, plan.period)) for amount in amounts or [0]]
    return cleaned[0]
