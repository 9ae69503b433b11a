"""What people change about money: budgets and prices of our own. Each verb is one transaction: change, audit, notify on commit."""

from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import models, transaction
from django.utils import timezone

from audit.rows import ChangeRefused, add_row, change_row, remove_row
from audit.trail import Actor
from billing.models import Budget, Price
from billing.money import MAX_USD, NANO, BadAmount, nano
from billing.periods import BadPeriod, parse_period
from keys.models import Organisation, Team, User, VirtualKey

SCOPES: dict[str, type[models.Model]] = {
    Budget.Scope.KEY: VirtualKey,
    Budget.Scope.USER: User,
    Budget.Scope.TEAM: Team,
    Budget.Scope.ORGANISATION: Organisation,
}
LARGEST_NANO = MAX_USD * NANO
_PRICE_FIELDS = ("input_pico", "output_pico", "cache_read_pico", "cache_write_5m_pico", "cache_write_1h_pico", "web_search_pico")


@dataclass(frozen=True, slots=True)
class BudgetTerms:
    """An amount per period; an empty period is once and for all."""

    amount_nano: int
    period: str = ""
    mode: str = Budget.Mode.HARD
    time_zone: str = "UTC"


def nano_of(dollars: Decimal | str) -> int:
    """Dollars that a person or script wrote, as nano-USD."""
    try:
        amount = nano(dollars)
    except BadAmount as error:
        raise ChangeRefused(str(error), field="amount_nano") from error
    if amount < 0:
        raise ChangeRefused("An amount is 0 or more.", field="amount_nano")
    return amount


def clean_period(text: str) -> str:
    """The period as we keep it."""
    period = text.strip().lower()
    try:
        parse_period(period)
    except BadPeriod as error:
        raise ChangeRefused(str(error), field="period") from error
    return period


def check_terms(scope: str, scope_id: str, terms: BudgetTerms) -> BudgetTerms:
    if not 0 <= terms.amount_nano <= LARGEST_NANO:
        raise ChangeRefused(f"The amount lies between 0 and {MAX_USD} USD.", field="amount_nano")
    try:
        ZoneInfo(terms.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ChangeRefused(f"{terms.time_zone!r} is no time zone. Write one such as Europe/Berlin or UTC.", field="time_zone") from error
    if scope == Budget.Scope.GLOBAL:
        if scope_id:
            raise ChangeRefused("A budget for everyone names nobody.", field="scope_id")
    elif scope not in SCOPES or not SCOPES[scope]._default_manager.filter(pk=scope_id).exists():
        raise ChangeRefused(f"There is no {scope} with id {scope_id!r}.", field="scope_id")
    return BudgetTerms(terms.amount_nano, clean_period(terms.period), terms.mode, terms.time_zone)


@transaction.atomic
def set_budget(scope: str, scope_id: str, terms: BudgetTerms, *, actor: Actor) -> Budget:
    """Makes the scope's budget for that period, or changes the one it has. What was spent in the running window still counts."""
    terms = check_terms(scope, scope_id, terms)
    known = Budget.objects.filter(scope=scope, scope_id=scope_id, period=terms.period).first()
    if known:
        return change_budget(known, terms, actor=actor)
    budget = Budget(
        scope=scope, scope_id=scope_id, amount_nano=terms.amount_nano, period=terms.period, mode=terms.mode, time_zone=terms.time_zone
    )  # fmt: skip
    return add_row(budget, event="budget.set", actor=actor)


@transaction.atomic
def change_budget(budget: Budget, terms: BudgetTerms, *, actor: Actor) -> Budget:
    """Another period starts its first window now."""
    terms = check_terms(budget.scope, budget.scope_id, terms)
    current = Budget.objects.select_for_update().filter(pk=budget.pk).first()
    changes = {"amount_nano": terms.amount_nano, "period": terms.period, "mode": terms.mode, "time_zone": terms.time_zone}
    if current and current.period != terms.period:
        changes["anchored_at"] = timezone.now()
    return change_row(budget, changes, event="budget.set", actor=actor)


def remove_budget(budget: Budget, *, actor: Actor) -> None:
    """The scope is without this limit from now on. What was spent stays in the ledger."""
    remove_row(budget, event="budget.removed", actor=actor)


@transaction.atomic
def remove_budgets(scope: str, scope_id: str, *, actor: Actor) -> None:
    for budget in Budget.objects.filter(scope=scope, scope_id=scope_id):
        remove_budget(budget, actor=actor)


def set_price(price: Price, *, actor: Actor) -> Price:
    """Saves a new price, or the changed fields of one that exists. Costs already in the ledger stay as they were."""
    for name in _PRICE_FIELDS:
        value = getattr(price, name)
        if value is not None and not 0 <= value <= LARGEST_NANO:
            raise ChangeRefused("A price is 0 or more.", field=name)
    if price._state.adding:
        return add_row(price, event="price.set", actor=actor)
    names = ("provider", "model", "starts_at", "note", *_PRICE_FIELDS)
    return change_row(price, {name: getattr(price, name) for name in names}, event="price.set", actor=actor)


def remove_price(price: Price, *, actor: Actor) -> None:
    remove_row(price, event="price.removed", actor=actor)
