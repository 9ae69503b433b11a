"""Limits in memory, with a clock that the test turns: a sliding minute that is never passed, and waits that are true."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rates import FEW, GRAIN_S, WINDOW_S, Exceeded, Rates, Slot, limits_of
from keys.snapshot import Caller, Limit

RPM = Limit("rpm", "key", "laptop", "", 10)
TPM = Limit("tpm", "key", "laptop", "", 1000)
PARALLEL = Limit("parallel", "key", "laptop", "", 3)
quick = settings(derandomize=True, deadline=None, database=None)

# Seconds until the next call (which binary fractions hold exactly), tokens asked for, tokens used in the end.
PAUSES = st.sampled_from([0.0, 0.03125, 0.5, 1.0, 7.25, 29.875, 60.0])
STEPS = st.lists(st.tuples(PAUSES, st.integers(0, 1500), st.integers(0, 1500)), max_size=60)


@dataclass
class Served:
    """A call as a bystander counts it."""

    at: float
    tokens: int
    slot: Slot = field(repr=False)


def slots_in(*outcomes: Slot | Exceeded) -> list[Slot]:
    return [outcome for outcome in outcomes if isinstance(outcome, Slot)]


def admitted(rates: Rates, *limits: Limit, at: float, tokens: int = 0) -> bool:
    return isinstance(rates.enter(limits, tokens, at), Slot)


def test_place_comes_free_a_minute_after_it_was_taken() -> None:
    rates = Rates()
    assert all(admitted(rates, RPM, at=float(second)) for second in range(10))
    assert not admitted(rates, RPM, at=59.9)
    assert admitted(rates, RPM, at=60.0)
    assert not admitted(rates, RPM, at=60.5)


def test_calls_paced_at_the_limit_all_pass() -> None:
    rates = Rates()
    assert all(admitted(rates, RPM, at=number * 6.0) for number in range(1000))


def test_minute_is_not_passed_where_two_minutes_of_the_clock_meet() -> None:
    rates = Rates()
    assert sum(admitted(rates, RPM, at=59.0 + number / 100) for number in range(200)) == 10


def test_caller_that_hammers_gets_its_whole_limit() -> None:
    rates = Rates()
    assert sum(admitted(rates, RPM, at=number / 20) for number in range(20 * 600)) >= 10 * (600 // (WINDOW_S + GRAIN_S))


@quick
@given(STEPS, st.integers(1, 20), st.integers(1, 2000))
def test_no_minute_is_ever_passed(steps: list[tuple[float, int, int]], requests: int, tokens: int) -> None:
    rates, served, now = Rates(), list[Served](), 0.0
    limits = (Limit("rpm", "key", "x", "", requests), Limit("tpm", "key", "x", "", tokens))
    for pause, asked, used in steps:
        now += pause
        served += [Served(now, min(max(asked, 1), tokens), slot) for slot in slots_in(rates.enter(limits, asked, now))]
        minute = [one for one in served if now - WINDOW_S < one.at]
        assert len(minute) <= requests
        assert sum(one.tokens for one in minute) <= tokens
        for one in served[-1:]:
            one.tokens = min(one.tokens, used)
            one.slot.settle(one.tokens, now)


@quick
@given(STEPS, st.integers(1, 2000))
def test_wait_that_is_told_is_enough_and_no_second_too_long(steps: list[tuple[float, int, int]], size: int) -> None:
    rates, now, limit = Rates(), 0.0, Limit("tpm", "key", "x", "", size)
    for pause, asked, _ in steps:
        now += pause
        outcome = rates.enter((limit,), asked, now)
        wait = getattr(outcome, "retry_after_s", None) or 0
        assert wait <= WINDOW_S + 1
        assert wait < 2 or not isinstance(_tried(rates, limit, asked, now + wait - 1 - GRAIN_S), Slot)
        assert isinstance(_tried(rates, limit, asked, now + wait), Slot) or not wait
        now += wait


def _tried(rates: Rates, limit: Limit, tokens: int, at: float) -> Slot | Exceeded:
    """A call that leaves no trace."""
    outcome = rates.enter((limit,), tokens, at)
    getattr(outcome, "undo", lambda: None)()
    return outcome


@quick
@given(st.lists(st.tuples(st.sampled_from(["settle", "leave", "undo"]), st.integers(0, 9)), max_size=40))
def test_places_are_those_of_calls_under_way(steps: list[tuple[str, int]]) -> None:
    rates, slots = Rates(), list[Slot]()
    for step, number in steps:
        is_full = sum(slot.is_open for slot in slots) == PARALLEL.size
        outcome = rates.enter((PARALLEL, TPM), 1, 0.0)
        assert isinstance(outcome, Exceeded) == is_full
        slots += slots_in(outcome)
        slot = slots[number % len(slots)]
        {"settle": lambda slot: slot.settle(1, 0.0), "leave": Slot.leave, "undo": Slot.undo}[step](slot)


def test_reserve_that_left_its_minute_is_not_given_back_twice() -> None:
    rates = Rates()
    early = rates.enter((TPM,), 900, 0.0)
    assert isinstance(early, Slot)
    assert admitted(rates, TPM, at=70.0, tokens=800)
    early.settle(100, 71.0)
    assert not admitted(rates, TPM, at=71.0, tokens=300)


def test_better_figures_replace_earlier_ones() -> None:
    rates = Rates()
    slot = rates.enter((TPM,), 900, 0.0)
    assert isinstance(slot, Slot)
    for tokens, room in ((500, 500), (700, 300), (650, 350)):
        slot.settle(tokens, 1.0)
        assert slot.tightest("tpm") == (1000, room)


def test_settling_after_the_end_changes_nothing() -> None:
    rates = Rates()
    slot = rates.enter((TPM, PARALLEL), 900, 0.0)
    assert isinstance(slot, Slot)
    slot.leave()
    slot.settle(0, 1.0)
    assert not admitted(rates, TPM, at=2.0, tokens=200)


def test_limits_that_count_nothing_any_more_are_forgotten() -> None:
    rates = Rates()
    for number in range(10 * FEW):
        admitted(rates, Limit("rpm", "key", str(number), "", 5), at=number / 10)
    assert len(rates._counters) <= 2 * FEW


def test_forgetting_spares_calls_under_way() -> None:
    rates = Rates()
    slots = [rates.enter((PARALLEL,), 0, 0.0) for _ in range(3)]
    for number in range(3 * FEW):
        admitted(rates, Limit("rpm", "key", str(number), "", 5), at=100.0 + number)
    assert not admitted(rates, PARALLEL, at=9999.0)
    assert all(isinstance(slot, Slot) for slot in slots)


def test_forgetting_spares_the_limits_of_the_call_that_comes_in() -> None:
    rates = Rates()
    for number in range(FEW - 1):
        admitted(rates, Limit("rpm", "key", str(number), "", 5), at=0.0)
    first = rates.enter((PARALLEL, RPM), 0, 100.0)
    assert slots_in(first)
    assert [admitted(rates, PARALLEL, at=100.0) for _ in range(3)] == [True, True, False]


OWN = Limit("parallel", "key", "laptop", "", 100, is_shared=False)
FAMILIES = (
    Limit("rpm", "key", "laptop", "claude-opus-5", 1),
    Limit("rpm", "team", "blue", "claude-opus-5", 2),
    Limit("rpm", "key", "laptop", "claude-opus*", 3),
    Limit("tpm", "key", "laptop", "claude-opus*", 4),
    Limit("tpm", "key", "laptop", "*", 5),
)


@pytest.mark.parametrize(("model", "sizes"), [
    ("claude-opus-5", {1, 2, 4}),
    ("claude-opus-4", {3, 4}),
    ("claude-haiku", {5}),
    ("Claude-opus-5", {5}),
])  # fmt: skip
def test_closest_limit_for_a_model_holds_kind_by_kind(model: str, sizes: set[int]) -> None:
    caller = Caller("laptop", "laptop", limits=(OWN,), model_limits=FAMILIES)
    assert {limit.size for limit in limits_of(caller, (), model)} == {100} | sizes


def test_limits_of_the_route_hold_for_everybody() -> None:
    of_route = Limit.of("model", "claude-*", {"rpm": 7, "tpm": None, "parallel": 0})
    assert [limit.size for limit in limits_of(Caller("a", "a", limits=(OWN,)), of_route, "claude-x")] == [100, 7, 0]


def test_limit_of_each_process_is_counted_apart_from_a_shared_one() -> None:
    assert OWN.key != Limit("parallel", "key", "laptop", "", 100).key
    assert Limit("rpm", "key", "a:b", "c", 1).key != Limit("rpm", "key", "a", "b:c", 1).key
