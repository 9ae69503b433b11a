"""The order in which deployments are tried: by order, then by weighted chance."""

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.choose import choose
from routing.snapshot import DeploymentSnapshot, RouteSnapshot, Target

quick = settings(derandomize=True, deadline=None, database=None)


def target(name: str, order: int = 1, weight: int = 1) -> Target:
    return Target(DeploymentSnapshot(name, name, "demo", "*"), order, weight)


def route(*targets: Target) -> RouteSnapshot:
    return RouteSnapshot("r", targets)


def names(line_up: tuple[DeploymentSnapshot, ...]) -> str:
    return "".join(deployment.name for deployment in line_up)


def seeded() -> Callable[[], float]:
    return random.Random(7).random  # noqa: S311 - chance that repeats itself


def no_chance() -> float:
    raise AssertionError("nothing to draw")


def test_single_target_needs_no_chance() -> None:
    assert names(choose(route(target("a")), no_chance)) == "a"


@pytest.mark.parametrize("orders", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_lower_order_comes_first(orders: tuple[int, int, int]) -> None:
    chosen = choose(route(*(target("abc"[order - 1], order) for order in orders)), seeded())
    assert names(chosen) == "abc"


@pytest.mark.parametrize(("draws", "expected"), [((0.9, 0.1), "ab"), ((0.1, 0.9), "ba")])
def test_higher_draw_comes_first_among_equals(draws: tuple[float, float], expected: str) -> None:
    numbers: Iterator[float] = iter(draws)
    assert names(choose(route(target("a"), target("b")), lambda: next(numbers))) == expected


def test_weights_are_shares_of_the_first_place() -> None:
    chance = seeded()
    line = route(target("a", weight=3), target("b", weight=1))
    first = Counter(choose(line, chance)[0].name for _ in range(4000))
    assert 2850 < first["a"] < 3150


def test_unequal_weights_share_the_second_place_too() -> None:
    chance = seeded()
    line = route(target("a", weight=8), target("b", weight=1), target("c", weight=1))
    second = Counter(choose(line, chance)[1].name for _ in range(4000))
    assert second["b"] + second["c"] > second["a"]


def test_weight_nought_comes_last_among_equals() -> None:
    chance = seeded()
    line = route(target("z", weight=0), target("a"), target("b", weight=5), target("n", order=2))
    assert {names(choose(line, chance))[2:] for _ in range(200)} == {"zn"}


@quick
@given(st.lists(st.tuples(st.integers(-2, 3), st.integers(0, 5)), max_size=6), st.randoms(use_true_random=False))
def test_everybody_is_tried_once_and_orders_rise(spots: list[tuple[int, int]], chance: random.Random) -> None:
    targets = [target(str(number), order, weight) for number, (order, weight) in enumerate(spots)]
    chosen = choose(route(*targets), chance.random)
    order_of = {one.deployment.name: one.order for one in targets}
    assert sorted(one.name for one in chosen) == sorted(order_of)
    assert [order_of[one.name] for one in chosen] == sorted(order_of.values())


def test_draw_of_nought_is_no_accident() -> None:
    assert sorted(names(choose(route(target("a"), target("b", weight=1000)), lambda: 0.0))) == ["a", "b"]
