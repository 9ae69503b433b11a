"""Budgets as the command line shows them: JSON rows, a table, and the sentence that a refused caller reads."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from billing.models import Budget, BudgetPlan
from billing.money import money, usd
from billing.scopes import names_of
from billing.standing import sentence
from billing.status import burns, standings
from gateway_project.tables import Table, Word, share

HEAD = ("no", "for", "model", "mode", "used", "spent", "held", "left", "of", "resets", "runs out")
FIGURES = ("no", "used", "spent", "held", "left", "of")
PLAN_HEAD = ("name", "amount", "soft", "period", "rpm", "tpm", "parallel", "budgets")
PLAN_FIGURES = ("amount", "soft", "rpm", "tpm", "parallel", "budgets")
MOMENT = "%Y-%m-%d %H:%M"


def budget_rows(budgets: Sequence[Budget], now: datetime) -> list[dict[str, Any]]:
    """Amounts are US dollars as text, to the last digit; moments are UTC."""
    standing = standings(budgets, now)
    burn = burns(budgets, standing, now)
    names = names_of((budget.scope, budget.scope_id) for budget in budgets)
    rows = []
    for budget in budgets:
        one, name = standing[budget.pk], names.get((budget.scope, budget.scope_id), budget.scope_id)
        rows.append(
            {
                "id": budget.pk,
                "scope": budget.scope,
                "scope_id": budget.scope_id,
                "name": name,
                "model": budget.model or None,
                "mode": budget.mode,
                "period": budget.period or None,
                "time_zone": budget.time_zone,
                "thresholds": budget.thresholds,
                "clamp_output": budget.clamp_output,
                "plan": budget.plan_id,
                "amount": dollars(one.amount_nano),
                "spent": dollars(one.spent_nano),
                "held": dollars(one.held_nano),
                "left": dollars(one.left_nano),
                "used_percent": one.used_percent,
                "seconds_old": round(one.age_s, 1),
                "starts_at": _iso(one.starts_at),
                "resets_at": _iso(one.resets_at),
                "per_day": dollars(burn[budget.pk].per_day_nano),
                "runs_out_at": _iso(burn[budget.pk].runs_out_at),
                "text": sentence(one, name),
            }
        )
    return rows


def budget_table(budgets: Sequence[Budget], now: datetime) -> Table:
    standing = standings(budgets, now)
    burn = burns(budgets, standing, now)
    names = names_of((budget.scope, budget.scope_id) for budget in budgets)
    lines: list[tuple[str | Word, ...]] = []
    for budget in budgets:
        one = standing[budget.pk]
        whose = f"{budget.get_scope_display()} {names.get((budget.scope, budget.scope_id), '(deleted)')}".strip()
        amounts = (money(nano) for nano in (one.spent_nano, one.held_nano, one.left_nano, one.amount_nano))
        ends = (_short(one.resets_at), _short(burn[budget.pk].runs_out_at))
        lines.append((str(budget.pk), whose, budget.model or "all", budget.mode, share(one.used_percent), *amounts, *ends))
    return Table(HEAD, lines, FIGURES)


def plan_table(plans: Iterable[BudgetPlan]) -> Table:
    return Table(PLAN_HEAD, [_plan_line(plan) for plan in plans], PLAN_FIGURES)


def _plan_line(plan: BudgetPlan) -> tuple[str, ...]:
    amounts = ("" if nano is None else money(nano) for nano in (plan.amount_nano, plan.soft_amount_nano))
    limits = ("" if limit is None else f"{limit:,}" for limit in (plan.rpm_limit, plan.tpm_limit, plan.parallel_limit))
    return (plan.pk, *amounts, plan.period or "never", *limits, str(plan.budgets.count()))


def plan_row(plan: BudgetPlan) -> dict[str, Any]:
    return {
        "name": plan.pk,
        "amount": None if plan.amount_nano is None else dollars(plan.amount_nano),
        "soft_amount": None if plan.soft_amount_nano is None else dollars(plan.soft_amount_nano),
        "period": plan.period or None,
        "rpm_limit": plan.rpm_limit,
        "tpm_limit": plan.tpm_limit,
        "parallel_limit": plan.parallel_limit,
        "budgets": plan.budgets.count(),
    }


def dollars(nano: int) -> str:
    return f"{usd(nano):f}"


def _iso(epoch_s: float | None) -> str | None:
    return None if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC).isoformat()


def _short(epoch_s: float | None) -> str:
    return "never" if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC).strftime(MOMENT)
