"""Which budgets apply to a call, and which window of each its moment falls into. Pure: time is passed in."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from billing.budget_book import BudgetBook, BudgetRow, WindowKey
from billing.periods import window

MEMO_SIZE = 100_000


class Spender(NamedTuple):
    """Who spends on what: everything that a budget's scope can name. Tags, end user and model stay empty when no budget looks at them."""

    key_id: str
    user_id: str
    team_id: str
    organisation_id: str
    tags: tuple[str, ...] = ()
    end_user: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Applying:
    """A budget with the window that a moment falls into; epoch seconds, `end` None for a budget without reset."""

    row: BudgetRow
    start: float
    end: float | None
    key: WindowKey = field(init=False, repr=False, compare=False)
    blocks: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.row.id, self.start))
        object.__setattr__(self, "blocks", self.row.blocks)


class BudgetFinder:
    """Works out a spender's budgets once, until a window ends or the book changes."""

    __slots__ = ("_book", "_known")

    def __init__(self) -> None:
        self._known: dict[Spender, tuple[float, float, tuple[Applying, ...]]] = {}
        self._book: BudgetBook | None = None

    def applying(self, who: Spender, book: BudgetBook, now: float) -> tuple[Applying, ...]:
        if book is not self._book or len(self._known) > MEMO_SIZE:
            self._book = book
            self._known.clear()
        known = self._known.get(who)
        if known is not None and known[0] <= now < known[1]:
            return known[2]
        found = tuple(_apply(row, now) for row in rows_of(who, book))
        since = max((one.start for one in found), default=0.0)
        until = min((one.end for one in found if one.end is not None), default=float("inf"))
        self._known[who] = (since, until, found)
        return found


def rows_of(who: Spender, book: BudgetBook) -> list[BudgetRow]:
    """In the order in which a refusal is looked for: the closest to the caller first."""
    scopes = [
        ("key", who.key_id),
        ("user", who.user_id),
        ("member", f"{who.team_id}/{who.user_id}" if who.team_id and who.user_id else ""),
        ("team", who.team_id),
        *(("tag", tag) for tag in who.tags),
        ("end_user", who.end_user),
        ("organisation", who.organisation_id),
    ]
    named = [row for scope, name in scopes if name for row in book.by_scope.get((scope, name), ())]
    return [row for row in (*named, *book.by_scope.get(("global", ""), ())) if row.covers(who.model)]


def _apply(row: BudgetRow, now: float) -> Applying:
    start, end = window(row.period, row.anchored_at, datetime.fromtimestamp(now, UTC), row.time_zone)
    return Applying(row, start.timestamp(), end.timestamp() if end else None)
