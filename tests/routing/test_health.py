"""What a process knows of its deployments: bounded, and never below nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import health as health_module
from routing.health import Health, Vitals
from routing.snapshot import DeploymentSnapshot

quick = settings(derandomize=True, deadline=None, database=None)


def test_latency_follows_the_answers() -> None:
    vitals = Vitals()
    for ms in (100.0, *[300.0] * 20):
        vitals.answered(0, ms, is_probe=False)
    assert 295 < vitals.latency_ms < 300


def test_estimate_gives_way_to_what_was_used() -> None:
    vitals = Vitals()
    vitals.begin(0, 1000)
    vitals.end(1, -700)
    assert (vitals.tokens, vitals.requests, vitals.in_flight) == (300, 1, 0)


def test_share_is_that_of_the_tighter_capacity() -> None:
    vitals = Vitals()
    vitals.begin(0, 100)
    assert vitals.used_share(DeploymentSnapshot("a", "a", "demo", "*", rpm=4, tpm=1000), 0) == 0.25
    assert vitals.used_share(DeploymentSnapshot("a", "a", "demo", "*", rpm=100, tpm=200), 0) == 0.5
    assert vitals.used_share(DeploymentSnapshot("a", "a", "demo", "*", tpm=200), 61) == 0.0


def test_number_of_deployments_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "MOST", 10)
    health = Health()
    health.of("busy").begin(0, 0)
    for number in range(100):
        health.of(str(number))
    assert len(health.vitals) <= 10
    assert "busy" in health.vitals


@quick
@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 5000), st.integers(-5000, 5000)), max_size=30))
def test_figures_never_fall_below_nothing(calls: list[tuple[float, int, int]]) -> None:
    vitals, now = Vitals(), 0.0
    for seconds, tokens, more in calls:
        vitals.begin(now, tokens)
        now += seconds
        vitals.end(now, more)
        assert vitals.tokens >= 0
        assert vitals.in_flight == 0
