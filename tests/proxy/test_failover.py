"""Another deployment is tried where that is safe, and only before the caller has seen a byte; every attempt is on record."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from proxy import failover
from proxy.limits import Limits
from routing.policy import Policy
from routing.snapshot import DeploymentSnapshot
from tests.fakes.script import Answer, refusal
from tests.proxy.door import check_refusal, send
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig
from tests.proxy.routes import asked, deployment, put, route, served_by
from tests.proxy.talk import HEADERS, openings, plane_of, post, reroute, sse, streaming


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


@pytest.mark.parametrize("status", [400, 409, 413, 422])
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


# R11: what one provider refuses for our key, another may take; the refusal is on record and costs nothing.
@pytest.mark.parametrize(("status", "reason"), [(401, "credential_refused"), (402, "credential_refused"), (403, "credential_refused")])
def test_refused_credential_is_no_end_and_the_next_call_goes_elsewhere_at_once(
    rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], status: int, reason: str
) -> None:
    rig.fake.script(refusal(status, "not with this key"))
    model = reroute(rig, *pair)
    assert [post(rig, model=model).status_code for _ in range(3)] == [200, 200, 200]
    first, *later = rig.gateway.closings(3)
    assert [(note.error_code, note.error_message) for note in first.summary.attempts] == [(reason, "not with this key"), ("", "")]
    assert [served_by(entry) for entry in later] == [["second"], ["second"]]


def test_wrong_key_of_one_deployment_is_told_by_the_other_deployments_answer(rig: Rig) -> None:
    model = put(rig, route("claude-two", deployment(rig, "first", secret="sk-wrong"), deployment(rig, "second")))
    assert post(rig, model=model).status_code == 200


def test_model_that_one_deployment_does_not_have_is_asked_of_the_next_and_nothing_cools(rig: Rig) -> None:
    rig.fake.script(refusal(404, "model: gone"))
    model = put(rig, route("claude-two", deployment(rig, "first"), deployment(rig, "second")))
    assert post(rig, model=model).headers["x-tallygate-deployment"] == "second"
    assert post(rig, model=model).headers["x-tallygate-deployment"] == "first"


def test_name_that_only_the_caller_made_up_is_asked_once(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot]) -> None:
    rig.fake.script(refusal(404, "model: claude-nonsense"))
    model = put(rig, route("claude-nonsense", *pair))
    assert post(rig, model=model).status_code == 404
    assert asked(rig.fake) == 1


# R47
def test_deployment_that_asks_for_time_gets_it(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot]) -> None:
    rig.fake.script(refusal(429, headers=(("retry-after", "30"),)))
    model = reroute(rig, *pair)
    for _ in range(4):
        assert post(rig, model=model).status_code == 200
    assert [served_by(entry) for entry in rig.gateway.closings(4)] == [["first", "second"], ["second"], ["second"], ["second"]]
    assert plane_of(rig).health.of("dep-1").circuit.until > 0


# R47
def test_time_that_the_last_one_asks_for_is_told_to_the_caller(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot]) -> None:
    rig.fake.script(refusal(500), refusal(429, headers=(("retry-after", "30"),)))
    answer = post(rig, model=reroute(rig, *pair))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")


# R87
def test_dead_deployment_is_left_alone_after_a_few_failures(
    rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], nowhere: str
) -> None:
    model = reroute(rig, replace(pair[0], base_url=nowhere), pair[1])
    for _ in range(8):
        assert post(rig, model=model).status_code == 200
    tried = [served_by(entry) for entry in rig.gateway.closings(8)]
    assert tried == [["first", "second"]] * 4 + [["second"]] * 4


# R87
def test_refusals_that_callers_earned_cool_nothing(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot]) -> None:
    rig.fake.script(*[refusal(400)] * 20)
    model = reroute(rig, *pair)
    for _ in range(20):
        post(rig, model=model)
    assert post(rig, model=model).headers["x-tallygate-deployment"] == "first"


def test_only_deployment_is_asked_however_it_fares(rig: Rig) -> None:
    rig.fake.script(refusal(429, headers=(("retry-after", "60"),)))
    model = put(rig, route("claude-one", deployment(rig, "first")))
    assert [post(rig, model=model).status_code for _ in range(3)] == [429, 200, 200]


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "PAUSE_S", 0.001)


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("first", [refusal(529), refusal(500), refusal(503), refusal(429, headers=(("retry-after", "0"),))])
def test_same_deployment_is_asked_again_where_nothing_was_made(rig: Rig, first: Answer) -> None:
    rig.fake.script(first, refusal(500))
    answer = post(rig, model=put(rig, route("claude-one", deployment(rig, "first"), retries=2)))
    assert (answer.status_code, answer.headers["x-litellm-attempted-retries"]) == (200, "2")
    entry = rig.gateway.closings()[0]
    assert [posting.attempt_id for posting in entry.postings] == [f"{entry.summary.id}.3"]


# R64: a provider that may have begun to answer is not asked for the same again.
@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("first", ["silent", "reset", "hung up"])
def test_same_deployment_is_not_asked_again_when_nobody_knows_what_it_did(rig: Rig, first: str) -> None:
    rig.fake.script(FAILING[first])
    only = deployment(rig, "first", first_byte_timeout_s=0.4)
    assert post(rig, model=put(rig, route("claude-one", only, retries=3))).status_code in {502, 504}
    assert asked(rig.fake) == 1


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(
    "last", [refusal(429, headers=(("retry-after", "20"),)), refusal(529, headers=(("x-should-retry", "false"),)), refusal(400)]
)
def test_same_deployment_is_not_asked_again_when_that_cannot_help_soon(rig: Rig, last: Answer) -> None:
    rig.fake.script(last)
    assert post(rig, model=put(rig, route("claude-one", deployment(rig, "first"), retries=3))).status_code == last.status
    assert asked(rig.fake) == 1


@pytest.mark.usefixtures("no_pauses")
def test_deployment_without_a_key_is_not_asked_for_again(rig: Rig) -> None:
    rig.fake.script(*[refusal(529)] * 9)
    line = route("claude-two", deployment(rig, "first"), deployment(rig, "keyless", problem="key lost"), retries=2)
    assert post(rig, model=put(rig, line)).status_code == 529
    assert served_by(rig.gateway.closings()[0]) == ["first", "first", "first"]


@pytest.mark.usefixtures("no_pauses")
def test_retries_end(rig: Rig) -> None:
    rig.fake.script(*[refusal(529)] * 10)
    assert post(rig, model=put(rig, route("claude-one", deployment(rig, "first"), retries=2))).status_code == 529
    assert asked(rig.fake) == 3


# R47: no attempt is begun for a caller that has stopped waiting by its own word.
@pytest.mark.parametrize(("header", "value"), [("x-stainless-timeout", "1"), ("x-stainless-timeout", "0.5"), ("x-litellm-timeout", "1")])
def test_impatient_caller_gets_one_attempt(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], header: str, value: str) -> None:
    rig.fake.script(refusal(529))
    assert send(rig, headers={**HEADERS, header: value}, model=reroute(rig, *pair)).status_code == 529
    assert asked(rig.fake) == 1


def test_answer_tells_what_became_of_every_attempt(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot]) -> None:
    rig.fake.script(refusal(529))
    answer = send(rig, headers={**HEADERS, "x-litellm-call-id": "call-7"}, model=reroute(rig, replace(pair[0], name='fi"rst é'), pair[1]))
    failed, served = answer.headers["x-tallygate-attempts"].split(", ")
    assert failed.startswith('"fi_rst _";provider=anthropic;status=529;reason=overloaded;ms=')
    assert served == '"second";provider=anthropic;status=200'
    told = {name: value for name, value in answer.headers.items() if name.startswith("x-litellm-")}
    assert (told["x-litellm-model-id"], told["x-litellm-call-id"], told["x-litellm-attempted-fallbacks"]) == ("dep-2", "call-7", "0")
    assert int(told["x-litellm-response-cost"].replace(".", "")) == rig.gateway.closings()[0].summary.cost_nano


def test_our_own_failure_tells_the_attempts_too(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], nowhere: str) -> None:
    answer = post(rig, model=reroute(rig, replace(pair[0], base_url=nowhere)))
    assert "provider_unreachable" in answer.headers["x-tallygate-attempts"]


# R88
def test_route_that_leads_back_to_us_is_cut(rig: Rig) -> None:
    model = put(rig, route("claude-loop", deployment(rig, "loop", base_url=rig.url, secret=ALICE, model="claude-loop"), retries=2))
    answer = post(rig, model=model)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (508, "false")
    assert "round in circles" in answer.json()["error"]["message"]
    entries = rig.gateway.closings(4)
    assert [len(entry.summary.attempts) for entry in entries] == [0, 1, 1, 1]
    assert sum(entry.summary.cost_nano or 0 for entry in entries) == 0


# R88
@pytest.mark.parametrize(("hops", "status"), [("2", 200), ("3", 508), ("99", 508), ("-1", 200), ("x", 200)])
def test_gateways_on_the_way_are_counted(rig: Rig, hops: str, status: int) -> None:
    answer = send(rig, headers={**HEADERS, "x-tallygate-hops": hops}, model=put(rig, route("claude-one", deployment(rig, "first"))))
    assert answer.status_code == status


# R88
def test_gateway_that_cuts_a_loop_says_so(rig: Rig) -> None:
    answer = send(rig, headers={**HEADERS, "x-tallygate-hops": "3"}, model=put(rig, route("claude-one", deployment(rig, "first"))))
    check_refusal(answer, 508, "loop_detected", "gateway")


@pytest.mark.parametrize("first", ["silent", "reset", "overloaded"])
def test_nothing_is_left_under_way(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], first: str) -> None:
    rig.fake.script(FAILING[first])
    post(rig, model=reroute(rig, replace(pair[0], first_byte_timeout_s=0.1), pair[1]), stream=True)
    rig.gateway.closings()
    vitals = plane_of(rig).health.vitals
    assert {name: one.in_flight for name, one in vitals.items()} == {"dep-1": 0, "dep-2": 0}
    assert vitals["dep-2"].tokens == rig.fake.bill.total("input_tokens") + rig.fake.bill.total("output_tokens")


@pytest.mark.parametrize("fault", ["reset", "eof", "end", "error"])
def test_answers_that_break_off_count_against_the_deployment(
    rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot], fault: str
) -> None:
    rig.fake.script(*[Answer(fault=fault, fault_after=2)] * 4)  # type: ignore[arg-type]  # parametrised names of faults
    model = reroute(rig, *pair)
    for number in range(4):
        with streaming(rig, model=model) as answer:
            assert sse(answer.read())[-1] == "error"
        rig.gateway.closings(number + 1)
    assert post(rig, model=model).headers["x-tallygate-deployment"] == "second"


def test_capacity_of_a_deployment_sends_the_rest_elsewhere(rig: Rig, pair: tuple[DeploymentSnapshot, DeploymentSnapshot]) -> None:
    model = reroute(rig, replace(pair[0], rpm=2), pair[1])
    names = [post(rig, model=model).headers["x-tallygate-deployment"] for _ in range(5)]
    assert names == ["first", "first", "second", "second", "second"]


def test_cooldowns_can_be_switched_off(rig: Rig) -> None:
    rig.fake.script(refusal(429, headers=(("retry-after", "30"),)))
    model = put(rig, route("claude-two", deployment(rig, "first"), deployment(rig, "second")), policy=Policy(cooldown_s=0))
    assert [post(rig, model=model).headers["x-tallygate-deployment"] for _ in range(2)] == ["second", "first"]
