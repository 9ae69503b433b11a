"""R87: a deployment's circuit opens on failures, is probed by one call at a time, and never opens on what callers did wrong."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from routing.cooldown import CREDENTIAL_S, LONGEST_S, Circuit
from routing.failures import Reason
from routing.policy import Policy

POLICY = Policy(allowed_fails=3, cooldown_s=5)
CALLERS_OWN = [reason for reason in Reason if not reason.counts]
FAILURE = Reason.PROVIDER_ERROR


def fail(circuit: Circuit, now: float, reason: Reason = FAILURE, *, times: int = 1, retry_after_s: float | None = None) -> None:
    for _ in range(times):
        circuit.fail(now, reason, POLICY, is_probe=circuit.enter(), retry_after_s=retry_after_s)


def opened(now: float = 0.0) -> Circuit:
    circuit = Circuit()
    fail(circuit, now, times=4)
    assert circuit.is_cooling(now)
    return circuit


def test_allowed_failures_are_allowed() -> None:
    circuit = Circuit()
    fail(circuit, 0, times=3)
    assert not circuit.is_cooling(0)
    fail(circuit, 1)
    assert circuit.is_cooling(1)
    assert circuit.reason == "provider_error"


def test_failures_of_an_earlier_minute_are_forgotten() -> None:
    circuit = Circuit()
    fail(circuit, 0, times=3)
    fail(circuit, 60, times=3)
    assert not circuit.is_cooling(60)


def test_few_failures_among_many_good_calls_are_no_reason() -> None:
    circuit = Circuit()
    for _ in range(50):
        fail(circuit, 0)
        circuit.succeed(0, is_probe=False)
        circuit.succeed(0, is_probe=False)
    assert not circuit.is_cooling(0)


def test_every_other_call_failing_is_a_reason() -> None:
    circuit = Circuit()
    for _ in range(4):
        circuit.succeed(0, is_probe=False)
        fail(circuit, 0)
    assert circuit.is_cooling(0)


@pytest.mark.parametrize(("asked", "lasts"), [(None, 5.0), (2.0, 5.0), (40.0, 40.0), (1e9, LONGEST_S)])
def test_rate_limit_cools_at_once_and_for_as_long_as_the_provider_asks(asked: float | None, lasts: float) -> None:
    circuit = Circuit()
    fail(circuit, 0, Reason.RATE_LIMITED, retry_after_s=asked)
    assert circuit.is_cooling(lasts - 0.01)
    assert not circuit.is_cooling(lasts)


def test_refused_credential_cools_at_once_for_longer_and_says_why() -> None:
    circuit = Circuit()
    fail(circuit, 0, Reason.CREDENTIAL_REFUSED)
    assert circuit.is_cooling(CREDENTIAL_S - 1)
    assert circuit.reason == "credential_refused"


@pytest.mark.parametrize("reason", CALLERS_OWN)
def test_what_callers_did_wrong_never_opens_it(reason: Reason) -> None:
    circuit = Circuit()
    fail(circuit, 0, reason, times=100)
    assert not circuit.is_cooling(0)


def test_after_the_cooldown_one_call_is_the_probe() -> None:
    circuit = opened()
    assert not circuit.is_cooling(5)
    assert circuit.enter()
    assert circuit.is_cooling(5)
    assert not circuit.enter()


def test_good_probe_closes_it() -> None:
    circuit = opened()
    circuit.succeed(5, is_probe=circuit.enter())
    assert not circuit.is_cooling(5)
    fail(circuit, 5, times=3)
    assert not circuit.is_cooling(5)


def test_bad_probe_opens_it_again() -> None:
    circuit = opened()
    circuit.fail(5, FAILURE, POLICY, is_probe=circuit.enter())
    assert circuit.is_cooling(9.9)
    assert not circuit.is_cooling(10)


def test_probe_that_tells_nothing_leaves_the_place_to_another() -> None:
    circuit = opened()
    circuit.abandon(is_probe=circuit.enter())
    assert circuit.enter()


def test_call_from_before_neither_closes_nor_prolongs() -> None:
    circuit = opened()
    circuit.succeed(1, is_probe=False)
    circuit.fail(4, FAILURE, POLICY, is_probe=False)
    assert circuit.is_cooling(4.9)
    assert not circuit.is_cooling(5)


def test_call_for_want_of_others_may_close_it_early() -> None:
    circuit = opened()
    circuit.succeed(1, is_probe=circuit.enter())
    assert not circuit.is_cooling(1)


def test_cooldown_of_nought_switches_it_off() -> None:
    circuit = Circuit()
    for _ in range(20):
        circuit.fail(0, Reason.RATE_LIMITED, Policy(cooldown_s=0), is_probe=circuit.enter(), retry_after_s=60)
    assert not circuit.is_cooling(0)


class Calls(RuleBasedStateMachine):
    """Calls begin and end in any order; whatever happens, at most one probe is under way and the circuit finds its way back."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit()
        self.now = 0.0
        self.under_way: list[bool] = []
        self.has_failed = False

    @rule(seconds=st.floats(0, 90))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        self.under_way.append(self.circuit.enter())

    @precondition(lambda self: self.under_way)
    @rule(number=st.integers(0, 100))
    def succeed(self, number: int) -> None:
        self.circuit.succeed(self.now, is_probe=self._ended(number))

    @precondition(lambda self: self.under_way)
    @rule(number=st.integers(0, 100))
    def tell_nothing(self, number: int) -> None:
        self.circuit.abandon(is_probe=self._ended(number))

    @precondition(lambda self: self.under_way)
    @rule(number=st.integers(0, 100), reason=st.sampled_from(list(Reason)), asked=st.none() | st.floats(0, 100))
    def fail(self, number: int, reason: Reason, asked: float | None) -> None:
        self.has_failed |= reason.counts
        self.circuit.fail(self.now, reason, POLICY, is_probe=self._ended(number), retry_after_s=asked)

    def _ended(self, number: int) -> bool:
        return self.under_way.pop(number % len(self.under_way))

    @invariant()
    def one_probe_at_most(self) -> None:
        assert sum(self.under_way) == int(self.circuit.is_probed) <= 1

    @invariant()
    def opens_on_failures_only(self) -> None:
        assert self.has_failed or not self.circuit.is_cooling(self.now)

    @invariant()
    def never_cools_for_ever(self) -> None:
        assert self.circuit.is_probed or not self.circuit.is_cooling(self.now + LONGEST_S)

    @invariant()
    def has_a_reason_while_open(self) -> None:
        assert bool(self.circuit.reason) == (self.circuit.until != 0)


Calls.TestCase.settings = settings(derandomize=True, deadline=None, database=None, max_examples=100, stateful_step_count=40)
TestCalls = Calls.TestCase
