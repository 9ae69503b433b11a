"""Conversations stay with their deployment; where they cannot, other accounts are not shown what was thought before."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from proxy.limits import Limits
from routing.policy import Policy
from tests.fakes.line import Seen
from tests.fakes.script import refusal
from tests.proxy.door import know, plane, send
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.routes import cool, deployment, put, route, served_by
from tests.proxy.talk import HEADERS

THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
SAID = {"type": "text", "text": "Hello."}
USER = {"role": "user", "content": "Hi"}
HISTORY = [USER, {"role": "assistant", "content": [THOUGHT, SAID]}, USER]
BOUND = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different account."


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


def two_accounts(rig: Rig, **changes: Any) -> str:
    """A name served by two accounts alike."""
    pair = [deployment(rig, name, credential_id=f"cred-{name}") for name in ("one", "two")]
    line = route("claude-two", *pair, **changes)
    return put(rig, replace(line, targets=tuple(replace(target, order=1) for target in line.targets)))


def call(rig: Rig, model: str, session: str = "s-1", headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    return send(rig, headers={**(headers or HEADERS), "x-claude-code-session-id": session}, model=model, **fields)


def served(answer: httpx.Response) -> str:
    return answer.headers["x-tallygate-deployment"]


def turns(seen: Seen) -> Any:
    return seen.json()["messages"]


def test_conversation_stays_where_it_is(rig: Rig) -> None:
    model = two_accounts(rig)
    assert len({served(call(rig, model)) for _ in range(12)}) == 1


def test_conversations_are_spread(rig: Rig) -> None:
    model = two_accounts(rig)
    assert {served(call(rig, model, f"s-{number}")) for number in range(20)} == {"one", "two"}


def test_conversation_begins_at_the_same_place_in_another_process(rig: Rig) -> None:
    model = two_accounts(rig)
    before = served(call(rig, model))
    plane(rig).sticky.stays.clear()
    assert {served(call(rig, model, "s-1")) for _ in range(3)} == {before}


def test_session_id_in_the_body_will_do(rig: Rig) -> None:
    model = two_accounts(rig)
    for _ in range(3):
        send(rig, model=model, metadata={"user_id": json.dumps({"device_id": "d", "session_id": "s-7"})})
    assert list(plane(rig).sticky.stays) == [("key-alice", "s-7", model)]


def test_conversations_of_different_keys_are_different(rig: Rig) -> None:
    model = two_accounts(rig)
    call(rig, model)
    call(rig, model, headers=know(rig, "bob"))
    assert [who[:2] for who in plane(rig).sticky.stays] == [("key-alice", "s-1"), ("key-bob", "s-1")]


def test_conversations_need_not_stay(rig: Rig) -> None:
    model = two_accounts(rig)
    put(rig, plane(rig).snapshot.routes.exact[model], policy=Policy(is_sticky=False))
    assert {served(call(rig, model)) for _ in range(40)} == {"one", "two"}


def test_only_place_there_is_needs_no_memory(rig: Rig) -> None:
    call(rig, put(rig, route("claude-one", deployment(rig, "one"))))
    assert not plane(rig).sticky.stays


def move(rig: Rig, model: str) -> None:
    """Makes the conversation's deployment cool down."""
    cool(rig, served(call(rig, model)))


def test_conversation_that_must_move_loses_its_thinking_and_nothing_else(rig: Rig) -> None:
    model = two_accounts(rig)
    move(rig, model)
    assert call(rig, model, messages=HISTORY).status_code == 200
    assert turns(rig.fake.seen[-1]) == [USER, {"role": "assistant", "content": [SAID]}, USER]


def test_after_a_move_only_the_old_accounts_thinking_is_kept_back(rig: Rig) -> None:
    model = two_accounts(rig)
    move(rig, model)
    call(rig, model, messages=HISTORY)
    longer = [*HISTORY, {"role": "assistant", "content": [THOUGHT, SAID]}, USER]
    call(rig, model, messages=longer)
    assert turns(rig.fake.seen[-1]) == [USER, {"role": "assistant", "content": [SAID]}, USER, *longer[3:]]


def test_conversation_does_not_move_back(rig: Rig) -> None:
    model = two_accounts(rig)
    move(rig, model)
    moved_to = served(call(rig, model, messages=HISTORY))
    plane(rig).health.vitals.clear()
    assert served(call(rig, model, messages=HISTORY)) == moved_to


def test_thinking_is_kept_within_one_account(rig: Rig) -> None:
    pair = [deployment(rig, name, credential_id="cred-same") for name in ("one", "two")]
    model = put(rig, route("claude-two", *pair))
    move(rig, model)
    call(rig, model, messages=HISTORY)
    assert turns(rig.fake.seen[-1]) == HISTORY


def test_thinking_with_a_budget_is_kept_because_it_is_bound_to_nobody(rig: Rig) -> None:
    model = two_accounts(rig)
    move(rig, model)
    call(rig, model, messages=HISTORY, thinking={"type": "enabled", "budget_tokens": 1024})
    assert turns(rig.fake.seen[-1]) == HISTORY


def test_thinking_goes_when_the_attempt_at_the_own_account_fails(rig: Rig) -> None:
    model = two_accounts(rig)
    call(rig, model)
    rig.fake.script(refusal(529))
    call(rig, model, messages=HISTORY)
    first, second = list(rig.fake.seen)[-2:]
    assert turns(first) == HISTORY
    assert turns(second) == [USER, {"role": "assistant", "content": [SAID]}, USER]


def test_thinking_goes_when_another_name_serves_the_call(rig: Rig) -> None:
    rig.fake.script(refusal(529))
    spare = route("spare", deployment(rig, "spare", model="claude-sonnet-4-5-20250929"))
    model = put(rig, route("claude-main", deployment(rig, "main"), fallbacks=("spare",)), spare)
    call(rig, model, messages=HISTORY)
    assert turns(rig.fake.seen[-1]) == [USER, {"role": "assistant", "content": [SAID]}, USER]


def test_provider_that_does_not_take_the_thinking_is_asked_again_without_it(rig: Rig) -> None:
    rig.fake.script(refusal(400, BOUND))
    model = put(rig, route("claude-one", deployment(rig, "one")))
    assert call(rig, model, messages=HISTORY).status_code == 200
    assert turns(rig.fake.seen[-1]) == [USER, {"role": "assistant", "content": [SAID]}, USER]
    entry = rig.gateway.closings()[0]
    assert [(note.error_code, note.left_out) for note in entry.summary.attempts] == [("thinking_refused", []), ("", ["thinking"])]
    assert [posting.attempt_id[-2:] for posting in entry.postings] == [".2"]


def test_provider_that_refuses_without_thinking_too_is_believed(rig: Rig) -> None:
    rig.fake.script(refusal(400, BOUND), refusal(400, BOUND))
    answer = call(rig, put(rig, route("claude-two", deployment(rig, "one"), deployment(rig, "two"))), messages=HISTORY)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, BOUND)
    assert served_by(rig.gateway.closings()[0]) == ["one", "one"]


def test_counting_tokens_moves_nobody(rig: Rig) -> None:
    model = two_accounts(rig)
    send(rig, path="/v1/messages/count_tokens", headers={**HEADERS, "x-claude-code-session-id": "s-1"}, model=model)
    assert not plane(rig).sticky.stays
