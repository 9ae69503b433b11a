"""What holds for rate limits whoever counts: one process in its memory, or processes that share a Redis."""

from collections.abc import Iterator

import pytest

from keys.snapshot import Limit
from tests.billing.rate_worlds import WORLDS, World


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]() as opened:
        yield opened


RPM = Limit("rpm", "key", "laptop", "", 3)
TPM = Limit("tpm", "team", "blue", "", 1000)
PARALLEL = Limit("parallel", "user", "alice", "", 2)


def test_as_many_requests_as_the_limit_are_admitted(world: World) -> None:
    for _ in range(3):
        world.enter(RPM).leave()
    refused = world.refuse(RPM)
    assert (refused.limit, refused.used, refused.amount) == (RPM, 3, 1)
    assert refused.retry_after_s is not None and 55 <= refused.retry_after_s <= 61


def test_refused_requests_do_not_count(world: World) -> None:
    slots = [world.enter(PARALLEL) for _ in range(2)]
    for _ in range(5):
        world.refuse(RPM, PARALLEL)
    slots[0].leave()
    assert world.enter(RPM, PARALLEL).is_open


def test_parallel_place_comes_back_when_a_call_leaves(world: World) -> None:
    slots = [world.enter(PARALLEL) for _ in range(2)]
    assert world.refuse(PARALLEL).used == 2
    slots[1].leave()
    world.enter(PARALLEL)
    world.refuse(PARALLEL)


def test_place_comes_back_exactly_once(world: World) -> None:
    slot, _ = world.enter(PARALLEL), world.enter(PARALLEL)
    slot.leave()
    slot.leave()
    slot.undo()
    world.enter(PARALLEL)
    world.refuse(PARALLEL)


def test_refused_call_takes_nothing_of_limits_that_had_room(world: World) -> None:
    world.enter(Limit("tpm", "key", "x", "", 10), tokens=10)
    world.refuse(TPM, PARALLEL, Limit("tpm", "key", "x", "", 10), tokens=10)
    for _ in range(2):
        world.enter(PARALLEL)
    world.enter(TPM, tokens=1000)


def test_undone_call_counts_nowhere(world: World) -> None:
    world.enter(RPM, TPM, PARALLEL, tokens=900).undo()
    for _ in range(3):
        world.enter(RPM).leave()
    world.enter(TPM, tokens=1000)


def test_tokens_that_were_not_used_come_back(world: World) -> None:
    slot = world.enter(TPM, tokens=900)
    world.refuse(TPM, tokens=200)
    slot.settle(100, world.now())
    slot.leave()
    world.enter(TPM, tokens=900)
    assert world.refuse(TPM, tokens=1).used == 1000


def test_tokens_beyond_the_reserve_count_too(world: World) -> None:
    slot = world.enter(TPM, tokens=100)
    slot.settle(950, world.now())
    slot.leave()
    world.enter(TPM, tokens=50)
    assert world.refuse(TPM, tokens=50).used >= 1000


def test_call_larger_than_the_limit_runs_alone(world: World) -> None:
    slot = world.enter(TPM, tokens=5000)
    refused = world.refuse(TPM, tokens=1)
    assert (refused.used, refused.amount) == (1000, 1)
    slot.settle(400, world.now())
    world.enter(TPM, tokens=600)


def test_larger_call_waits_for_an_empty_window(world: World) -> None:
    world.enter(TPM, tokens=1)
    assert world.refuse(TPM, tokens=5000).amount == 1000


@pytest.mark.parametrize("kind", ["rpm", "tpm", "parallel"])
def test_limit_of_nothing_lets_nothing_through(world: World, kind: str) -> None:
    refused = world.refuse(Limit(kind, "key", "laptop", "", 0), tokens=5)  # type: ignore[arg-type]  # pytest knows texts only
    assert refused.retry_after_s is None


def test_changed_size_goes_on_with_the_same_count(world: World) -> None:
    for _ in range(3):
        world.enter(RPM)
    world.enter(Limit("rpm", "key", "laptop", "", 4))
    world.refuse(Limit("rpm", "key", "laptop", "", 2))


@pytest.mark.parametrize("other", [Limit("rpm", "user", "laptop", "", 3), Limit("rpm", "key", "lap", "top", 3)])
def test_limits_of_others_are_counted_apart(world: World, other: Limit) -> None:
    for _ in range(3):
        world.enter(RPM)
    assert world.enter(other).is_open


def test_refusal_names_the_limit_that_lasts_longest(world: World) -> None:
    first, second = world.enter(RPM, PARALLEL), world.enter(RPM, PARALLEL)
    world.enter(RPM)
    assert world.refuse(PARALLEL, RPM).limit == RPM
    first.leave()
    second.leave()
    assert world.refuse(PARALLEL, RPM).limit == RPM


def test_tightest_limit_is_told(world: World) -> None:
    slot = world.enter(RPM, Limit("rpm", "team", "blue", "", 100), TPM, tokens=250)
    assert (slot.tightest("rpm"), slot.tightest("tpm")) == ((3, 2), (1000, 750))
    assert world.enter(PARALLEL).tightest("rpm") is None
