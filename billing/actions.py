"""What people change about money: budgets and prices of our own. Each verb is one transaction: change, audit, notify on commit."""

import re
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.rows import ChangeRefused, add_row, change_row, remove_row
from audit.trail import Actor
from billing.first_window import open_first
from billing.models import Budget, BudgetPlan, Price, default_thresholds
from billing.money import MAX_USD, NANO, BadAmount, nano
from billing.periods import CALENDAR, BadPeriod, parse_period, window
from billing.price_sense import USUAL, problem_with_rate, problem_with_variant
from billing.scopes import LONGEST_NAME, problem_with

LARGEST_NANO = MAX_USD * NANO
MOST_THRESHOLDS = 10
MAX_PERCENT = 1000
_minutes_or_months = re.compile(r"[0-9]+M")


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """An amount per period; an empty period is once and for all, an empty model every model."""

    amount_nano: int
    period: str = ""
    mode: str = Budget.Mode.HARD
    time_zone: str = "UTC"
    model: str = ""
    thresholds: tuple[int, ...] = tuple(default_thresholds())
    clamp_output: bool = False

    @classmethod
    def of(cls, budget: Budget) -> "BudgetTerms":
        values = {item.name: getattr(budget, item.name) for item in fields(cls)}
        return cls(**values | {"thresholds": tuple(budget.thresholds)})

    def values(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)} | {"thresholds": list(self.thresholds)}


def nano_of(dollars: Decimal | str) -> int:
    """Dollars that a person or script wrote, as nano-USD."""
    try:
        amount = nano(dollars)
    except BadAmount as error:
        raise ChangeRefused(str(error), field="amount_nano") from error
    if amount < 0:
        raise ChangeRefused(_("An amount is 0 or more."), field="amount_nano")
    return amount


def clean_period(text: str) -> str:
    """The period as we keep it. Capitals are taken for small letters, but for the one that could mean two things."""
    period = text.strip()
    if _minutes_or_months.fullmatch(period):
        told = _("%(period)s could be minutes or months: write %(n)sm for minutes or %(n)smo for months.")
        raise ChangeRefused(told % {"period": repr(period), "n": period[:-1]}, field="period")
    period = period.lower()
    try:
        parse_period(period)
    except BadPeriod as error:
        raise ChangeRefused(str(error), field="period") from error
    return period


