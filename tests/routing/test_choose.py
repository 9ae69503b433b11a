"""The order in which deployments are tried: the fit before the rest, then by order, then as the strategy has it."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.choose import Chance, band, choose, of_session
from routing.failures import Reason
from routing.health import Health
from routing.policy import Policy
from routing.snapshot import DeploymentSnapshot, RouteSnapshot, Target

quick = settings(derandomize=True, deadline=None, database=None, max_examples=200)
NOW = 1000.0
STRATEGIES = [
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "usage-based-routing-v2",
    "usage-based-routing",
    "cost-based-routing",
    "unknown",
]


def target(name: str, order: int = 1, weight: int = 1, **changes: int) -> Target:
    return Target(replace(DeploymentSnapshot(name, name, "demo", "*"), **changes), order, weight)  # type: ignore[arg-type]  # rpm, tpm


def route(*targets: Target, strategy: str = "simple-shuffle") -> RouteSnapshot:
    return RouteSnapshot("r", targets, strategy=strategy)


def names(line_up: tuple[DeploymentSnapshot, ...]) -> str:
    return "".join(deployment.name for deployment in line_up)


def seeded() -> Chance:
    chance = random.Random(7)  # noqa: S311 - chance that repeats itself
    return lambda _name: chance.random()


def no_chance(_name: str) -> float:
    raise AssertionError("nothing to draw")


def price(deployment: DeploymentSnapshot) -> float:
    return {"a": 5.0, "b": 3.0}.get(deployment.name, math.inf)


def cooled(*names: str) -> Health:
    health = Health()
    for name in names:
        health.of(name).circuit.fail(NOW, Reason.RATE_LIMITED, Policy(cooldown_s=60), is_probe=False)
    return health


def ordered(line: RouteSnapshot, health: Health | None = None, chance: Chance | None = None) -> str:
    return names(choose(line, health or Health(), chance or seeded(), NOW, price))


def firsts(line: RouteSnapshot, health: Health | None = None, times: int = 4000) -> Counter[str]:
    chance = seeded()
    return Counter(ordered(line, health, chance)[0] for _ in range(times))


def test_single_target_needs_no_chance() -> None:
    assert ordered(route(target("a")), chance=no_chance) == "a"


@pytest.mark.parametrize("orders", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_lower_order_comes_first(orders: tuple[int, int, int]) -> None:
    assert ordered(route(*(target("abc"[order - 1], order) for order in orders))) == "abc"


@pytest.mark.parametrize(("draws", "expected"), [((0.9, 0.1), "ab"), ((0.1, 0.9), "ba")])
def test_higher_draw_comes_first_among_equals(draws: tuple[float, float], expected: str) -> None:
    numbers: Iterator[float] = iter(draws)
    assert ordered(route(target("a"), target("b")), chance=lambda _name: next(numbers)) == expected


def test_weights_are_shares_of_the_first_place() -> None:
    assert 2850 < firsts(route(target("a", weight=3), target("b", weight=1)))["a"] < 3150


def test_unequal_weights_share_the_second_place_too() -> None:
    chance = seeded()
    line = route(target("a", weight=8), target("b", weight=1), target("c", weight=1))
    second = Counter(ordered(line, chance=chance)[1] for _ in range(4000))
    assert second["b"] + second["c"] > second["a"]


def test_weight_nought_comes_last_among_equals() -> None:
    chance = seeded()
    line = route(target("z", weight=0), target("a"), target("b", weight=5), target("n", order=2))
    assert {ordered(line, chance=chance)[2:] for _ in range(200)} == {"zn"}


def test_draw_of_nought_is_no_accident() -> None:
    assert sorted(ordered(route(target("a"), target("b", weight=1000)), chance=lambda _name: 0.0)) == ["a", "b"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_cools_down_comes_last_whatever_its_order(strategy: str) -> None:
    line = route(target("a"), target("b", order=2), target("c", order=3), strategy=strategy)
    assert ordered(line, cooled("a")) == "bca"


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("capacity", [{"rpm": 1}, {"tpm": 100}, {"rpm": 1, "tpm": 100_000}])
def test_what_is_full_comes_after_those_with_room_and_before_those_that_cool(strategy: str, capacity: dict[str, int]) -> None:
    health = cooled("c")
    health.of("a").begin(NOW, 100)
    line = route(target("a", **capacity), target("b", order=2), target("c"), strategy=strategy)
    assert ordered(line, health) == "bac"


def test_next_minute_has_room_again() -> None:
    health = Health()
    full = target("a", rpm=1)
    health.of("a").begin(NOW - 60, 1)
    assert ordered(route(full, target("b", order=2)), health) == "ab"
    assert band(full.deployment, health, NOW) == 0


def test_least_busy_is_the_one_with_the_fewest_calls_under_way() -> None:
    health = Health()
    for name in "aabccc":
        health.of(name).begin(NOW, 0)
    line = route(target("a"), target("b"), target("c"), strategy="least-busy")
    assert ordered(line, health) == "bac"


def answering(health: Health, name: str, ms: float, at: float = NOW) -> None:
    health.of(name).answered(at, ms, is_probe=False)


def test_fastest_comes_first() -> None:
    health = Health()
    for name, ms in (("a", 900.0), ("b", 90.0), ("c", 300.0)):
        answering(health, name, ms)
    assert ordered(route(target("a"), target("b"), target("c"), strategy="latency-based-routing"), health) == "bca"


def test_equally_fast_ones_share() -> None:
    health = Health()
    for name, ms in (("a", 100.0), ("b", 102.0)):
        answering(health, name, ms)
    shares = firsts(route(target("a"), target("b"), strategy="latency-based-routing"), health)
    assert min(shares["a"], shares["b"]) > 1800


def test_slow_one_is_tried_again_after_a_while_by_one_call_at_a_time() -> None:
    health = Health()
    answering(health, "a", 100)
    answering(health, "b", 900, at=NOW - 61)
    line = route(target("a"), target("b"), strategy="latency-based-routing")
    assert ordered(line, health) == "ba"
    health.of("b").begin(NOW, 0)
    assert ordered(line, health) == "ab"


@pytest.mark.parametrize("strategy", ["usage-based-routing", "usage-based-routing-v2"])
def test_least_used_comes_first(strategy: str) -> None:
    health = Health()
    for name, tokens in (("a", 500), ("b", 900), ("c", 100)):
        health.of(name).begin(NOW, tokens)
    assert ordered(route(target("a"), target("b"), target("c"), strategy=strategy), health) == "cab"


def test_use_is_seen_against_capacity() -> None:
    health = Health()
    health.of("a").begin(NOW, 500)
    health.of("b").begin(NOW, 900)
    line = route(target("a", tpm=600), target("b", tpm=9000), strategy="usage-based-routing-v2")
    assert ordered(line, health) == "ba"


def test_cheapest_comes_first_and_unpriced_last() -> None:
    assert ordered(route(target("z"), target("a"), target("b"), strategy="cost-based-routing")) == "baz"


def test_session_begins_at_the_same_place_in_every_process() -> None:
    line = route(target("a", weight=2), target("b"), target("c"))
    assert len({ordered(line, chance=of_session("one")) for _ in range(20)}) == 1


def test_sessions_are_spread_by_weight() -> None:
    line = route(target("a", weight=3), target("b", weight=1))
    first = Counter(ordered(line, chance=of_session(f"session {number}"))[0] for number in range(4000))
    assert 2850 < first["a"] < 3150


def test_session_stays_where_it_is_when_another_deployment_comes_or_goes() -> None:
    few, more = route(target("a"), target("b")), route(target("a"), target("b"), target("c"))
    chances = [of_session(f"session {number}") for number in range(200)]
    moved = [ordered(more, chance=one).replace("c", "") != ordered(few, chance=one) for one in chances]
    assert not any(moved)


spots = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5), st.booleans(), st.integers(0, 3)), max_size=6)


# No cooling one before a fit one, and nobody left out, whatever the strategy.
@quick
@given(spots, st.sampled_from(STRATEGIES), st.randoms(use_true_random=False))
def test_everybody_is_tried_once_and_the_fit_before_the_rest(
    rows: list[tuple[int, int, bool, int]], strategy: str, chance: random.Random
) -> None:
    targets = [target(str(number), order, weight, rpm=2) for number, (order, weight, _, _) in enumerate(rows)]
    health = cooled(*(str(number) for number, row in enumerate(rows) if row[2]))
    for number, (_, _, _, calls) in enumerate(rows):
        for _ in range(calls):
            health.of(str(number)).begin(NOW, 10)
    chosen = choose(route(*targets, strategy=strategy), health, lambda _name: chance.random(), NOW, price)
    rank = {one.deployment.name: (band(one.deployment, health, NOW), one.order) for one in targets}
    assert sorted(one.name for one in chosen) == sorted(rank)
    assert [rank[one.name] for one in chosen] == sorted(rank.values())


@quick
@given(st.sampled_from(STRATEGIES[:4]), st.integers(2, 5), st.integers(1, 100))
def test_nobody_starves(strategy: str, count: int, slowness: int) -> None:
    targets = [target(str(number)) for number in range(count)]
    health, chance, now, served = Health(), seeded(), NOW, Counter[str]()
    for _ in range(200):
        now += 5
        first = choose(route(*targets, strategy=strategy), health, chance, now)[0]
        vitals = health.of(first.id)
        vitals.begin(now, 100)
        vitals.answered(now, 10.0 * (1 + slowness * int(first.id)), is_probe=False)
        vitals.end(now, 0)
        served[first.id] += 1
    assert set(served) == {one.deployment.id for one in targets}
