"""Rates as the tests of limits meet them: the same questions to memory and to processes that share a Redis."""

import asyncio
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from billing.rates import Exceeded, Rates, Slot
from billing.rates_redis import LeasedRates, RedisLink
from keys.snapshot import Limit


@dataclass
class World:
    """One process; `runner` drives what it does beside calls."""

    rates: Rates
    runner: asyncio.Runner

    def now(self) -> float:
        return time.monotonic()

    def ask(self, *limits: Limit, tokens: int = 0) -> Slot | Exceeded:
        outcome = self.rates.enter(limits, tokens, time.monotonic())
        if isinstance(outcome, Exceeded) and outcome.may_ask:
            return self.runner.run(self.rates.ask(limits, tokens, time.monotonic()))
        return outcome

    def enter(self, *limits: Limit, tokens: int = 0) -> Slot:
        outcome = self.ask(*limits, tokens=tokens)
        assert isinstance(outcome, Slot), outcome
        return outcome

    def refuse(self, *limits: Limit, tokens: int = 0) -> Exceeded:
        outcome = self.ask(*limits, tokens=tokens)
        assert isinstance(outcome, Exceeded)
        return outcome


def redis_link(space: str = "") -> RedisLink:
    """In a space of its own unless one is given."""
    if "REDIS_URL" not in os.environ:
        pytest.skip("REDIS_URL is not set")
    return RedisLink(os.environ["REDIS_URL"], space or uuid.uuid4().hex)


async def _started(rates: LeasedRates) -> LeasedRates:
    rates.start()
    return rates


@contextmanager
def memory_world() -> Iterator[World]:
    with asyncio.Runner() as runner:
        yield World(Rates(), runner)


@contextmanager
def redis_world() -> Iterator[World]:
    link = redis_link()
    with asyncio.Runner() as runner:
        rates = LeasedRates(link)
        runner.run(_started(rates))
        yield World(rates, runner)
        runner.run(rates.stop())


WORLDS = {"memory": memory_world, "redis": redis_world}
