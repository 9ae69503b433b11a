"""What the data plane decides on: keys, prices, budgets and routes, frozen. Swapping is one assignment."""

from dataclasses import dataclass, field

from billing.budget_book import BudgetBook
from billing.snapshot import PriceBook
from keys.snapshot import KeySnapshot
from routing.snapshot import RouteTable


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`version` is the id of the newest audit event when it was loaded."""

    keys: KeySnapshot = field(default_factory=KeySnapshot)
    prices: PriceBook = field(default_factory=PriceBook)
    budgets: BudgetBook = field(default_factory=BudgetBook)
    routes: RouteTable = field(default_factory=RouteTable)
    version: int = 0
