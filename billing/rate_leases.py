"""A shared limit in one process: what is leased to it, to be used without asking, and what it has yet to tell the others. Pure.

All that a process may use is leased first, so that leases and what was used never pass the limit together. It tells what it used, with
the age of each use, and what it keeps; the answer adds to what it keeps. When the others cannot be reached it goes by its part of the
limit, counted from its own last minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from billing.rates import PARALLEL_RETRY_S, Mark, Places, Window
from keys.snapshot import Limit

LEASE_S = 10.0
# How long after its last call a limit may keep a lease at hand.
WATCH_S = 10.0
# For how long a limit that was found full is not asked about again, unless a call of ours gives something back.
CLOSED_S = 1.0
CELLS_PER_S = 10
# The script counts in doubles.
MOST = 2**53


@dataclass(slots=True)
class Fleet:
    """What this process knows of all of them. `active` are the limits that the others have to hear of."""

    processes: int = 1
    is_alone: bool = False
    window_s: float = 60.0
    active: "set[Leased]" = field(default_factory=set)


class Leased:
    """Counter of a shared limit. `used` is what all processes have taken, as last heard, and this one since."""

    __slots__ = (
        "_closed_from",
        "_closed_until",
        "_fair",
        "_fleet",
        "_free_at",
        "_fresh",
        "_gave_back",
        "_in_hand",
        "_own",
        "_seen",
        "_sending",
        "_size",
        "_touched_at",
        "_uses",
        "_valid_until",
        "is_rate",
        "key",
    )

    def __init__(self, limit: Limit, fleet: Fleet) -> None:
        self.key = limit.key
        self.is_rate = limit.kind != "parallel"
        self._own: Window | Places = Window(fleet.window_s) if self.is_rate else Places()
        self._fleet = fleet
        self._size = limit.size
        self._in_hand = self._fair = self._seen = self._fresh = self._closed_from = 0
        self._valid_until = self._touched_at = self._closed_until = self._free_at = 0.0
        self._gave_back = False
        self._uses: dict[int, int] = {}
        self._sending: dict[int, int] = {}

    @property
    def used(self) -> int:
        """Alone, the parts of the others count as taken."""
        return self._size - self._part_of(self._size) + self._own.used if self._fleet.is_alone else self._seen

    def room(self, size: int, now: float) -> int:
        self._size, self._touched_at = size, now
        self._fleet.active.add(self)
        if self._fleet.is_alone:
            return self._part_of(size) - self._own.used if self._has_own(now) else size
        return self._in_hand if now < self._valid_until else 0

    def take(self, amount: int, now: float) -> Mark:
        self._in_hand = max(0, self._in_hand - amount)
        self._seen += amount
        self._fresh += amount
        if self.is_rate:
            cell = int(now * CELLS_PER_S) + 1
            self._uses[cell] = self._uses.get(cell, 0) + amount
        return self._own.take(amount, now)

    def give_back(self, mark: Mark, amount: int) -> None:
        if self.is_rate:
            amount = min(amount, mark.amount)
            cell = int(mark.last * CELLS_PER_S) + 1
            self._uses[cell] = self._uses.get(cell, 0) - amount
        else:
            self._in_hand += amount
        self._own.give_back(mark, amount)
        self._seen -= amount
        self._fresh -= amount
        self._closed_until = 0.0
        self._gave_back = True
        self._fleet.active.add(self)

    def wait_s(self, amount: int, size: int, now: float) -> float:
        if self._fleet.is_alone:
            return self._own.wait_s(amount, self._part_of(size), now)
        return self._free_at - now if self.is_rate else PARALLEL_RETRY_S

    def may_ask(self, amount: int, now: float) -> bool:
        return not self._fleet.is_alone and (now >= self._closed_until or amount < self._closed_from)

    def is_idle(self, now: float) -> bool:
        return self not in self._fleet.active and self._own.is_idle(now)

    def line(self, waiting: Sequence[int], now: float) -> list[int]:
        """What the others are told: `waiting` are the amounts that calls wait for. To be followed by `answered` or `unanswered`."""
        is_wanted = now - self._touched_at < WATCH_S
        if now >= self._valid_until or not is_wanted:
            self._in_hand = 0
        elif not waiting:
            self._in_hand = min(self._in_hand, self._fair)
        kept = self._in_hand
        held = 0 if self.is_rate else self._own.used
        least = max(0, min(waiting) - kept) if waiting else 0
        self._closed_from = kept + max(least, 1)
        self._fresh, self._gave_back = 0, False
        self._sending, self._uses = self._uses, {}
        # in their order: what was given back comes after what was taken
        uses = [
            (self._age_ms(cell, now), amount) for cell, amount in sorted(self._sending.items()) if amount and self._is_recent(cell, now)
        ]
        figures = [int(self.is_rate), min(self._size, MOST), kept, held, max(0, sum(waiting) - kept), least, int(is_wanted), len(uses)]
        return figures + [min(figure, MOST) for use in uses for figure in use]

    def answered(self, figures: Sequence[int], sent_at: float, now: float) -> None:
        extra, self._fair, taken, wait_ms = figures
        self._sending = {}
        self._valid_until = sent_at + LEASE_S
        self._in_hand += extra
        self._seen = taken + self._fresh
        self._free_at = now + wait_ms / 1000
        # what came back meanwhile was not yet counted when they said that there is no room
        self._closed_until = min(self._free_at, now + CLOSED_S) if wait_ms and not self._gave_back else 0.0
        is_over = now - self._touched_at >= WATCH_S and not self._uses and not self._in_hand
        if is_over and (self.is_rate or not self._own.used):
            self._fleet.active.discard(self)

    def unanswered(self, now: float) -> None:
        """What was sent is told again: if they did hear it, it counts twice, which lets nothing through."""
        for cell, amount in self._sending.items():
            if self._is_recent(cell, now):
                self._uses[cell] = self._uses.get(cell, 0) + amount
        self._sending = {}

    def forgo(self) -> None:
        """The lease counts no more."""
        self._valid_until = 0.0

    def retire(self) -> None:
        """What is at hand goes back with the next line."""
        self._touched_at = float("-inf")

    def _has_own(self, now: float) -> bool:
        return self._own.room(self._size, now) < self._size

    def _part_of(self, size: int) -> int:
        return max(1, size // self._fleet.processes) if size else 0

    def _is_recent(self, cell: int, now: float) -> bool:
        return now - cell / CELLS_PER_S < self._fleet.window_s

    def _age_ms(self, cell: int, now: float) -> int:
        return max(0, int((now - cell / CELLS_PER_S) * 1000))
