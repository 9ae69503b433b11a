"""A process among others, with a Redis that the test plays: what it tells and asks, and how it goes on when nobody answers."""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socket import create_server

import pytest

from billing import rates_redis
from billing.rates import Exceeded, Slot
from billing.rates_redis import CHUNK, FAILURES, LeasedRates, RedisLink, Unanswered
from keys.snapshot import Limit

RPM = Limit("rpm", "key", "laptop", "", 30)
TPM = Limit("tpm", "key", "laptop", "", 3000)
PARALLEL = Limit("parallel", "key", "laptop", "", 9)
OWN = Limit("parallel", "key", "laptop", "", 2, is_shared=False)


@dataclass
class Played:
    """A Redis that leases `extra` of every limit, or is not there. `told` are the arguments of each run."""

    extra: int = 5
    processes: int = 3
    is_gone: bool = False
    told: list[list[int]] = field(default_factory=list)
    keys: list[list[str]] = field(default_factory=list)
    is_closed: bool = False

    async def run(self, keys: list[str], arguments: list[str | int]) -> list[int]:
        self.told.append([int(figure) for figure in arguments[3:]])
        self.keys.append(keys)
        if self.is_gone:
            raise Unanswered("ConnectionError")
        return [self.processes, *[self.extra, self.extra, 0, 0] * len(keys)]

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture(autouse=True)
def no_beat_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what calls ask for, and what the test calls."""
    monkeypatch.setattr(rates_redis, "BEAT_S", 3600.0)


@contextmanager
def started(link: Played | RedisLink, processes: int = 1) -> Iterator[tuple[LeasedRates, asyncio.Runner]]:
    with asyncio.Runner() as runner:
        rates = LeasedRates(link, processes)

        async def start() -> None:
            rates.start()

        runner.run(start())
        yield rates, runner
        runner.run(rates.stop())


def enter(rates: LeasedRates, *limits: Limit, tokens: int = 0) -> Slot | Exceeded:
    return rates.enter(limits, tokens, time.monotonic())


async def ask(rates: LeasedRates, *limits: Limit, tokens: int = 0) -> Slot | Exceeded:
    return await rates.ask(limits, tokens, time.monotonic())


async def lose(rates: LeasedRates) -> None:
    for _ in range(FAILURES):
        assert not await rates.beat()


def test_first_call_asks_and_the_next_ones_are_decided_here() -> None:
    with started(link := Played()) as (rates, runner):
        first = enter(rates, RPM)
        assert isinstance(first, Exceeded) and first.may_ask
        assert isinstance(runner.run(ask(rates, RPM)), Slot)
        assert all(isinstance(enter(rates, RPM), Slot) for _ in range(4))
        assert len(link.told) == 1


def test_limit_that_is_not_shared_never_reaches_redis() -> None:
    with started(link := Played()) as (rates, runner):
        assert [isinstance(enter(rates, OWN), Slot) for _ in range(3)] == [True, True, False]
        assert not isinstance(runner.run(ask(rates, OWN)), Slot)
        assert runner.run(rates.beat())
    assert not link.told
    assert link.is_closed


def test_process_tells_what_it_used_and_how_long_ago() -> None:
    with started(link := Played()) as (rates, runner):
        slot = runner.run(ask(rates, TPM, tokens=5))
        runner.run(rates.beat())
        is_rate, size, kept, held, need, least, spare, uses, age, amount = link.told[-1]
        assert (is_rate, size, kept, held, need, least, spare, uses, amount) == (1, 3000, 0, 0, 0, 0, 1, 1, 5)
        assert 0 <= age < 1000
        assert isinstance(slot, Slot)
        slot.settle(2, time.monotonic())
        runner.run(rates.beat())
        assert link.told[-1][-1] == -3


def test_calls_under_way_are_told_for_as_long_as_they_run() -> None:
    with started(link := Played()) as (rates, runner):
        slot = runner.run(ask(rates, PARALLEL))
        runner.run(rates.beat())
        assert link.told[-1] == [0, 9, 4, 1, 0, 0, 1, 0]
        assert isinstance(slot, Slot)
        slot.leave()
        runner.run(rates.beat())
        assert link.told[-1][3] == 0


def test_what_was_not_heard_is_told_again() -> None:
    with started(link := Played()) as (rates, runner):
        runner.run(ask(rates, RPM))
        link.is_gone = True
        runner.run(rates.beat())
        link.is_gone = False
        runner.run(rates.beat())
        assert [told[-1] for told in link.told[-2:]] == [1, 1]
        runner.run(rates.beat())
        assert link.told[-1][7] == 0


def test_more_than_fair_goes_back_with_the_next_beat() -> None:
    with started(link := Played(extra=20)) as (rates, runner):
        runner.run(ask(rates, RPM))
        link.extra = 4
        runner.run(rates.beat())
        runner.run(rates.beat())
        assert [told[2] for told in link.told[1:]] == [19, 4]


def test_stopping_gives_back_what_is_at_hand() -> None:
    with started(link := Played()) as (rates, runner):
        runner.run(ask(rates, RPM))
    assert (link.told[-1][2], link.told[-1][6], link.is_closed) == (0, 0, True)


def test_many_limits_are_told_in_several_runs() -> None:
    limits = [Limit("rpm", "key", str(number), "", 5) for number in range(CHUNK + 1)]
    with started(link := Played()) as (rates, runner):
        assert isinstance(runner.run(ask(rates, *limits)), Slot)
        assert [len(keys) for keys in link.keys] == [CHUNK, 1]


def test_calls_that_come_together_ask_together() -> None:
    async def many(rates: LeasedRates) -> list[Slot | Exceeded]:
        return await asyncio.gather(*(ask(rates, RPM) for _ in range(5)))

    with started(link := Played()) as (rates, runner):
        assert all(isinstance(outcome, Slot) for outcome in runner.run(many(rates)))
        assert [told[4] for told in link.told] == [5]


def test_full_limit_is_not_asked_about_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(keys: list[str], arguments: list[str | int]) -> list[int]:
        return [3, *[0, 0, 30, 12_300] * len(keys)]

    with started(link := Played()) as (rates, runner):
        monkeypatch.setattr(link, "run", full)
        refused = runner.run(ask(rates, RPM))
        assert isinstance(refused, Exceeded)
        assert (refused.used, refused.retry_after_s, refused.may_ask) == (30, 13, False)
        again = enter(rates, RPM)
        assert isinstance(again, Exceeded) and not again.may_ask


@pytest.mark.parametrize(
    ("limit", "tokens", "expected"), [(RPM, 0, 10), (TPM, 100, 10), (PARALLEL, 0, 3), (Limit("rpm", "key", "x", "", 2), 0, 1)]
)
def test_without_redis_each_process_goes_by_its_part(limit: Limit, tokens: int, expected: int) -> None:
    with started(Played(is_gone=True), processes=3) as (rates, runner):
        runner.run(ask(rates, limit, tokens=tokens))
        runner.run(lose(rates))
        outcomes = [enter(rates, limit, tokens=tokens) for _ in range(40)]
        assert sum(isinstance(outcome, Slot) for outcome in outcomes) == expected - 1
        refused = outcomes[-1]
        assert isinstance(refused, Exceeded) and not refused.may_ask


def test_call_is_not_refused_while_redis_is_being_given_up() -> None:
    with started(Played(is_gone=True)) as (rates, runner):
        assert isinstance(runner.run(ask(rates, RPM, PARALLEL, TPM, tokens=5000)), Slot)


def test_limit_of_nothing_holds_without_redis() -> None:
    with started(Played(is_gone=True)) as (rates, runner):
        assert isinstance(runner.run(ask(rates, Limit("rpm", "key", "x", "", 0))), Exceeded)


def test_part_is_of_as_many_processes_as_were_last_seen() -> None:
    with started(link := Played(processes=6)) as (rates, runner):
        runner.run(ask(rates, RPM))
        link.is_gone = True
        runner.run(lose(rates))
        assert sum(isinstance(enter(rates, RPM), Slot) for _ in range(40)) == 4


def test_what_was_used_before_counts_when_redis_goes() -> None:
    with started(link := Played(extra=30)) as (rates, runner):
        runner.run(ask(rates, RPM))
        assert sum(isinstance(enter(rates, RPM), Slot) for _ in range(20)) == 20
        link.is_gone = True
        runner.run(lose(rates))
        refused = enter(rates, RPM)
        assert isinstance(refused, Exceeded) and refused.used == 20 + 21


def test_loss_and_return_of_redis_are_logged_once_each(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "billing.rates_redis"), started(link := Played(is_gone=True)) as (rates, runner):
        runner.run(ask(rates, RPM))
        runner.run(lose(rates))
        runner.run(lose(rates))
        link.is_gone = False
        runner.run(rates.beat())
        runner.run(rates.beat())
        assert isinstance(runner.run(ask(rates, RPM)), Slot)
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_redis_that_accepts_and_says_nothing_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates_redis, "ANSWER_S", 0.05)
    with create_server(("127.0.0.1", 0)) as silent, started(RedisLink(f"redis://127.0.0.1:{silent.getsockname()[1]}")) as (rates, runner):
        assert isinstance(runner.run(ask(rates, RPM)), Slot)
        runner.run(lose(rates))
        assert isinstance(enter(rates, RPM), Slot)


def test_redis_that_refuses_connections_is_no_answer() -> None:
    with create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with asyncio.Runner() as runner:
        link = RedisLink(f"redis://127.0.0.1:{port}")
        with pytest.raises(Unanswered):
            runner.run(link.run(["x"], ["p", 1000, 60, 1, 5, 0, 0, 1, 1, 1, 0]))
        runner.run(link.close())
