"""The configuration file's money: prices that its rows name, and a budget for everyone. What people set by hand stays as it is."""

from collections.abc import Iterable
from dataclasses import asdict

from django.utils import timezone

from audit.rows import ChangeRefused
from audit.trail import Actor
from billing.actions import BudgetTerms, clean_period, nano_of, remove_budget, remove_price, same_kind, set_budget, set_price
from billing.models import Budget, BudgetPlan, Price
from billing.money import money, usd_per_million
from billing.plans import change_plan, make_plan, remove_plan
from gateway_project.file_summary import Noted, differences
from gateway_project.general_file import FileBudget
from gateway_project.model_list import FileDeployment
from gateway_project.price_keys import FilePrice

# What marks a price and a budget as the file's own.
NOTE = "configuration file"
PLAN = "configuration-file"
Name = tuple[str, str]


# ── prices ────────────────────────────────────────────────────────────────────
def apply_prices(rows: Iterable[FileDeployment], noted: Noted, actor: Actor) -> None:
    """A price that changes is in force from now on; what calls have cost stays."""
    wanted: dict[Name, FilePrice] = {}
    for row in rows:
        if row.price and wanted.setdefault(name := priced_name(row), row.price) != row.price:
            noted.left.append(f"price {'/'.join(name)}: rows of the file differ, the first counts")
    for name, price in wanted.items():
        _put(name, price, noted, actor)
    for known in Price.objects.filter(note=NOTE):
        if (known.provider, known.model) not in wanted:
            remove_price(known, actor=actor)
            noted.removed.append(f"price {known}")


def priced_name(row: FileDeployment) -> Name:
    return row.provider, row.base_model or row.model


def own_price(name: Name) -> Price | None:
    """The newest price of our own for a model in its standard variant."""
    return Price.objects.filter(provider=name[0], model=name[1], variant="").order_by("-starts_at").first()


def as_written(price: Price) -> FilePrice:
    return FilePrice(*(getattr(price, column) for column in FilePrice.__dataclass_fields__))


def _put(name: Name, price: FilePrice, noted: Noted, actor: Actor) -> None:
    known, shown = own_price(name), f"price {'/'.join(name)}"
    if known and as_written(known) == price:
        return
    if known and known.note != NOTE:
        noted.left.append(f"{shown} was set by hand and stays as it is; remove it there to let the file's take its place")
        return
    row = Price(provider=name[0], model=name[1], starts_at=timezone.now(), note=NOTE, **asdict(price))
    try:
        set_price(row, actor=actor)
    except ChangeRefused as error:
        raise ChangeRefused(f"{shown}: {error}", field=error.field) from error
    if known:
        noted.changed.append(f"{shown}: {differences(asdict(as_written(known)), asdict(price))}")
    else:
        dollars = [f"${usd_per_million(pico).normalize():f}" for pico in (price.input_pico, price.output_pico)]
        noted.created.append(f"{shown}: {dollars[0]} in, {dollars[1]} out per million tokens")


# ── a budget for everyone ─────────────────────────────────────────────────────
def apply_budget(wanted: FileBudget | None, noted: Noted, actor: Actor) -> None:
    """It hangs on a plan of the file's, which it leaves when somebody sets it by hand."""
    plan = BudgetPlan.objects.filter(pk=PLAN).first()
    if wanted is None:
        if plan:
            for budget in plan.budgets.all():
                remove_budget(budget, actor=actor)
            remove_plan(plan, actor=actor)
            noted.removed.append("budget for everyone")
        return
    terms = _terms(wanted)
    before = own_budget()
    other = same_kind(Budget.Scope.GLOBAL, "", terms)
    if other and other.plan_id != PLAN:
        noted.left.append("a budget for everyone of this period was set by hand and stays; remove it to let the file's take its place")
        return
    values = {"amount_nano": terms.amount_nano, "period": terms.period}
    plan = change_plan(plan, values, actor=actor) if plan else make_plan(BudgetPlan(id=PLAN, **values), actor=actor)
    after = own_budget() or set_budget(Budget.Scope.GLOBAL, "", terms, actor=actor, plan=plan)
    if before is None:
        noted.created.append(f"budget for everyone: {_shown(after)}")
    elif (before.amount_nano, before.period) != (after.amount_nano, after.period):
        noted.changed.append(f"budget for everyone: {_shown(before)} -> {_shown(after)}")


def own_budget() -> Budget | None:
    return Budget.objects.filter(scope=Budget.Scope.GLOBAL, plan_id=PLAN).first()


def _terms(wanted: FileBudget) -> BudgetTerms:
    try:
        return BudgetTerms(nano_of(wanted.amount), clean_period(wanted.period))
    except ChangeRefused as error:
        raise ChangeRefused(f"litellm_settings.max_budget: {error}", field=error.field) from error


def _shown(budget: Budget) -> str:
    return f"{money(budget.amount_nano)} per {budget.period}" if budget.period else f"{money(budget.amount_nano)} in all"
