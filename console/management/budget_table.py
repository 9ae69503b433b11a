"""LiteLLM keeps the money of organisations, customers and tags in a table of its own, so their rows have one even without a plan."""

from typing import Any

TERMS = ("max_budget", "soft_budget", "budget_duration", "budget_reset_at", "model_max_budget", "budget_id")


def budget_table(money: dict[str, Any]) -> dict[str, Any] | None:
    """Out of a row of MoneyRows; nothing where there is no budget."""
    if money["litellm_budget_table"] or not money["budgets"]:
        return money["litellm_budget_table"] or None
    return {name: money[name] for name in TERMS}
