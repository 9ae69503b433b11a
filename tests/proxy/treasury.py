"""A treasury without a database: what is left of each window, handed out whole."""

from dataclasses import dataclass, field

from billing.bank import Taken, TreasuryClosed, Wish
from billing.budget_book import BudgetBook, WindowKey


@dataclass
class MemoryTreasury:
    """`posted` and `allotted` per window; `is_open` False is a database that does not answer; `step` is what one asking gets
    at least, where it is there."""

    book: BudgetBook = field(default_factory=BudgetBook)
    posted: dict[WindowKey, int] = field(default_factory=dict)
    allotted: dict[WindowKey, int] = field(default_factory=dict)
    others: dict[WindowKey, int] = field(default_factory=dict)
    is_open: bool = True
    step: int = 10**18
    wishes: list[Wish] = field(default_factory=list)

    async def take(self, wish: Wish) -> Taken:
        self.wishes.append(wish)
        if not self.is_open:
            raise TreasuryClosed
        row = self.book.by_id.get(wish.key[0])
        if row is None:
            return Taken(wish.need, 0, 0, window_id=1)
        posted, others = self.posted.get(wish.key, 0), self.others.get(wish.key, 0)
        left = row.amount_nano - posted - others - self.allotted.get(wish.key, 0)
        amount = max(0, min(left, max(wish.need, self.step)))
        self.allotted[wish.key] = self.allotted.get(wish.key, 0) + amount
        return Taken(amount, posted, left - amount, others, window_id=1)

    def give_back(self, amounts: dict[WindowKey, int]) -> None:
        for key, amount in amounts.items():
            self.allotted[key] -= amount
