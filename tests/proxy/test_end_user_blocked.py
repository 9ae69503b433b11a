"""An end user who is blocked: whoever names them in a call is refused before the provider hears of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from audit.trail import SYSTEM
from keys.loading import load_keys
from keys.people_actions import block_end_user, known_end_user, unblock_end_user
from proxy.limits import Limits
from tests.proxy.door import check_refusal, plane, send, summary
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import MODEL

CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


def block(rig: Rig, *names: str) -> None:
    snapshot = plane(rig).snapshot
    plane(rig).snapshot = replace(snapshot, keys=replace(snapshot.keys, blocked_end_users=frozenset(names)))


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_blocked_end_user_is_refused_before_the_provider_is_asked(rig: Rig, path: str) -> None:
    block(rig, "eve")
    error = check_refusal(send(rig, path=path, metadata={"user_id": "eve"}), 403, "end_user_blocked")
    assert (error["type"], "eve" in error["message"]) == ("permission_error", True)
    assert not rig.fake.seen


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/chat/completions", CHAT | {"user": "eve"}),
        ("/v1/chat/completions", CHAT | {"safety_identifier": "eve"}),
        ("/v1/responses", {"model": MODEL, "input": "Hello", "user": "eve"}),
    ],
)
def test_blocked_end_user_is_refused_in_openais_shape(rig: Rig, path: str, fields: dict[str, Any]) -> None:
    block(rig, "eve")
    answer = send(rig, path=path, **fields)
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (403, "end_user_blocked")
    assert "eve is blocked" in answer.json()["error"]["message"]
    assert not rig.fake.seen


def test_refusal_is_on_record_and_not_to_be_tried_again(rig: Rig) -> None:
    block(rig, "eve")
    assert send(rig, metadata={"user_id": "eve"}).headers["x-should-retry"] == "false"
    record = summary(rig)
    assert (record.error_code, record.error_source, record.end_user, record.cost_nano) == ("end_user_blocked", "client", "eve", 0)


@pytest.mark.parametrize("fields", [{"metadata": {"user_id": "adam"}}, {"metadata": {"user_id": "Eve"}}, {}])
def test_calls_for_others_and_for_nobody_go_on(rig: Rig, fields: dict[str, Any]) -> None:
    block(rig, "eve")
    assert send(rig, **fields).status_code == 200


def test_call_is_not_searched_for_a_user_while_nobody_is_blocked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("proxy.admission._check_end_user", lambda *_: asked.append("asked"))
    assert (send(rig).status_code, asked) == (200, [])


@pytest.mark.django_db
def test_blocking_takes_force_with_the_next_snapshot_and_so_does_unblocking() -> None:
    known_end_user("adam", actor=SYSTEM)
    eve = block_end_user(known_end_user("eve", actor=SYSTEM), actor=SYSTEM)
    assert load_keys("sk-master", datetime.now(UTC)).blocked_end_users == {"eve"}
    unblock_end_user(eve, actor=SYSTEM)
    assert load_keys("sk-master", datetime.now(UTC)).blocked_end_users == frozenset()
