"""Which thresholds of a budget a window has crossed, and the alert that tells of one. Pure: figures in, plain data out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.money import money

KIND = "budget_threshold"


def crossed(spent_nano: int, amount_nano: int, thresholds: Iterable[int]) -> list[int]:
    """The percentages that are reached, ascending, each once. A budget of nothing crosses all of them with the first cent, not before."""
    if spent_nano <= 0:
        return []
    return sorted({threshold for threshold in thresholds if spent_nano * 100 >= threshold * amount_nano})


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One threshold crossed in one window, with the figures of the moment in which it was noticed. `ends_at` None: a window without end."""

    budget_id: int
    scope: str
    scope_id: str
    model: str
    mode: str
    threshold: int
    amount_nano: int
    spent_nano: int
    starts_at: datetime
    ends_at: datetime | None
    name: str = ""

    @property
    def once_key(self) -> str:
        """Without the amount: a budget that was raised does not tell the same threshold again in the same window."""
        return f"budget:{self.budget_id}:{self.starts_at:%Y-%m-%dT%H:%M:%S.%fZ}:{self.threshold}"

    @property
    def text(self) -> str:
        whose = f"{self.scope.replace('_', ' ')} {self.name or self.scope_id}" if self.scope_id else "everyone"
        what = f"{whose} for {self.model}" if self.model else whose
        return f"{self.threshold}% of the budget of {what} is spent: {money(self.spent_nano)} of {money(self.amount_nano)}."

    def payload(self) -> dict[str, Any]:
        """All that somebody who renders it needs, without asking the database; times are epoch seconds."""
        return {
            "text": self.text,
            "budget_id": self.budget_id,
            "scope": self.scope,
            "scope_id": self.scope_id,
            "name": self.name,
            "model": self.model,
            "mode": self.mode,
            "threshold": self.threshold,
            "amount_nano": self.amount_nano,
            "spent_nano": self.spent_nano,
            "starts_at": self.starts_at.timestamp(),
            "ends_at": self.ends_at.timestamp() if self.ends_at else None,
        }
