"""Health checks of one process: where they are wanted, bad deployments are left alone before a caller meets them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import OperationalError

from proxy import checkup
from proxy.checkup import Checkup
from proxy.limits import Limits
from routing.policy import Policy
from routing.probe import Outcome
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.routes import deployment, put, route
from tests.proxy.talk import plane_of, post

GOOD, BAD = Outcome(True, 200, "", 1), Outcome(False, 500, "provider_error", 1)
WANTED = Policy(has_health_checks=True, health_check_interval_s=30)


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@pytest.fixture
def model(rig: Rig) -> str:
    pair = [deployment(rig, "first"), deployment(rig, "second")]
    return put(rig, route("claude-two", *pair), route("claude-other", pair[0]), policy=WANTED)


def go_round(rig: Rig, monkeypatch: pytest.MonkeyPatch, find: Callable[[str], Outcome | None]) -> list[str]:
    """One round in which `find` is what is found; returns whom it asked."""
    asked: list[str] = []

    def check(deployment_id: str) -> Outcome | None:
        asked.append(deployment_id)
        return find(deployment_id)

    monkeypatch.setattr(checkup, "check_apart", check)
    asyncio.run(Checkup(plane_of(rig)).go_round(WANTED))
    return asked


def test_each_deployment_is_asked_once_and_a_bad_one_is_passed_over(rig: Rig, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"dep-first": BAD, "dep-second": GOOD}
    assert go_round(rig, monkeypatch, found.get) == ["dep-first", "dep-second"]
    assert post(rig, model=model).headers["x-tallygate-deployment"] == "second"


def test_one_that_is_well_again_is_used_again(rig: Rig, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    go_round(rig, monkeypatch, lambda _: BAD)
    go_round(rig, monkeypatch, lambda _: GOOD)
    assert post(rig, model=model).headers["x-tallygate-deployment"] == "first"


@pytest.mark.parametrize("outcome", [Outcome(False, 0, "credential_unusable", 1), None])
def test_what_says_nothing_changes_nothing(rig: Rig, model: str, monkeypatch: pytest.MonkeyPatch, outcome: Outcome | None) -> None:
    go_round(rig, monkeypatch, lambda _: outcome)
    assert post(rig, model=model).headers["x-tallygate-deployment"] == "first"


def test_database_that_is_away_ends_the_round_quietly(rig: Rig, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_deployment_id: str) -> Outcome:
        raise OperationalError

    assert go_round(rig, monkeypatch, fail) == ["dep-first"]


@pytest.mark.parametrize(("policy", "rounds"), [(WANTED, True), (Policy(), False)])
def test_rounds_are_gone_only_where_they_are_wanted(
    rig: Rig, model: str, monkeypatch: pytest.MonkeyPatch, policy: Policy, rounds: bool
) -> None:
    plane = plane_of(rig)
    plane.snapshot = replace(plane.snapshot, routes=replace(plane.snapshot.routes, policy=policy))
    asked: list[str] = []
    monkeypatch.setattr(checkup, "check_apart", asked.append)

    async def start_and_stop() -> None:
        runner = Checkup(plane)
        runner.start()
        for _ in range(50):
            await asyncio.sleep(0.002)
        await runner.stop()

    asyncio.run(start_and_stop())
    assert bool(asked) is rounds
