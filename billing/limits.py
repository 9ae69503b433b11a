"""Which budgets apply to a caller, and whether one of them is spent. Pure: time and totals are passed in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from billing.budget_book import BudgetBook, BudgetRow, WindowKey
from billing.periods import window
from keys.snapshot import Caller

MEMO_SIZE = 100_000


@dataclass(frozen=True, slots=True)
class Applying:
    """A budget with the window that a moment falls into; epoch seconds, `end` None for a budget without reset."""

    row: BudgetRow
    start: float
    end: float | None

    @property
    def key(self) -> WindowKey:
        return self.row.id, self.start


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A hard budget with nothing left."""

    scope: str
    amount_nano: int
    posted_nano: int
    resets_at: float | None


class Tallies:
    """What every window has spent, as this process knows it: the database's figure at load, and what was settled here since."""

    __slots__ = ("_applying", "_book", "_posted")

    def __init__(self) -> None:
        self._posted: dict[WindowKey, int] = {}
        self._applying: dict[tuple[str, ...], tuple[float, float, tuple[Applying, ...]]] = {}
        self._book: BudgetBook | None = None

    def posted(self, key: WindowKey) -> int:
        return self._posted.get(key, 0)

    def add(self, keys: Iterable[WindowKey], amount_nano: int) -> None:
        for key in keys:
            self._posted[key] = self._posted.get(key, 0) + amount_nano

    def merge(self, posted: Mapping[WindowKey, int]) -> None:
        """Takes the database's totals where they are ahead of ours; ours lead by what is still in the journal. Forgets windows before."""
        since = dict(posted.keys())  # the start of each budget's window
        for key in [key for key in self._posted if key[1] < since.get(key[0], key[1])]:
            del self._posted[key]
        for key, amount in posted.items():
            self._posted[key] = max(amount, self._posted.get(key, 0))

    def applying(self, caller: Caller, book: BudgetBook, now: float) -> tuple[Applying, ...]:
        """The budgets over a caller at `now`, worked out once per caller until a window ends or the book changes."""
        if book is not self._book or len(self._applying) > MEMO_SIZE:
            self._book = book
            self._applying.clear()
        who = (caller.key_id, caller.user_id, caller.team_id, caller.organisation_id)
        known = self._applying.get(who)
        if known is not None and known[0] <= now < known[1]:
            return known[2]
        found = tuple(_apply(row, now) for row in rows_of(caller, book))
        since = max((one.start for one in found), default=0.0)
        until = min((one.end for one in found if one.end is not None), default=float("inf"))
        self._applying[who] = (since, until, found)
        return found


def rows_of(caller: Caller, book: BudgetBook) -> list[BudgetRow]:
    scopes = (
        ("key", caller.key_id),
        ("user", caller.user_id),
        ("team", caller.team_id),
        ("organisation", caller.organisation_id),
        ("global", ""),
    )
    return [row for scope, name in scopes if name or scope == "global" for row in book.by_scope.get((scope, name), ())]


def _apply(row: BudgetRow, now: float) -> Applying:
    start, end = window(row.period, row.anchored_at, datetime.fromtimestamp(now, UTC), row.time_zone)
    return Applying(row, start.timestamp(), end.timestamp() if end else None)


def first_exceeded(applying: Iterable[Applying], tallies: Tallies) -> Exceeded | None:
    """The first hard budget whose posted money has reached its amount."""
    for one in applying:
        posted = tallies.posted(one.key)
        if one.row.is_hard and posted >= one.row.amount_nano:
            return Exceeded(one.row.scope, one.row.amount_nano, posted, one.end)
    return None
