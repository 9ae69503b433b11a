"""Budgets as the data plane sees them: frozen data without Django."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

WindowKey = tuple[int, float]


def covers(family: str, model: str) -> bool:
    """Whether a budget's model, or family, takes in a public model name; an empty one takes in all."""
    return not family or family == model or (family.endswith("*") and model.startswith(family[:-1]))


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """An amount (nano-USD) per period for one scope, which people call `name`; of calls for `model` only where one is named.

    A `hard` budget admits calls while money is left, a `strict` one only what fits whole, a `soft` one everything.
    """

    id: int
    scope: str
    scope_id: str
    amount_nano: int
    period: str
    time_zone: str
    anchored_at: datetime
    mode: str = "hard"
    model: str = ""
    clamp_output: bool = False
    name: str = ""

    @property
    def blocks(self) -> bool:
        return self.mode != "soft"

    def covers(self, model: str) -> bool:
        """Whether calls for this public model name count."""
        return covers(self.model, model)


@dataclass(frozen=True, slots=True)
class BudgetBook:
    """All budgets by (scope, id). `scopes` are those in use, so that a call need not be asked for what no budget looks at."""

    by_scope: Mapping[tuple[str, str], tuple[BudgetRow, ...]] = field(default_factory=dict)
    by_id: Mapping[int, BudgetRow] = field(default_factory=dict)
    scopes: frozenset[str] = frozenset()
    names_models: bool = False

    @classmethod
    def of(cls, rows: list[BudgetRow]) -> "BudgetBook":
        by_scope: dict[tuple[str, str], tuple[BudgetRow, ...]] = {}
        for row in rows:
            by_scope[row.scope, row.scope_id] = (*by_scope.get((row.scope, row.scope_id), ()), row)
        return cls(by_scope, {row.id: row for row in rows}, frozenset(row.scope for row in rows), any(row.model for row in rows))
