"""Rate limits in memory: requests and tokens in any minute, calls at once. Pure: `now` is passed in, in monotonic seconds.

A call enters under all of its limits or under none; a refused call counts nowhere. Nothing here waits or asks anybody
(`rates_redis.py` shares the limits among processes).
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from keys.snapshot import Caller, Limit, LimitKind, LimitScope

WINDOW_S = 60.0
# What comes within this time of each other is counted as one mark, which keeps a busy window small.
GRAIN_S = 0.1
# Nobody can say when a call under way ends.
PARALLEL_RETRY_S = 2.0
FEW = 1024


class Mark:
    """An amount counted between two moments. It leaves its window when the later one does, so never too early."""

    __slots__ = ("amount", "first", "last")

    def __init__(self, amount: int, now: float) -> None:
        self.amount = amount
        self.first = self.last = now


class Counter(Protocol):
    """What one limit counts."""

    @property
    def used(self) -> int:
        """As of the last look."""
        ...

    def room(self, size: int, now: float) -> int: ...

    def take(self, amount: int, now: float) -> Mark: ...

    def give_back(self, mark: Mark, amount: int) -> None: ...

    def wait_s(self, amount: int, size: int, now: float) -> float:
        """Until `amount` may fit, if nobody else comes."""
        ...

    def may_ask(self, amount: int, now: float) -> bool:
        """Whether there may be room that this process does not know of."""
        ...

    def is_idle(self, now: float) -> bool: ...


class Window:
    """What was counted in the last `span_s` seconds. A place comes free late by the grain at most, and never early."""

    __slots__ = ("_marks", "_span_s", "used")

    def __init__(self, span_s: float) -> None:
        self.used = 0
        self._span_s = span_s
        self._marks: deque[Mark] = deque()

    def room(self, size: int, now: float) -> int:
        self._forget(now)
        return size - self.used

    def take(self, amount: int, now: float) -> Mark:
        self.used += amount
        marks = self._marks
        if marks and now - marks[-1].first < GRAIN_S:
            mark = marks[-1]
            mark.amount += amount
            mark.last = now
        else:
            mark = Mark(amount, now)
            marks.append(mark)
        return mark

    def give_back(self, mark: Mark, amount: int) -> None:
        """What has left the window has come back already."""
        amount = min(amount, mark.amount)
        mark.amount -= amount
        self.used -= amount

    def wait_s(self, amount: int, size: int, now: float) -> float:
        missing = amount - self.room(size, now)
        for mark in self._marks:
            if missing <= 0:
                break
            missing -= mark.amount
            wait = mark.last + self._span_s - now
        return wait if self._marks else 0.0

    def may_ask(self, amount: int, now: float) -> bool:
        return False

    def is_idle(self, now: float) -> bool:
        self._forget(now)
        return not self._marks

    def _forget(self, now: float) -> None:
        marks, edge = self._marks, now - self._span_s
        while marks and marks[0].last <= edge:
            gone = marks.popleft()
            self.used -= gone.amount
            gone.amount = 0


NO_MARK = Mark(0, 0.0)


class Places:
    """Calls under way."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = 0

    def room(self, size: int, now: float) -> int:
        return size - self.used

    def take(self, amount: int, now: float) -> Mark:
        self.used += amount
        return NO_MARK

    def give_back(self, mark: Mark, amount: int) -> None:
        self.used -= amount

    def wait_s(self, amount: int, size: int, now: float) -> float:
        return PARALLEL_RETRY_S

    def may_ask(self, amount: int, now: float) -> bool:
        return False

    def is_idle(self, now: float) -> bool:
        return not self.used


@dataclass(frozen=True, slots=True)
class Exceeded:
    """The limit that has no room for the longest. `retry_after_s` is None where none will come."""

    limit: Limit
    used: int
    amount: int
    retry_after_s: int | None
    may_ask: bool = False


class Reserve:
    """Tokens that a call has taken of one limit: `total`, of which what lies in `mark` can be given back."""

    __slots__ = ("counter", "mark", "marked", "total")

    def __init__(self, counter: Counter, amount: int, now: float) -> None:
        self.counter = counter
        self.mark = counter.take(amount, now)
        self.marked = self.total = amount

    def correct(self, amount: int, now: float) -> None:
        """Less than was taken counts as though it had been so from the start, more counts from now on."""
        more = amount - self.total
        self.total = amount
        if more > 0:
            self.mark = self.counter.take(more, now)
            self.marked = more
        elif more:
            back = min(-more, self.marked)
            self.counter.give_back(self.mark, back)
            self.marked -= back


