"""Another deployment is tried where that is safe, and only before the caller has seen a byte; every attempt is on record."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from proxy.limits import Limits
from routing.snapshot import DeploymentSnapshot
from tests.fakes.script import Answer, refusal
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import openings, post, reroute, sse, streaming


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def pair(rig: Rig) -> tuple[DeploymentSnapshot, DeploymentSnapshot]:
    return replace(rig.deployment, id="dep-1", name="first"), replace(rig.deployment, id="dep-2", name="second")


FAILING = {
    "overloaded": refusal(529),
    "broken": refusal(500),
    "limited": refusal(429),
    "unavailable": refusal(503),
    "silent": Answer(fault="stall", fault_after=-1),
    "reset": Answer(fault="reset", fault_after=-1),
    "hung up": Answer(fault="eof", fault_after=-1),
}


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("first", FAILING.values(), ids=FAILING)
def test_second_deployment_answers_when_the_first_fails(
    rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], first: Answer, is_stream: bool
) -> None:
    rig.fake.script(first)
    answer = post(rig, model=reroute(rig, replace(pair[0], first_byte_timeout_s=0.1), pair[1]), stream=is_stream)
    assert answer.status_code == 200
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.error_code, summary.deployment_name) == ("ok", "", "second")
    assert [note.id for note in summary.attempts] == [f"{summary.id}.1", f"{summary.id}.2"]
    assert [note.outcome for note in summary.attempts] == ["failed", "ok"]
    assert [attempt_id for attempt_id, _ in openings(rig.gateway)] == [f"{summary.id}.1", f"{summary.id}.2"]


def test_unreachable_deployment_costs_nothing_and_the_next_one_answers(
    rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], nowhere: str
) -> None:
    assert post(rig, model=reroute(rig, replace(pair[0], base_url=nowhere), pair[1])).status_code == 200
    entry = rig.gateway.closings()[0]
    assert [note.error_code for note in entry.summary.attempts] == ["provider_unreachable", ""]
    assert [posting.attempt_id for posting in entry.postings] == [f"{entry.summary.id}.2"]


@pytest.mark.parametrize("first", ["overloaded", "broken", "limited", "unavailable"])
def test_refused_attempt_costs_nothing(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], first: str) -> None:
    rig.fake.script(FAILING[first])
    post(rig, model=reroute(rig, *pair))
    entry = rig.gateway.closings()[0]
    assert [posting.attempt_id for posting in entry.postings] == [f"{entry.summary.id}.2"]


# R11
@pytest.mark.parametrize("first", ["silent", "reset", "hung up"])
def test_attempt_of_unknown_end_is_charged_beside_the_one_that_answered(
    rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], first: str
) -> None:
    rig.fake.script(FAILING[first])
    post(rig, model=reroute(rig, replace(pair[0], first_byte_timeout_s=0.1), pair[1]))
    entry = rig.gateway.closings()[0]
    assert [posting.attempt_id[-2:] for posting in entry.postings] == [".1", ".2"]
    assert entry.summary.cost_nano == sum(posting.amount_nano for posting in entry.postings)
    assert min(posting.amount_nano for posting in entry.postings) > 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_refusal_that_every_deployment_would_give_is_not_tried_again(
    rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], status: int
) -> None:
    rig.fake.script(refusal(status, "no such thing"))
    answer = post(rig, model=reroute(rig, *pair))
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, "no such thing")
    assert len(rig.fake.seen) == 1
    entry = rig.gateway.closings()[0]
    assert (entry.summary.outcome, entry.summary.cost_nano, entry.postings) == ("failed", 0, [])


def test_last_failure_passes_as_it_came(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot]) -> None:
    rig.fake.script(refusal(500), refusal(529, "Overloaded for now"))
    answer = post(rig, model=reroute(rig, *pair))
    assert (answer.status_code, answer.json()["error"]["message"]) == (529, "Overloaded for now")
    assert answer.headers["x-tallygate-error-source"] == "provider"
    assert [note.outcome for note in rig.gateway.closings()[0].summary.attempts] == ["failed", "failed"]


@pytest.mark.parametrize("fault", ["reset", "eof", "end", "error"])
def test_nothing_else_is_tried_after_the_first_byte(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], fault: str) -> None:
    rig.fake.script(Answer(fault=fault, fault_after=1))  # type: ignore[arg-type]  # parametrised names of faults
    with streaming(rig, model=reroute(rig, *pair)) as answer:
        assert sse(answer.read())[-1] == "error"
    assert len(rig.fake.seen) == 1
    assert len(rig.gateway.closings()[0].summary.attempts) == 1


def test_deployment_whose_key_cannot_be_read_is_passed_over(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot]) -> None:
    assert post(rig, model=reroute(rig, replace(pair[0], problem="key lost"), pair[1])).status_code == 200
    assert rig.gateway.closings()[0].summary.deployment_name == "second"


@pytest.mark.parametrize("is_stream", [True, False])
def test_only_deployment_unreachable_is_told_and_free(rig: Rig, nowhere: str, is_stream: bool) -> None:
    answer = post(rig, model=reroute(rig, replace(rig.deployment, base_url=nowhere)), stream=is_stream)
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (502, "provider_unreachable")
    assert nowhere.rsplit(":", 1)[1] not in answer.text
    entry = rig.gateway.closings()[0]
    assert (entry.summary.outcome, entry.summary.error_source, entry.summary.cost_nano, entry.postings) == ("failed", "provider", 0, [])


def test_only_deployment_without_a_key_is_told_and_free(rig: Rig) -> None:
    answer = post(rig, model=reroute(rig, replace(rig.deployment, problem="key lost")))
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (503, "credential_unusable")
    assert "key lost" not in answer.text
    assert (rig.gateway.closings()[0].postings, openings(rig.gateway)) == ([], [])
