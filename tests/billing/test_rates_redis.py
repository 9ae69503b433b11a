"""Three processes that share one real Redis: together they never pass a limit, and what one of them leaves behind comes back."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from billing import rate_leases, rates_redis
from billing.rates import Exceeded, Slot
from billing.rates_redis import LeasedRates, RedisLink
from keys.snapshot import Limit
from tests.billing.rate_worlds import redis_link

pytestmark = pytest.mark.services

PROCESSES = 3
SPAN_S = 2
# What the clocks of a process and of Redis, and the marks of this test, may differ by.
SLACK_S = 0.02
RPM = Limit("rpm", "team", "blue", "claude-*", 60)
PARALLEL = Limit("parallel", "team", "blue", "", 7)


@asynccontextmanager
async def fleet(window_s: int = 60, space: str = "") -> AsyncIterator[list[LeasedRates]]:
    space = space or uuid.uuid4().hex
    processes = [LeasedRates(redis_link(space), window_s=window_s) for _ in range(PROCESSES)]
    for one in processes:
        one.start()
    try:
        yield processes
    finally:
        for one in processes:
            await one.stop()


async def call(rates: LeasedRates, *limits: Limit, tokens: int = 0) -> Slot | Exceeded:
    outcome = rates.enter(limits, tokens, time.monotonic())
    if isinstance(outcome, Exceeded) and outcome.may_ask:
        return await rates.ask(limits, tokens, time.monotonic())
    return outcome


async def noted(served: list[tuple[float, int]], amount: int, call: Awaitable[Slot | Exceeded]) -> Slot | Exceeded:
    """The moment of an admission, at that moment."""
    outcome = await call
    served += [(time.monotonic(), amount)] * isinstance(outcome, Slot)
    return outcome


async def slots_of(calls: list[Awaitable[Slot | Exceeded]]) -> list[Slot]:
    return [outcome for outcome in await asyncio.gather(*calls) if isinstance(outcome, Slot)]


async def until_admitted(rates: LeasedRates, *limits: Limit, patience_s: float) -> Slot:
    end = time.monotonic() + patience_s
    while not isinstance(outcome := await call(rates, *limits), Slot):
        assert time.monotonic() < end, outcome
        await asyncio.sleep(0.05)
    return outcome


def most_in(span_s: float, served: list[tuple[float, int]]) -> int:
    return max(sum(amount for at, amount in served if end - span_s < at <= end) for end, _ in served)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is: processes that hear nothing of Redis go by themselves, which is another test's subject."""
    for name in ("ANSWER_S", "WAIT_S"):
        monkeypatch.setattr(rates_redis, name, 30.0)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("limit", [RPM, PARALLEL])
def test_rush_on_all_processes_gets_the_limit_and_no_more(limit: Limit) -> None:
    async def rush() -> int:
        async with fleet() as processes:
            return len(await slots_of([call(rates, limit) for _ in range(100) for rates in processes]))

    assert asyncio.run(rush()) == limit.size


@pytest.mark.usefixtures("patient")
def test_no_window_is_passed_by_all_processes_together() -> None:
    """R41, with a window that lets the test see several of them."""
    served: list[tuple[float, int]] = []

    async def drive(rates: LeasedRates, chance: random.Random, end: float) -> None:
        while time.monotonic() < end:
            await slots_of([noted(served, 1, call(rates, RPM)) for _ in range(chance.randrange(9))])
            await asyncio.sleep(chance.random() / 20)

    async def run() -> None:
        async with fleet(SPAN_S) as processes:
            end = time.monotonic() + 3 * SPAN_S
            await asyncio.gather(*(drive(rates, random.Random(number), end) for number, rates in enumerate(processes)))  # noqa: S311 - load

    asyncio.run(run())
    assert len(served) > RPM.size
    assert most_in(SPAN_S - SLACK_S, served) <= RPM.size


