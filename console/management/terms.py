"""The money part of LiteLLM's bodies and rows: what a script asks for → budgets, budgets → what it is answered."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from audit.trail import Actor
from billing.actions import BudgetTerms, change_budget, nano_of, remove_budget, set_budget
from billing.models import Budget, BudgetPlan
from billing.periods import window
from billing.plans import leave_plan, take_plan
from billing.scopes import Scoped, names_of
from billing.standing import Standing, sentence
from billing.status import standings
from console.management.errors import Refused
from console.management.fields import ModelBudget, Money, MoneyByModel, echoed
from console.management.wire import usd
from console.use_cases import budgets_of, main_budget


def set_money(scope: str, scope_id: str, asked: Money, *, actor: Actor) -> None:
    """What was sent is changed, null takes it away, the rest stays. Inside the caller's transaction."""
    sent = asked.model_fields_set
    if isinstance(asked, MoneyByModel):
        if "budget_id" in sent:
            _set_plan(scope, scope_id, asked.budget_id, actor)
        if "model_max_budget" in sent:
            _set_by_model(scope, scope_id, asked.model_max_budget or {}, actor)
    budgets = list(budgets_of(scope, scope_id))
    main = main_budget(budgets)
    _set_one(scope, scope_id, main, _wanted(main, asked, "max_budget", BudgetTerms(0)), actor)
    soft = soft_budget(budgets)
    fresh = BudgetTerms(0, main.period if main else "", Budget.Mode.SOFT)
    _set_one(scope, scope_id, soft, _wanted(soft, asked, "soft_budget", fresh), actor)


def soft_budget(budgets: Iterable[Budget]) -> Budget | None:
    return next((budget for budget in budgets if budget.mode == Budget.Mode.SOFT and not budget.model), None)


def _wanted(known: Budget | None, asked: Money, name: str, fresh: BudgetTerms) -> BudgetTerms | None:
    """The terms that the budget is to have; None: it is to be no more."""
    sent = asked.model_fields_set
    terms = BudgetTerms.of(known) if known else fresh
    amount = getattr(asked, name) if name in sent else (usd(known.amount_nano) if known else None)
    if amount is None:
        return None
    period = asked.budget_duration or "" if "budget_duration" in sent else terms.period
    return replace(terms, amount_nano=nano_of(amount), period=period)


def _set_one(scope: str, scope_id: str, known: Budget | None, wanted: BudgetTerms | None, actor: Actor) -> None:
    if wanted is None:
        if known:
            remove_budget(known, actor=actor)
    elif known is None:
        set_budget(scope, scope_id, wanted, actor=actor)
    elif wanted != BudgetTerms.of(known):
        change_budget(known, wanted, actor=actor)


def plan_named(budget_id: str) -> BudgetPlan:
    plan = BudgetPlan.objects.filter(pk=budget_id).first()
    if plan is None:
        raise Refused(f"There is no budget with budget_id={budget_id}. Create it first: POST /budget/new.", param="budget_id")
    return plan


def _set_plan(scope: str, scope_id: str, budget_id: str | None, actor: Actor) -> None:
    if budget_id:
        take_plan(plan_named(budget_id), scope, scope_id, actor=actor)
    else:
        leave_plan(scope, scope_id, actor=actor)


def _set_by_model(scope: str, scope_id: str, wanted: Mapping[str, ModelBudget], actor: Actor) -> None:
    """One budget for each model named; those of other models end."""
    known = {budget.model: budget for budget in budgets_of(scope, scope_id) if budget.model and budget.mode != Budget.Mode.SOFT}
    for model, budget in known.items():
        if model not in wanted:
            remove_budget(budget, actor=actor)
    for model, asked in wanted.items():
        if not model.strip():
            raise Refused("model_max_budget names a model without a name.", param="model_max_budget")
        terms = BudgetTerms.of(known[model]) if model in known else BudgetTerms(0, model=model)
        terms = replace(terms, amount_nano=nano_of(asked.budget_limit), period=asked.time_period)
        _set_one(scope, scope_id, known.get(model), terms, actor)


# ── answering ─────────────────────────────────────────────────────────────────
class MoneyRows:
    """The money of many scopes of one kind, read in a few queries."""

    def __init__(self, scope: str, scope_ids: Iterable[str], now: datetime) -> None:
        self._now = now
        self._budgets: dict[str, list[Budget]] = {}
        budgets = list(budgets_of(scope, *scope_ids))
        for budget in budgets:
            self._budgets.setdefault(budget.scope_id, []).append(budget)
        self._standings = standings(budgets, now)
        self._names = names_of((budget.scope, budget.scope_id) for budget in budgets)

    def row(self, scope_id: str) -> dict[str, Any]:
        """LiteLLM's fields, and ours: `budgets`, each as it stands. `spend` is there only when a budget says what to count."""
        budgets = self._budgets.get(scope_id, [])
        main, soft = main_budget(budgets), soft_budget(budgets)
        shown = main or soft
        standing = self._standings[shown.pk] if shown else None
        plan = next((budget.plan for budget in budgets if budget.plan), None)
        by_model = {budget.model: budget for budget in budgets if budget.model and budget.mode != Budget.Mode.SOFT}
        row = {
            "max_budget": usd(main.amount_nano) if main else None,
            "soft_budget": usd(soft.amount_nano) if soft else None,
            "budget_duration": (shown.period or None) if shown else None,
            "budget_reset_at": _moment(standing.resets_at) if standing else None,
            "budget_id": plan.pk if plan else None,
            "litellm_budget_table": plan_row(plan, self._now) if plan else None,
            "model_max_budget": {
                model: {"budget_limit": usd(budget.amount_nano), "time_period": budget.period} for model, budget in by_model.items()
            },
            "budgets": [standing_row(self._standings[budget.pk], self._names, budget.period) for budget in budgets],
        }
        return row | ({"spend": usd(standing.spent_nano)} if standing else {})


def standing_row(standing: Standing, names: Mapping[Scoped, str], period: str) -> dict[str, Any]:
    name = names.get((standing.scope, standing.scope_id), standing.scope_id)
    return {
        "id": standing.budget_id,
        "scope": standing.scope,
        "scope_id": standing.scope_id,
        "model": standing.model or None,
        "mode": standing.mode,
        "max_budget": usd(standing.amount_nano),
        "spend": usd(standing.spent_nano),
        "held": usd(standing.held_nano),
        "left": usd(standing.left_nano),
        "used_percent": standing.used_percent,
        "budget_duration": period or None,
        "starts_at": _moment(standing.starts_at),
        "budget_reset_at": _moment(standing.resets_at),
        "seconds_old": round(standing.age_s, 1),
        "text": sentence(standing, name),
    }


def plan_row(plan: BudgetPlan, now: datetime) -> dict[str, Any]:
    """A plan as LiteLLM's budget row. It has no window of its own: the reset is that of a budget set when the plan was made."""
    reset = window(plan.period, plan.created_at, now)[1]
    return echoed({"model_max_budget": None}, plan.extra) | {
        "budget_id": plan.pk,
        "max_budget": usd(plan.amount_nano),
        "soft_budget": usd(plan.soft_amount_nano),
        "max_parallel_requests": plan.parallel_limit,
        "tpm_limit": plan.tpm_limit,
        "rpm_limit": plan.rpm_limit,
        "budget_duration": plan.period or None,
        "budget_reset_at": reset,
        "created_at": plan.created_at,
        "created_by": plan.created_by,
        "updated_at": plan.updated_at,
        "updated_by": plan.created_by,
    }


def _moment(epoch_s: float | None) -> datetime | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC)
