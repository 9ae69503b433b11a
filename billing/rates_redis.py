"""Rate limits shared among processes through Redis. Calls are decided in memory from what is leased; a beat each second renews the leases
of all limits in use with one script. Only a call that finds too little at hand, where others may have room, waits for a beat of its own.

When Redis fails five times in a row every process goes by its part of the limits until it answers again. Limits that are not shared, such
as the default limit of keys, never come here.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from billing.rate_leases import LEASE_S, Fleet, Leased
from billing.rates import WINDOW_S, Counter, Exceeded, Rates, Slot, needed
from billing.rates_script import SCRIPT
from keys.snapshot import Limit

logger = logging.getLogger(__name__)

BEAT_S = 1.0
# Five times this is less than a second, after which calls no longer wait for a Redis that is gone.
ANSWER_S = 0.18
CONNECT_S = 2.0
WAIT_S = 0.25
FAILURES = 5
RETRY_S = 0.02
# Limits in one run of the script, which holds up everybody else's.
CHUNK = 200


class Unanswered(Exception):
    """Redis did not do it, or not in time."""


class Link(Protocol):
    async def run(self, keys: list[str], arguments: list[str | int]) -> list[int]:
        """Raises Unanswered."""
        ...

    async def close(self) -> None: ...


class RedisLink:
    """One script at one Redis. `space` begins the names of all keys; the braces keep them together in a cluster."""

    def __init__(self, url: str, space: str = "tallygate") -> None:
        # No socket timeout: it would be kept with wait_for, which on Python 3.11 can lose the end of our own time limit.
        self._redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None, max_connections=2)
        self._space = space
        self._loading: asyncio.Task[str] | None = None

    async def run(self, keys: list[str], arguments: list[str | int]) -> list[int]:
        named = [f"{self._space}:{{rates}}:{key}" for key in ("processes", *keys)]
        loading = self._loading = self._loading or asyncio.create_task(self._load())
        try:
            async with asyncio.timeout(ANSWER_S):
                digest = await asyncio.shield(loading)
                figures: list[int] = await self._redis.evalsha(digest, len(named), *named, *arguments)
        except (RedisError, OSError, TimeoutError) as error:
            if loading.done():
                self._loading = None
            raise Unanswered(type(error).__name__) from error
        return figures

    async def _load(self) -> str:
        """Connects on the way, which may take longer than an answer may."""
        async with asyncio.timeout(CONNECT_S):
            return str(await self._redis.script_load(SCRIPT))

    async def close(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        await self._redis.aclose()


class Batch:
    """Calls that wait for the next beat, by the limits they lack."""

    __slots__ = ("done", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[Leased, list[int]] = {}
        self.done = asyncio.Event()


class LeasedRates(Rates):
    """`processes` is how many there are likely to be, until Redis tells."""

    def __init__(self, link: Link, processes: int = 1, window_s: float = WINDOW_S) -> None:
        super().__init__(window_s)
        self._fleet = Fleet(processes, window_s=window_s)
        self._link = link
        self._name = uuid.uuid4().hex
        self._batch = Batch()
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._beat_forever())

    async def stop(self) -> None:
        """What is at hand goes back to the others."""
        self._ending.set()
        self._wake.set()
        if self._task is not None:
            await self._task
        for lease in self._fleet.active:
            lease.retire()
        await self.beat()
        await self._link.close()

    async def ask(self, limits: Sequence[Limit], tokens: int, now: float) -> Slot | Exceeded:
        """Waits a moment for what others can spare; where nobody answers, goes by this process's part."""
        give_up_at = now + WAIT_S
        while True:
            at = time.monotonic()
            outcome = self.enter(limits, tokens, at)
            if isinstance(outcome, Slot) or not outcome.may_ask:
                return outcome
            if at >= give_up_at:
                return self._enter_alone(limits, tokens, at) if self._failures else outcome
            await self._answer(limits, tokens, at, give_up_at)

    async def beat(self, leases: Iterable[Leased] | None = None) -> bool:
        """Tells and asks about these limits and those that calls wait for, by default all in use. False when Redis does not answer."""
        batch, self._batch = self._batch, Batch()
        self._wake.clear()
        asked = dict.fromkeys(batch.waiting)
        asked.update(dict.fromkeys(self._fleet.active if leases is None else leases))
        try:
            for chunk in _chunks(asked):
                await self._tell(chunk, batch)
        except Unanswered as error:
            self._failed(error)
            return False
        finally:
            batch.done.set()
        return True

    async def _beat_forever(self) -> None:
        due = time.monotonic() + BEAT_S
        while not self._ending.is_set():
            await self._pause(due)
            if time.monotonic() >= due or self._failures:
                due = time.monotonic() + BEAT_S
                await self.beat()
            else:
                await self.beat(())

    async def _pause(self, due: float) -> None:
        """Until a call asks or a beat is due. After a failure soon, while that may yet be a hiccup."""
        if self._failures:
            event, for_s = self._ending, BEAT_S if self._fleet.is_alone else RETRY_S
        else:
            event, for_s = self._wake, due - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, for_s)):
                await event.wait()

    async def _tell(self, leases: list[Leased], batch: Batch) -> None:
        sent_at = time.monotonic()
        arguments: list[str | int] = [self._name, int(LEASE_S * 1000), int(self._window_s)]
        for lease in leases:
            arguments += lease.line(batch.waiting.get(lease, ()), sent_at)
        try:
            processes, *figures = await self._link.run([lease.key for lease in leases], arguments)
        except (Unanswered, asyncio.CancelledError):
            for lease in leases:
                lease.unanswered(sent_at)
            raise
        self._fleet.processes = max(1, processes)
        self._worked()
        now = time.monotonic()
        for number, lease in enumerate(leases):
            lease.answered(figures[4 * number : 4 * number + 4], sent_at, now)

    def _worked(self) -> None:
        self._failures = 0
        if self._fleet.is_alone:
            self._fleet.is_alone = False
            logger.warning("rate limits are shared again")

    def _failed(self, error: Unanswered) -> None:
        self._failures += 1
        if self._failures == FAILURES:
            self._fleet.is_alone = True
            for lease in self._fleet.active:
                lease.forgo()
            fields = {"error": str(error), "processes": self._fleet.processes}
            logger.error("Redis does not answer; each process goes by its part of the rate limits", extra={"fields": fields})

    async def _answer(self, limits: Sequence[Limit], tokens: int, now: float, give_up_at: float) -> None:
        """Until the next beat is over; it asks for what this call lacks."""
        batch = self._batch
        for limit in limits:
            counter, amount = self._counters[limit.key], needed(limit, tokens)
            if isinstance(counter, Leased) and counter.room(limit.size, now) < amount:
                batch.waiting.setdefault(counter, []).append(amount)
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(give_up_at - now):
                await batch.done.wait()

    def _enter_alone(self, limits: Sequence[Limit], tokens: int, now: float) -> Slot | Exceeded:
        was_alone = self._fleet.is_alone
        self._fleet.is_alone = True
        outcome = self.enter(limits, tokens, now)
        self._fleet.is_alone = was_alone
        return outcome

    def _make(self, limit: Limit) -> Counter:
        return Leased(limit, self._fleet) if limit.is_shared else super()._make(limit)


def _chunks(leases: Iterable[Leased]) -> Iterator[list[Leased]]:
    rest = iter(leases)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
