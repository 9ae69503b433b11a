"""Budgets as the data plane sees them: frozen data without Django."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

WindowKey = tuple[int, float]


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """An amount (nano-USD) per period for one scope. `is_hard`: calls are refused once it is spent."""

    id: int
    scope: str
    scope_id: str
    amount_nano: int
    period: str
    time_zone: str
    anchored_at: datetime
    is_hard: bool = True


@dataclass(frozen=True, slots=True)
class BudgetBook:
    """All budgets by (scope, id), and what the database has posted per (budget id, window start as epoch seconds)."""

    by_scope: Mapping[tuple[str, str], tuple[BudgetRow, ...]] = field(default_factory=dict)
    posted: Mapping[WindowKey, int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: list[BudgetRow], posted: Mapping[WindowKey, int]) -> "BudgetBook":
        by_scope: dict[tuple[str, str], tuple[BudgetRow, ...]] = {}
        for row in rows:
            by_scope[row.scope, row.scope_id] = (*by_scope.get((row.scope, row.scope_id), ()), row)
        return cls(by_scope, posted)
