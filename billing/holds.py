"""Money set aside for calls under way, in memory: purses (this process's share of one window each) and holds over several of them.

Pure and synchronous: what is decided here between two lines is decided for the whole process. A hold is opened in every purse or in none,
may grow, and ends exactly once, settled or released.
"""

from collections.abc import Callable, Sequence

from billing.budget_book import BudgetRow, WindowKey
from billing.limits import Applying
from billing.standing import Standing


class Purse:
    """This process's share of one budget window, nano-USD.

    `share` is what the database has allotted to us, `held` what calls under way may cost; `settled` minus `drained` is spent and not posted
    yet. The figures of the whole window (`posted`, `left`, `others_*`) are as of `seen_at`.
    """

    __slots__ = (
        "ask_again_at",
        "burn",
        "drained",
        "end",
        "held",
        "key",
        "left",
        "low",
        "others_held",
        "others_share",
        "others_unposted",
        "posted",
        "row",
        "seen_at",
        "settled",
        "share",
        "start",
        "used_at",
        "waiters",
        "wanted",
        "window_id",
    )

    def __init__(self, one: Applying) -> None:
        self.row: BudgetRow = one.row
        self.key: WindowKey = one.key
        self.start = one.start
        self.end = one.end
        self.window_id = 0
        self.share = self.held = self.settled = self.drained = 0
        self.posted = self.left = self.others_share = self.others_held = self.others_unposted = 0
        self.burn = self.low = self.wanted = 0
        self.seen_at = self.used_at = self.ask_again_at = 0.0
        self.waiters: set[Callable[[], None]] = set()

    @property
    def unposted(self) -> int:
        return self.settled - self.drained

    @property
    def free(self) -> int:
        return self.share - self.held - self.settled + self.drained

    def has_room(self, amount: int) -> bool:
        """In the share, and under the limit as it stands now: it may have been lowered under what the share still holds."""
        taken = self.held + self.settled - self.drained + amount
        return self.share >= taken and self.row.amount_nano >= self.posted + taken

    @property
    def spent(self) -> int:
        return self.posted + self.unposted + self.others_unposted

    @property
    def is_idle(self) -> bool:
        return not (self.held or self.settled != self.drained or self.wanted)

    @property
    def is_last_money(self) -> bool:
        """All that is left of the window is here and nobody uses it: a hard budget then admits one call, whatever it may cost."""
        if self.row.mode != "hard" or self.held or self.left > 0 or self.others_share:
            return False
        return self.free > 0 and self.row.amount_nano > self.spent

    def may_get(self, amount: int) -> bool:
        """Whether this much can come free without a reset: money that is held or lies with others may return, money spent does not."""
        room = self.row.amount_nano - self.spent
        return room >= amount if self.row.mode == "strict" else room > 0

    def empty(self) -> int:
        """Takes out what no call holds; returns how much that was."""
        unused = max(0, self.free)
        self.share -= unused
        self.low = 0
        return unused

    def standing(self, now: float) -> Standing:
        row, age = self.row, max(0.0, now - self.seen_at) if self.others_share else 0.0
        return Standing(
            row.id, row.scope, row.scope_id, row.model, row.mode, row.amount_nano, self.spent, self.held + self.others_held,
            self.start, self.end, age,
        )  # fmt: skip

    def wake(self) -> None:
        """Tells those who wait that there may be room now."""
        self.ask_again_at = 0.0
        for tell in list(self.waiters):
            tell()


class Hold:
    """`amount` is what was asked for; a purse that had less, and could give its last, holds less."""

    __slots__ = ("_parts", "amount", "is_open")

    def __init__(self, parts: list[tuple[Purse, int]], amount: int) -> None:
        self._parts = parts
        self.amount = amount
        self.is_open = True

    @classmethod
    def opened(cls, purses: Sequence[Purse], amount: int) -> "Hold | None":
        """In every purse, or None and nothing changed."""
        for purse in purses:
            if not purse.has_room(amount):
                return None
        for purse in purses:
            purse.held += amount
        return cls([(purse, amount) for purse in purses], amount)

    @classmethod
    def last(cls, purses: Sequence[Purse], amount: int) -> "Hold | None":
        """As `opened`, but a hard budget near its end gives its last money to one call, though that may cost more."""
        if not all(purse.has_room(amount) or purse.is_last_money for purse in purses):
            return None
        parts = [(purse, min(amount, purse.free)) for purse in purses]
        for purse, part in parts:
            purse.held += part
        return cls(parts, amount)

    @property
    def purses(self) -> list[Purse]:
        return [purse for purse, _ in self._parts]

    def extend(self, more: int) -> bool:
        """In every purse, or in none."""
        if not self.is_open or not all(purse.has_room(more) for purse, _ in self._parts):
            return False
        self._grow(more)
        return True

    def shrink(self, less: int) -> None:
        """What turned out not to be needed; a purse never gives back more than it holds for this call."""
        if self.is_open:
            self._grow(-less)
            self._wake()

    def _grow(self, more: int) -> None:
        parts = [(purse, max(0, part + more)) for purse, part in self._parts]
        for (purse, before), (_, after) in zip(self._parts, parts, strict=True):
            purse.held += after - before
        self._parts = parts
        self.amount += more

    def settle(self, actual: int) -> None:
        """The cost, whatever it came to: money spent is counted though it was not held."""
        if self.is_open:
            self.is_open = False
            for purse, part in self._parts:
                purse.settled += actual
                purse.held -= part
            self._wake()

    def release(self) -> None:
        self.settle(0)

    def _wake(self) -> None:
        for purse, _ in self._parts:
            if purse.waiters or purse.ask_again_at:
                purse.wake()
