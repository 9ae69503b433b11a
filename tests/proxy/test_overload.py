"""More calls than a process takes: the next one is told so at once, and everything that is no call goes on."""

import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from proxy.limits import Limits
from tests.gateway_project.running import MASTER, Serving, until
from tests.proxy.door import check_refusal, get, send
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import PATIENCE_S, call, dial, plane_of, post, read_until, request, wait_until

TAKEN = 2
FULL = Limits(sweep_s=0.005, in_flight=TAKEN)


@pytest.fixture
def limits() -> Limits:
    return FULL


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@contextmanager
def calls_under_way(rig: Rig, count: int = TAKEN) -> Iterator[None]:
    """Calls whose bodies do not come."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(dial(rig)).sendall(request(b"", length=100))
        wait_until(lambda: len(plane_of(rig).live) == count)
        yield


def test_call_too_many_is_refused_and_left_off_the_record(rig: Rig) -> None:
    """R81."""
    with calls_under_way(rig):
        answer = post(rig)
    assert check_refusal(answer, 503, "overloaded", "gateway")
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("1", "true")
    wait_until(lambda: not plane_of(rig).live)
    assert not rig.fake.seen
    assert not [entry for entry in rig.gateway.lines("c") if entry.summary.error_code == "overloaded"]


@pytest.mark.parametrize("fields", [(), ("transfer-encoding: chunked",), ("x-api-key: sk-nobody",)])
def test_call_too_many_is_refused_before_its_body_and_whoever_makes_it(rig: Rig, fields: tuple[str, ...]) -> None:
    """R81."""
    with calls_under_way(rig), dial(rig) as client:
        client.sendall(request(b"", *fields, length=30_000_000))
        assert b"x-tallygate-error-code: overloaded" in read_until(client, b"\r\n\r\n")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/messages", '"type":"error"'),
        ("/v1/messages/count_tokens", '"type":"error"'),
        ("/v1/chat/completions", '"code":"503"'),
        ("/bedrock/model/claude-opus-5-5/converse", '"message":'),
        ("/v1beta/models/gemini-pro:generateContent", '"status":"UNAVAILABLE"'),
    ],
)
def test_call_too_many_is_refused_in_its_callers_tongue(rig: Rig, path: str, kind: str) -> None:
    """R81."""
    with calls_under_way(rig):
        answer = send(rig, path=path)
    assert (answer.status_code, answer.headers["x-tallygate-error-code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert kind in answer.text


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/readiness", "/api/hello", "/v1/models"])
def test_what_is_no_call_is_answered_under_overload(rig: Rig, path: str) -> None:
    """R81."""
    with calls_under_way(rig):
        assert get(rig, path).status_code == 200


def test_calls_are_taken_again_when_others_have_ended(rig: Rig) -> None:
    """R81: a call that is refused takes no place itself."""
    with calls_under_way(rig):
        assert {post(rig).status_code for _ in range(3)} == {503}
    wait_until(lambda: not plane_of(rig).live)
    assert post(rig).status_code == 200


def test_call_that_waits_for_its_provider_takes_a_place(rig: Rig) -> None:
    """R81."""
    with calls_under_way(rig, TAKEN - 1), call(rig, model="fake-stall-early"):
        rig.fake.wait_for_call()
        assert post(rig).status_code == 503


@pytest.mark.parametrize("limits", [Limits(sweep_s=0.005, in_flight=0)])
def test_no_limit_is_none(rig: Rig) -> None:
    with calls_under_way(rig, 20):
        assert post(rig).status_code == 200


def test_administrator_is_told_of_an_overload_and_not_of_every_call(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    plane_of(rig).told_at = 0.0
    with caplog.at_level(logging.WARNING, "proxy.plane"), calls_under_way(rig):
        for _ in range(5):
            post(rig)
        wait_until(lambda: bool(caplog.records))
    assert [record.getMessage() for record in caplog.records] == ["calls were turned away: the process has all that it takes"]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    running = Serving(tmp_path / "home", "--no-background", TALLYGATE_MAX_IN_FLIGHT="1", TALLYGATE_MASTER_KEY=MASTER)
    yield running
    running.stop()


def test_pages_and_health_of_a_server_go_on_under_overload(serving: Serving) -> None:
    """R81: the setting is in force, and Django does not stand behind the limit."""
    with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
        client.sendall(request(b"", f"x-api-key: {MASTER}", length=100))
        until(lambda: serving.ask() == 503)
        assert [serving.get(path) for path in ("/health/readiness", "/accounts/login/", "/admin/")] == [200, 200, 302]
    until(lambda: serving.ask() == 200)
