"""Keeps one process's bank in step with the database: heartbeat each second, shares out and home, all of it off the path of calls.

Database work runs in one thread of its own, in order. The event loop alone touches purses.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, close_old_connections, connection

from billing import shares
from billing.bank import BURST_S, LEASE_S, Bank, Moved, Taken, TreasuryClosed, Wish
from billing.budget_book import BudgetBook, WindowKey
from billing.holds import Purse

logger = logging.getLogger(__name__)

BEAT_S = 1.0
IDLE_S = 5.0
# How long a window of ours is looked after once nothing happens in it any more.
WATCH_S = 60.0
CLOCK_SLACK_S = 2.0
BEATS_PER_REAP = 10

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Keeper:
    """The treasury of this process's bank, and the beat that renews its lease."""

    def __init__(self, instance_id: str, lease_s: float = LEASE_S) -> None:
        self.bank = Bank(self)
        self._instance_id = instance_id
        self._lease_s = lease_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shares")
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._told: dict[int, shares.Figures] = {}
        self._settled: dict[WindowKey, int] = {}
        self._keeps_idle = shares.is_one_disk()
        self._was_lost = False
        self._is_stopping = False
        self._beats = 0

    async def start(self) -> None:
        begun = time.monotonic()
        await self._run(shares.enrol, self._instance_id, socket.gethostname())
        self.bank.leased_until = begun + self._lease_s
        self._task = asyncio.create_task(self._beat_forever())

    async def processes(self) -> int:
        """How many live processes there are, this one among them."""
        return await self._run(shares.alive().count)

    async def stop(self) -> None:
        """The shares go home when the journal is posted to its end (shares.retire)."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._is_stopping = True
        with contextlib.suppress(TreasuryClosed):
            await self._run(connection.close)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def posted(self, moves: Iterable[Moved]) -> None:
        """For the drainer's thread, before it commits: so that whoever reads the new totals has heard of them first."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody looks at purses any more
            self._loop.call_soon_threadsafe(self.bank.posted, list(moves))

    def use(self, book: BudgetBook) -> None:
        """For the refresher's threads: the budgets may have changed."""
        self._loop.call_soon_threadsafe(self._use, book)

    def _use(self, book: BudgetBook) -> None:
        self._give_back_soon(self.bank.use(book))

    async def take(self, wish: Wish) -> Taken:
        if self._is_stopping:
            raise TreasuryClosed
        return await self._run(shares.take, self._instance_id, wish)

    async def _run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """`work` in the database thread; TreasuryClosed when the database does not do it."""

        def run() -> _T:
            close_old_connections()
            try:
                return work(*args, **kwargs)
            except DatabaseError:
                connection.close()
                raise

        try:
            return await self._loop.run_in_executor(self._thread, run)
        except (DatabaseError, RuntimeError) as error:
            raise TreasuryClosed from error

    async def _beat_forever(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                await self._beat()
            except TreasuryClosed as closed:
                if not failing:
                    cause = type(closed.__cause__).__name__
                    logger.error("budgets cannot be kept; shares last until the lease is over", extra={"fields": {"error": cause}})
                failing = True
                continue
            if failing:
                logger.warning("budgets are kept again")
            failing = False

    async def _beat(self) -> None:
        begun = time.monotonic()
        purses = [purse for purse in self.bank.purses.values() if purse.window_id]
        figures = self._changed(purses)
        watched = [purse.window_id for purse in purses if begun - purse.used_at < WATCH_S or not purse.is_idle or purse.share]
        beat = await self._run(shares.beat, self._instance_id, figures, watched)
        if beat.is_lost:
            await self._start_over()
            return
        self.bank.leased_until = begun + self._lease_s
        self._keep_time(beat.at)
        for one in figures:
            self._told[one.window_id] = one
        for purse in purses:
            if (seen := beat.windows.get(purse.window_id)) is not None:
                self.bank.seen(purse, seen)
                purse.seen_at = begun
        await self._bring_home(begun, beat)
        if self._was_lost and self.bank.forget_lost():
            await self._run(shares.forgive, self._instance_id)
            self._was_lost = False
        self._beats += 1
        if self._beats % BEATS_PER_REAP == 0:  # also where nobody runs the periodic tasks
            await self._run(shares.reap_lost)

    def _keep_time(self, database_time: float) -> None:
        """Windows go by the database's clock: ours is corrected where it is clearly off."""
        offset = database_time - time.time()
        self.bank.clock_offset_s = offset if abs(offset) > CLOCK_SLACK_S else 0.0

    def _changed(self, purses: list[Purse]) -> list[shares.Figures]:
        """What others do not know yet; measures the burn on the way."""
        changed = []
        for purse in purses:
            spent = purse.settled - self._settled.get(purse.key, 0)
            self._settled[purse.key] = purse.settled
            purse.burn = max(purse.burn + spent - purse.burn // 60, spent * BURST_S)
            figures = shares.Figures(purse.window_id, purse.held, purse.unposted)
            if self._told.get(purse.window_id) != figures:
                changed.append(figures)
        return changed

    async def _bring_home(self, now: float, beat: shares.Beat) -> None:
        """Gives back what others want, what has lain idle, and what is left of windows that have ended."""
        amounts: dict[WindowKey, int] = {}
        for purse in list(self.bank.purses.values()):
            has_ended = purse.end is not None and time.time() > purse.end + IDLE_S
            is_unused = now - purse.used_at > IDLE_S and not self._keeps_idle
            if purse.free > 0 and (has_ended or is_unused or purse.window_id in beat.recalled):
                amounts[purse.key] = purse.empty()
            elif purse.is_idle and not purse.share:
                if stray := beat.own.get(purse.window_id, 0):  # it was on its way home, or to us, when the database went away
                    amounts[purse.key] = stray
                elif (has_ended or now - purse.used_at > WATCH_S) and not purse.waiters:
                    self._forget(purse)
        if amounts:
            await self._run(shares.give_back, self._instance_id, amounts)

    def _forget(self, purse: Purse) -> None:
        del self.bank.purses[purse.key]
        self._settled.pop(purse.key, None)
        self._told.pop(purse.window_id, None)

    def _give_back_soon(self, amounts: dict[WindowKey, int]) -> None:
        if amounts:
            task = self._loop.create_task(self._run(shares.give_back, self._instance_id, amounts))
            task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    async def _start_over(self) -> None:
        logger.error("other processes had given this one up; it starts over from empty shares")
        self.bank.start_over()
        self._told, self._settled, self._was_lost = {}, {}, True
        await self._run(shares.enrol, self._instance_id, socket.gethostname())