class Slot:
    """A call's place under all of its limits, from its entry until it leaves."""

    __slots__ = ("_counted", "_places", "_reserves", "is_open")

    def __init__(self, found: list[tuple[Limit, Counter, int]], now: float) -> None:
        """Takes the amounts of the limits' counters."""
        self.is_open = True
        self._places: list[Counter] = []
        self._counted: list[tuple[Limit, Counter, Mark]] = []
        self._reserves: list[tuple[Limit, Reserve]] = []
        for limit, counter, amount in found:
            if limit.kind == "parallel":
                counter.take(amount, now)
                self._places.append(counter)
            elif limit.kind == "rpm":
                self._counted.append((limit, counter, counter.take(amount, now)))
            else:
                self._reserves.append((limit, Reserve(counter, amount, now)))

    def settle(self, tokens: int, now: float) -> None:
        """What the call uses, in place of what was reserved; again whenever better figures come."""
        if self.is_open:
            for _, reserve in self._reserves:
                reserve.correct(tokens, now)

    def leave(self) -> None:
        """The call has ended; what it used stays counted for its minute."""
        if self.is_open:
            self.is_open = False
            for counter in self._places:
                counter.give_back(NO_MARK, 1)

    def undo(self) -> None:
        """The call was refused after all: it counts nowhere."""
        if self.is_open:
            self.leave()
            for _, counter, mark in self._counted:
                counter.give_back(mark, 1)
            for _, reserve in self._reserves:
                reserve.correct(0, 0.0)

    def tightest(self, kind: LimitKind) -> tuple[int, int] | None:
        """Size and room of that limit on requests or tokens which has the least room; None where there is none."""
        if kind == "rpm":
            rooms = [(limit.size - counter.used, limit.size) for limit, counter, _ in self._counted]
        else:
            rooms = [(limit.size - reserve.counter.used, limit.size) for limit, reserve in self._reserves]
        if not rooms:
            return None
        room, size = min(rooms)
        return size, max(0, room)


def needed(limit: Limit, tokens: int) -> int:
    """What a call takes of a limit. One that may need more tokens than the limit has takes all of it, or it could never run."""
    return max(1, min(tokens, limit.size)) if limit.kind == "tpm" else 1


class Rates:
    """The limits in use in this process."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._counters: dict[str, Counter] = {}
        self._many = FEW

    def enter(self, limits: Sequence[Limit], tokens: int, now: float) -> Slot | Exceeded:
        if len(self._counters) >= self._many:
            self._forget(now)
        found = []
        for limit in limits:
            counter = self._counters.get(limit.key) or self._open(limit)
            amount = needed(limit, tokens)
            if counter.room(limit.size, now) < amount:
                return self._refusal(limits, tokens, now)
            found.append((limit, counter, amount))
        return Slot(found, now)

    async def ask(self, limits: Sequence[Limit], tokens: int, now: float) -> Slot | Exceeded:
        """For a call that was refused here and `may_ask`: once more, with what others have to spare."""
        return self.enter(limits, tokens, now)

    def _refusal(self, limits: Sequence[Limit], tokens: int, now: float) -> Exceeded:
        refusals = [self._refused(limit, needed(limit, tokens), now) for limit in limits]
        full = [one for one in refusals if one is not None]
        longest = max(full, key=lambda one: math.inf if one.retry_after_s is None else one.retry_after_s)
        return replace(longest, may_ask=all(one.may_ask for one in full))

    def _refused(self, limit: Limit, amount: int, now: float) -> Exceeded | None:
        counter = self._counters.get(limit.key) or self._open(limit)
        if counter.room(limit.size, now) >= amount:
            return None
        if not limit.size:
            return Exceeded(limit, counter.used, amount, None)
        wait = max(1, math.ceil(counter.wait_s(amount, limit.size, now)))
        return Exceeded(limit, counter.used, amount, wait, counter.may_ask(amount, now))

    def _open(self, limit: Limit) -> Counter:
        counter = self._counters[limit.key] = self._make(limit)
        return counter

    def _forget(self, now: float) -> None:
        """Drops those that count nothing. Whenever their number has doubled, so that it costs next to nothing."""
        self._counters = {key: counter for key, counter in self._counters.items() if not counter.is_idle(now)}
        self._many = max(FEW, 2 * len(self._counters))

    def _make(self, limit: Limit) -> Counter:
        return Places() if limit.kind == "parallel" else Window(self._window_s)


def limits_of(caller: Caller, of_route: tuple[Limit, ...], model: str) -> tuple[Limit, ...]:
    """All that hold for a call to `model`: of a level's limits for models, those that name it most closely, kind by kind."""
    if not caller.model_limits:
        return caller.limits + of_route if of_route else caller.limits
    closest: dict[tuple[LimitScope, LimitKind], Limit] = {}
    for limit in caller.model_limits:
        if limit.covers(model):
            closest.setdefault((limit.scope, limit.kind), limit)
    return (*caller.limits, *closest.values(), *of_route)