def clean_terms(terms: BudgetTerms) -> BudgetTerms:
    """The terms as we keep them, or a refusal that names the field."""
    if not 0 <= terms.amount_nano <= LARGEST_NANO:
        raise ChangeRefused(_("The amount lies between 0 and %(most)s USD.") % {"most": MAX_USD}, field="amount_nano")
    if terms.mode not in Budget.Mode.values:
        told = _("%(mode)s is no mode. There are: %(modes)s.") % {"mode": repr(terms.mode), "modes": ", ".join(Budget.Mode.values)}
        raise ChangeRefused(told, field="mode")
    try:
        ZoneInfo(terms.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        told = _("%(zone)s is no time zone. Write one such as Europe/Berlin or UTC.") % {"zone": repr(terms.time_zone)}
        raise ChangeRefused(told, field="time_zone") from error
    model = terms.model.strip()
    if "*" in model[:-1] or not model.isprintable() or len(model) > LONGEST_NAME:
        raise ChangeRefused(_("Write one model name, or a family with * at its end, such as claude-opus*."), field="model")
    if len(terms.thresholds) > MOST_THRESHOLDS or not all(0 < each <= MAX_PERCENT for each in terms.thresholds):
        told = _("Write at most %(n)s percentages between 1 and %(most)s, such as 50, 80, 100.")
        raise ChangeRefused(told % {"n": MOST_THRESHOLDS, "most": MAX_PERCENT}, field="thresholds")
    return replace(terms, period=clean_period(terms.period), model=model, thresholds=tuple(sorted(set(terms.thresholds))))


def check_terms(scope: str, scope_id: str, terms: BudgetTerms) -> BudgetTerms:
    """For a scope that exists."""
    cleaned = clean_terms(terms)
    if problem := problem_with(scope, scope_id):
        raise ChangeRefused(problem, field="scope_id" if scope in Budget.Scope.values else "scope")
    return cleaned


@transaction.atomic
def set_budget(scope: str, scope_id: str, terms: BudgetTerms, *, actor: Actor, plan: BudgetPlan | None = None) -> Budget:
    """Makes the scope's budget for that model and period, or changes the one it has; a soft one stands beside one that refuses.

    What was spent in the running window still counts.
    """
    terms = check_terms(scope, scope_id, terms)
    known = same_kind(scope, scope_id, terms)
    if known:
        return change_budget(known, terms, actor=actor, plan=plan)
    now = timezone.now()
    draft = Budget(scope=scope, scope_id=scope_id, plan=plan, anchored_at=now, **terms.values())
    budget = add_row(draft, event="budget.set", actor=actor)
    open_first(budget, now)
    return budget


def same_kind(scope: str, scope_id: str, terms: BudgetTerms) -> Budget | None:
    """The scope's budget that these terms would be another version of."""
    known = list(Budget.objects.filter(scope=scope, scope_id=scope_id, model=terms.model, period=terms.period).order_by("pk"))
    is_soft = terms.mode == Budget.Mode.SOFT
    same = [budget for budget in known if (budget.mode == Budget.Mode.SOFT) == is_soft]
    return next((budget for budget in same if budget.mode == terms.mode), same[0] if same else None)


@transaction.atomic
def change_budget(budget: Budget, terms: BudgetTerms, *, actor: Actor, plan: BudgetPlan | None = None) -> Budget:
    """Another period, or other bounds of the present one, starts its first window now. Set by hand, a budget leaves its plan."""
    current = Budget.objects.select_for_update().filter(pk=budget.pk).first()
    if current is None:
        raise ChangeRefused(_("This budget no longer exists."))
    terms = clean_terms(terms)
    _check_room(current, terms)
    now, was = timezone.now(), BudgetTerms.of(current)
    changes = terms.values() | {"plan": plan or (current.plan if terms == was else None)}
    is_new = terms.model != was.model or terms.period != was.period or _start(current, was, now) != _start(current, terms, now)
    changed = change_row(current, changes | ({"anchored_at": now} if is_new else {}), event="budget.set", actor=actor)
    if is_new:
        open_first(changed, now)
    return changed


def _start(budget: Budget, terms: BudgetTerms, now: datetime) -> datetime:
    return window(terms.period, budget.anchored_at, now, terms.time_zone)[0]


def _check_room(budget: Budget, terms: BudgetTerms) -> None:
    """Two budgets of one scope differ in model, period or mode."""
    alike = Budget.objects.filter(scope=budget.scope, scope_id=budget.scope_id, model=terms.model, period=terms.period, mode=terms.mode)
    if alike.exclude(pk=budget.pk).exists():
        told = _("There is another %(mode)s budget of the same period and model. Change or remove that one.")
        raise ChangeRefused(told % {"mode": terms.mode}, field="period")


@transaction.atomic
def reset_budget(budget: Budget, *, actor: Actor) -> Budget:
    """Starts the next window now, whatever is spent in this one. Nothing is set to zero: the old window stays as it was."""
    if budget.period in CALENDAR:
        told = _(
            "This budget starts anew with each %(period)s of the calendar. "
            "Raise its amount, or give it a period that counts from now, such as 30d."
        )
        raise ChangeRefused(told % {"period": budget.period}, field="period")
    now = timezone.now()
    changed = change_row(budget, {"anchored_at": now}, event="budget.reset", actor=actor)
    open_first(changed, now)
    return changed


def remove_budget(budget: Budget, *, actor: Actor) -> None:
    """The scope is without this limit from now on. What was spent stays in the ledger."""
    remove_row(budget, event="budget.removed", actor=actor)


@transaction.atomic
def remove_budgets(scope: str, scope_id: str, *, actor: Actor) -> None:
    for budget in Budget.objects.filter(scope=scope, scope_id=scope_id):
        remove_budget(budget, actor=actor)


def set_price(price: Price, *, actor: Actor) -> Price:
    """Saves a new price, or the changed fields of one that exists. Costs already in the ledger stay as they were."""
    for name in USUAL:
        value = getattr(price, name)
        problem = "" if value is None else problem_with_rate(name, value)
        if problem:
            raise ChangeRefused(problem, field=name)
    if problem := problem_with_variant(price.variant):
        raise ChangeRefused(problem, field="variant")
    if price._state.adding:
        return add_row(price, event="price.set", actor=actor)
    names = ("provider", "model", "starts_at", "variant", "note", *USUAL)
    return change_row(price, {name: getattr(price, name) for name in names}, event="price.set", actor=actor)


def remove_price(price: Price, *, actor: Actor) -> None:
    remove_row(price, event="price.removed", actor=actor)
