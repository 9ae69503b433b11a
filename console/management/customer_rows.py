"""End users as LiteLLM's rows of customers. Any number of them costs the same few queries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.models import Budget
from console.management.budget_table import budget_table
from console.management.fields import echoed
from console.management.terms import MoneyRows
from console.management.wire import usd
from console.use_cases import spent_in_ledger
from keys.models import EndUser

# Where an end user's row keeps the region that a script asked for.
REGION = "allowed_model_region"


def customer_row(customer: EndUser, now: datetime) -> dict[str, Any]:
    return customer_rows([customer], now)[0]


def customer_rows(customers: Sequence[EndUser], now: datetime) -> list[dict[str, Any]]:
    ids = [customer.pk for customer in customers]
    moneys, totals = MoneyRows(Budget.Scope.END_USER, ids, now), spent_in_ledger("end_user", ids)
    return [_row(customer, moneys.row(customer.pk), usd(totals.get(customer.pk, 0))) for customer in customers]


def _row(customer: EndUser, money: dict[str, Any], spent: Any) -> dict[str, Any]:
    return echoed({"object_permission": None}, customer.extra) | {
        "user_id": customer.pk,
        "alias": customer.name or None,
        "blocked": customer.is_blocked,
        "spend": money.get("spend", spent),
        "default_model": customer.default_model or None,
        REGION: customer.metadata.get(REGION),
        "budget_id": money["budget_id"],
        "litellm_budget_table": budget_table(money),
        "budgets": money["budgets"],
        "created_at": customer.created_at,
    }