def test_no_window_of_tokens_is_passed_though_reserves_are_corrected() -> None:
    """R44: a reserve counts until the call is settled, then what it used."""
    limit = Limit("tpm", "team", "blue", "", 10_000)
    served: list[tuple[float, int]] = []

    async def drive(rates: LeasedRates, end: float) -> None:
        while time.monotonic() < end:
            for slot in await slots_of([noted(served, 150, call(rates, limit, tokens=400)) for _ in range(3)]):
                await asyncio.sleep(0.01)
                slot.settle(150, time.monotonic())
                slot.leave()

    async def run() -> None:
        async with fleet(SPAN_S) as processes:
            await asyncio.gather(*(drive(rates, time.monotonic() + 3 * SPAN_S) for rates in processes))

    asyncio.run(run())
    assert sum(amount for _, amount in served) > limit.size
    assert most_in(SPAN_S - SLACK_S, served) <= limit.size


def test_place_left_in_one_process_is_taken_in_another() -> None:
    async def run() -> None:
        async with fleet() as (first, second, _):
            slots = await slots_of([call(first, PARALLEL) for _ in range(PARALLEL.size)])
            assert isinstance(await call(second, PARALLEL), Exceeded)
            slots[0].leave()
            await until_admitted(second, PARALLEL, patience_s=5)

    asyncio.run(run())


def test_places_of_a_killed_process_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """R43. Killed: it tells nobody anything any more."""
    for module in (rate_leases, rates_redis):
        monkeypatch.setattr(module, "LEASE_S", 1.5)

    async def run() -> None:
        async with fleet() as (first, second, _):
            assert len(await slots_of([call(first, PARALLEL) for _ in range(20)])) == PARALLEL.size
            assert isinstance(await call(second, PARALLEL), Exceeded)
            monkeypatch.setattr(first, "_tell", lambda *_: asyncio.sleep(0))
            await until_admitted(second, PARALLEL, patience_s=10)

    asyncio.run(run())


def test_lease_of_a_process_that_stops_is_free_for_the_others() -> None:
    limit = Limit("rpm", "key", "laptop", "", 100)

    async def run() -> int:
        space = uuid.uuid4().hex
        async with fleet(space=space) as processes:
            assert len(await slots_of([call(rates, limit) for rates in processes])) == PROCESSES
        async with fleet(space=space) as (other, *_):
            return len(await slots_of([call(other, limit) for _ in range(200)]))

    assert asyncio.run(run()) == 100 - PROCESSES


def test_redis_that_forgets_everything_costs_at_most_one_limit_more() -> None:
    async def rush(processes: list[LeasedRates]) -> int:
        return len(await slots_of([call(rates, RPM) for _ in range(100) for rates in processes]))

    async def run() -> tuple[int, int]:
        space = uuid.uuid4().hex
        async with fleet(space=space) as processes:
            before = await rush(processes)
            await forget(space)
            return before, await rush(processes)

    before, after = asyncio.run(run())
    assert before == RPM.size
    assert after <= RPM.size


async def forget(space: str) -> None:
    link = redis_link(space)
    redis: Redis = link._redis
    await redis.delete(*[key async for key in redis.scan_iter(f"{space}:*")])
    await link.close()


def test_calls_within_a_lease_do_not_ask_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [*Limit.of("key", "laptop", {"rpm": 10**6, "tpm": 10**9}), Limit("parallel", "key", "laptop", "", 100, is_shared=False)]

    async def run() -> int:
        link = Counted(redis_link())
        rates = LeasedRates(link)
        rates.start()
        for _ in range(2000):
            outcome = await call(rates, *limits, tokens=5000)
            assert isinstance(outcome, Slot)
            outcome.settle(900, time.monotonic())
            outcome.leave()
        asked = link.runs
        await rates.stop()
        return asked

    assert asyncio.run(run()) < 50


def test_keys_without_limits_of_their_own_send_redis_nothing() -> None:
    """R45."""
    own = Limit("parallel", "key", "laptop", "", 100, is_shared=False)

    async def run() -> int:
        link = Counted(redis_link())
        rates = LeasedRates(link)
        rates.start()
        assert len(await slots_of([call(rates, own) for _ in range(150)])) == 100
        assert await rates.beat()
        await rates.stop()
        return link.runs

    assert asyncio.run(run()) == 0


class Counted:
    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self.runs = 0

    async def run(self, keys: list[str], arguments: list[str | int]) -> list[int]:
        self.runs += 1
        return await self._link.run(keys, arguments)

    async def close(self) -> None:
        await self._link.close()
