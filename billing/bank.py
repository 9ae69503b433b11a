"""The bank of one process: its purses, filled from the treasury (the database) off the path, and the wait for money that others hold.

Admission is two steps: `try_hold` decides in memory without a wait; only when a purse is short `hold` asks the treasury, and waits a moment
when nothing but held money is in the way. Everything here runs on the event loop.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from billing.budget_book import BudgetBook, WindowKey
from billing.holds import Hold, Purse
from billing.limits import Applying
from billing.standing import Standing

LEASE_S = 90.0
# How long a call waits for money that only other calls hold, and for the treasury's answer.
WAIT_S = 2.0
ASK_AGAIN_S = 0.25
SPENT_FOR_S = 1.0
# A rush is met with so many seconds of its own, before a minute has shown what it comes to.
BURST_S = 10


class Taken(NamedTuple):
    """What a purse got, and how its whole window stands: others are the shares of other processes."""

    amount: int
    posted: int
    left: int
    others_share: int = 0
    others_held: int = 0
    others_unposted: int = 0
    window_id: int = 0


class Wish(NamedTuple):
    """`need` is what must be there for the calls that wait, `burn` what the last minute cost here."""

    key: WindowKey
    need: int
    burn: int


class Treasury(Protocol):
    async def take(self, wish: Wish) -> Taken:
        """Raises TreasuryClosed."""
        ...


class TreasuryClosed(Exception):
    """The database does not answer."""


class Exceeded(Exception):
    """A budget has no room for the call; `waited` when only held money was in the way."""

    def __init__(self, purse: Purse) -> None:
        super().__init__("budget exceeded")
        self.purse = purse


@dataclass(frozen=True, slots=True)
class Moved:
    """What the drainer posted for one window: how much, and how much of it came out of our share."""

    key: WindowKey
    amount: int
    taken: int


class Bank:
    """`clock` is monotonic. The lease is renewed by the keeper's heartbeat; without one, it never runs out."""

    def __init__(self, treasury: Treasury, clock: Callable[[], float] = time.monotonic, wait_s: float = WAIT_S) -> None:
        self.purses: dict[WindowKey, Purse] = {}
        self.leased_until = float("inf")
        self.clock_offset_s = 0.0
        self._treasury = treasury
        self._clock = clock
        self._wait_s = wait_s
        self._filling: dict[WindowKey, asyncio.Task[None]] = {}
        self._lost: list[Purse] = []

    def purses_of(self, applying: Iterable[Applying]) -> list[Purse]:
        """Those that can refuse a call."""
        found, purses = [], self.purses
        for one in applying:
            if one.blocks:
                purse = purses.get(one.key)
                if purse is None:
                    purse = purses[one.key] = Purse(one)
                found.append(purse)
        return found

    def try_hold(self, purses: Sequence[Purse], amount: int) -> Hold | None:
        """Opens the hold from what is here, or nothing happens."""
        now = self._clock()
        if now > self.leased_until:
            return None
        hold = Hold.opened(purses, amount)
        if hold is not None:
            for purse in purses:
                purse.used_at = now
                if purse.low and purse.free < purse.low and purse.key not in self._filling:
                    self._fill(purse)
        return hold

    async def hold(self, purses: Sequence[Purse], amount: int) -> Hold:
        """Opens the hold in all purses; raises Exceeded or TreasuryClosed."""
        give_up_at = self._clock() + self._wait_s
        while True:
            if self._clock() > self.leased_until:
                raise TreasuryClosed
            short = [purse for purse in purses if not purse.has_room(amount)]
            await self._fill_all(short, amount, give_up_at)
            hold = self.try_hold(purses, amount) or Hold.last(purses, amount)
            if hold is not None:
                return hold
            short = [purse for purse in purses if not purse.has_room(amount) and not purse.is_last_money]
            if short:
                await self._wait_for_room(short, amount, give_up_at)

    async def meet(self, purses: Sequence[Purse]) -> None:
        """Learns how windows stand that this process has not spent from yet; raises TreasuryClosed."""
        strangers = [purse for purse in purses if not purse.seen_at]
        await self._fill_all(strangers, 1, self._clock() + self._wait_s)

    async def extend(self, hold: Hold, more: int) -> bool:
        """Grows a hold, under the same terms; False when there is no room or the treasury is closed."""
        give_up_at = self._clock() + self._wait_s
        while not hold.extend(more):
            try:
                await self._fill_all([purse for purse in hold.purses if not purse.has_room(more)], more, give_up_at)
                if hold.extend(more):
                    return True
                await self._wait_for_room([purse for purse in hold.purses if not purse.has_room(more)], more, give_up_at)
            except (Exceeded, TreasuryClosed):
                return False
            if not hold.is_open or self._clock() > self.leased_until:
                return False
        return True

    def posted(self, moves: Iterable[Moved]) -> None:
        """The drainer has posted money that was settled here."""
        for move in moves:
            amount = self._posted_of_lost(move)
            purse = self.purses.get(move.key)
            if purse is not None:
                purse.share -= move.taken
                purse.drained += amount
                purse.posted += move.amount
                if purse.waiters or purse.ask_again_at:
                    purse.wake()

    def _posted_of_lost(self, move: Moved) -> int:
        """The part that was settled in this life."""
        amount = move.amount
        for purse in self._lost:
            if purse.key == move.key and amount > 0:
                part = min(amount, purse.unposted)
                purse.drained += part
                amount -= part
        return amount

    def use(self, book: BudgetBook) -> dict[WindowKey, int]:
        """The budgets have changed: what was refused may be tried again. Returns what goes home, to be taken anew on the new terms."""
        home: dict[WindowKey, int] = {}
        for purse in self.purses.values():
            row = book.by_id.get(purse.row.id)
            if row != purse.row:
                purse.row = row or purse.row
                home[purse.key] = purse.empty()
            purse.wake()
        return {key: amount for key, amount in home.items() if amount}

    def standing(self, purse: Purse) -> Standing:
        return purse.standing(self._clock())

    def start_over(self) -> list[Purse]:
        """Others have given us up for lost and posted our shares: what is under way keeps its old purses, new calls start from nothing."""
        lost = [purse for purse in self.purses.values() if purse.held or purse.unposted]
        for purse in self.purses.values():
            purse.wake()
        self._lost += lost
        self.purses = {}
        return lost

    def forget_lost(self) -> bool:
        """Whether the old purses have all come to their end; they are then forgotten."""
        if any(purse.held or purse.unposted for purse in self._lost):
            return False
        self._lost = []
        return True

    async def _wait_for_room(self, short: Sequence[Purse], amount: int, give_up_at: float) -> None:
        """Raises Exceeded where no waiting helps, or when it took too long. No wait where the treasury has more: it is asked again."""
        for purse in short:
            can_return = purse.held or purse.others_share or purse.left > 0
            if not (can_return and purse.may_get(amount)):
                raise Exceeded(purse)
        now = self._clock()
        if now >= give_up_at:
            raise Exceeded(short[0])
        if any(purse.left > 0 and now >= purse.ask_again_at for purse in short):
            return
        await self._room(short, min(give_up_at - now, ASK_AGAIN_S))

    async def _fill_all(self, short: Sequence[Purse], amount: int, give_up_at: float) -> None:
        now = self._clock()
        asking = [purse for purse in short if now >= purse.ask_again_at]
        for purse in asking:
            purse.wanted += amount
        try:
            for purse in asking:
                task = self._filling.get(purse.key) or self._fill(purse)
                await asyncio.wait({task}, timeout=max(0.0, give_up_at - self._clock()))
                if task.done():
                    task.result()
                elif purse.seen_at < give_up_at - self._wait_s:
                    raise TreasuryClosed  # not a word from it in all the time
        finally:
            for purse in asking:
                purse.wanted -= amount

    def _fill(self, purse: Purse) -> asyncio.Task[None]:
        """One question at a time for a purse; who comes meanwhile waits for the answer. It is taken in even if nobody waits any more."""
        task = asyncio.create_task(self._take(purse))
        self._filling[purse.key] = task

        def done(ended: asyncio.Task[None]) -> None:
            self._filling.pop(purse.key, None)
            if not ended.cancelled():
                ended.exception()  # a fill ahead of need has nobody who would look

        task.add_done_callback(done)
        return task

    async def _take(self, purse: Purse) -> None:
        need = max(purse.wanted, purse.low * 2) - purse.free
        if need <= 0:  # it came back meanwhile, or the limit was lowered under it
            purse.ask_again_at = self._clock() + ASK_AGAIN_S * (not purse.has_room(purse.wanted))
            return
        # What calls under way may cost and what was just spent is spending too, before a beat has measured it.
        taken = await self._treasury.take(Wish(purse.key, need, max(purse.burn, purse.held + purse.unposted * BURST_S)))
        now = self._clock()
        purse.window_id = taken.window_id
        purse.share += taken.amount
        purse.seen_at = purse.used_at = now
        self.seen(purse, taken)
        # more is fetched ahead only where a minute's spending is more than a call's hold
        purse.low = taken.amount // 4 if taken.left > 0 and taken.amount > need else 0
        if taken.amount < need:
            is_coming = taken.others_share or purse.held
            purse.ask_again_at = now + (ASK_AGAIN_S if is_coming else SPENT_FOR_S)

    def seen(self, purse: Purse, taken: Taken) -> None:
        purse.posted, purse.left = taken.posted, taken.left
        purse.others_share, purse.others_held, purse.others_unposted = taken.others_share, taken.others_held, taken.others_unposted

    async def _room(self, short: Sequence[Purse], for_s: float) -> None:
        """Until one of the purses may have room, at most `for_s`."""
        room = asyncio.Event()
        for purse in short:
            purse.waiters.add(room.set)
        try:
            async with asyncio.timeout(for_s):
                await room.wait()
        except TimeoutError:
            pass
        finally:
            for purse in short:
                purse.waiters.discard(room.set)
