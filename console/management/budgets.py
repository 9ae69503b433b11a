"""/budget/… at LiteLLM's paths: what they call a budget is a plan here, terms that keys, teams and people share."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from billing.actions import nano_of
from billing.models import BudgetPlan
from billing.plans import change_plan, make_plan, remove_plan
from console.management.askers import any_accountant, any_administrator
from console.management.auth import actor_by_key
from console.management.errors import Refused
from console.management.fields import Limits, Money, name_ignored
from console.management.terms import plan_named, plan_row
from keys.models import new_id

router = Router(tags=["budgets"], auth=any_administrator)

SETTINGS = {
    "max_budget": ("Float", "US dollars per period; calls are refused when they are spent"),
    "soft_budget": ("Float", "US dollars per period; alerts only"),
    "budget_duration": ("String", "when it starts anew: 30s, 15m, 1h, 7d, 30d, 1mo, day, week, month"),
    "tpm_limit": ("Integer", "tokens per minute"),
    "rpm_limit": ("Integer", "requests per minute"),
    "max_parallel_requests": ("Integer", "calls at the same time"),
}


class PlanFields(Money, Limits):
    budget_id: str | None = Field(None, min_length=1, max_length=64)


class NamedBudgets(Schema):
    budgets: list[str]


class NamedBudget(Schema):
    id: str


def _changes(asked: PlanFields) -> dict[str, Any]:
    """Only what was sent."""
    values = {
        "max_budget": ("amount_nano", asked.max_budget if asked.max_budget is None else nano_of(asked.max_budget)),
        "soft_budget": ("soft_amount_nano", asked.soft_budget if asked.soft_budget is None else nano_of(asked.soft_budget)),
        "budget_duration": ("period", asked.budget_duration or ""),
        "tpm_limit": ("tpm_limit", asked.tpm_limit),
        "rpm_limit": ("rpm_limit", asked.rpm_limit),
        "max_parallel_requests": ("parallel_limit", asked.max_parallel_requests),
    }
    return {ours: value for theirs, (ours, value) in values.items() if theirs in asked.model_fields_set}


@router.post("/budget/new")
def new_budget(request: HttpRequest, response: HttpResponse, asked: PlanFields) -> dict[str, Any]:
    plan = BudgetPlan(id=asked.budget_id or new_id(), **asked.kept(), **_changes(asked))
    made = make_plan(plan, actor=actor_by_key(request))
    name_ignored(response, asked.ignored())
    return plan_row(made, timezone.now())


@router.post("/budget/update")
def update_budget(request: HttpRequest, response: HttpResponse, asked: PlanFields) -> dict[str, Any]:
    """Everybody's budget that came of it changes along."""
    if not asked.budget_id:
        raise Refused("Name the budget: budget_id.", param="budget_id")
    plan = plan_named(asked.budget_id)
    changed = change_plan(plan, _changes(asked) | asked.kept(plan.extra), actor=actor_by_key(request))
    name_ignored(response, asked.ignored())
    return plan_row(changed, timezone.now())


@router.post("/budget/info", auth=any_accountant)
def budget_info(request: HttpRequest, asked: NamedBudgets) -> list[dict[str, Any]]:
    if not asked.budgets:
        raise Refused("Name the budgets: a list of ids.", param="budgets")
    return [plan_row(plan, timezone.now()) for plan in BudgetPlan.objects.filter(pk__in=asked.budgets)]


@router.get("/budget/list", auth=any_accountant)
def list_budgets(request: HttpRequest) -> list[dict[str, Any]]:
    return [plan_row(plan, timezone.now()) for plan in BudgetPlan.objects.all()]


@router.get("/budget/settings", auth=any_accountant)
def budget_settings(request: HttpRequest, budget_id: str) -> list[dict[str, Any]]:
    """The fields that can be set, with their values."""
    row = plan_row(plan_named(budget_id), timezone.now())
    return [
        {
            "field_name": name,
            "field_type": kind,
            "field_description": text,
            "field_value": row[name],
            "stored_in_db": row[name] is not None,
            "field_default_value": None,
        }
        for name, (kind, text) in SETTINGS.items()
    ]


@router.post("/budget/delete")
def delete_budget(request: HttpRequest, asked: NamedBudget) -> dict[str, Any]:
    """Those who have budgets of it keep them."""
    plan = plan_named(asked.id)
    row = plan_row(plan, timezone.now())
    remove_plan(plan, actor=actor_by_key(request))
    return row
