"""Time and size limits: every wait ends, with the right words, settled, and nothing piles up meanwhile."""

import ctypes
import gzip
import json
import socket
import threading
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest

from proxy.attempts import NO_ANSWER
from proxy.client import decoded
from proxy.errors import ClientError
from proxy.limits import Limits
from tests.fakes.line import Line, Seen, read_body
from tests.fakes.script import Answer, Gate
from tests.fakes.serving import Receive, Scope, Send
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import (
    HEADERS,
    OPEN,
    PATIENCE_S,
    START,
    WHOLE,
    Player,
    ask,
    call,
    dial,
    openings,
    plane_of,
    playing,
    post,
    read_to_end,
    read_until,
    request,
    reroute,
    sent_bytes,
    sse,
    streaming,
    wait_until,
)

MB = 1024 * 1024
HUGE = 32 * MB
SMALL = Limits(sweep_s=0.005, body_bytes=4096)
QUICK = Limits(sweep_s=0.005, body_idle_s=0.1)
STALLING = Limits(sweep_s=0.005, write_stall_s=0.2)


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


def settled(rig: Rig) -> tuple[str, str, str]:
    (entry,) = rig.gateway.closings()
    return entry.summary.outcome, entry.summary.error_source, entry.summary.error_code


def resident_bytes() -> int:
    ctypes.CDLL(None).malloc_trim(0)  # what is free is not kept
    with open("/proc/self/statm") as figures:  # noqa: PTH123 - a kernel file, read often
        return int(figures.read().split()[1]) * 4096


def narrow_call(rig: Rig, **fields: object) -> socket.socket:
    """A call whose reader takes little at a time."""
    client = dial(rig)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(request(json.dumps(ask(**{"stream": True, **fields})).encode()))  # type: ignore[arg-type]  # model is a name
    return client


@pytest.mark.parametrize("limits", [QUICK])
@pytest.mark.parametrize("field", ["accept: */*", "transfer-encoding: chunked"])
def test_body_that_stops_coming_is_refused_and_the_connection_closed(rig: Rig, field: str) -> None:
    with dial(rig) as client:
        client.sendall(request(b'5\r\n{"mod', field, length=1000))
        answer = read_to_end(client)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"x-tallygate-error-code: body_timeout" in answer
    assert settled(rig) == ("refused", "client", "body_timeout")


@pytest.mark.parametrize("limits", [QUICK])
def test_body_may_take_long_as_long_as_it_moves(rig: Rig) -> None:
    body = json.dumps(ask()).encode()
    with dial(rig) as client:
        client.sendall(request(b"", length=len(body)))
        for place in range(len(body)):
            client.sendall(body[place : place + 1])
            threading.Event().wait(0.004)
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("limits", [SMALL])
def test_announced_large_body_is_refused_unread(rig: Rig) -> None:
    with dial(rig) as client:
        client.sendall(request(b"", "expect: 100-continue", length=4097))
        answer = read_to_end(client)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"100 Continue" not in answer
    assert settled(rig) == ("refused", "client", "request_too_large")


@pytest.mark.parametrize("limits", [SMALL])
def test_unannounced_large_body_is_refused_on_the_way(rig: Rig) -> None:
    piece = b"400\r\n" + b"x" * 1024 + b"\r\n"
    with dial(rig) as client:
        client.sendall(request(piece * 5, "transfer-encoding: chunked"))
        assert read_to_end(client).startswith(b"HTTP/1.1 413 ")
    assert not rig.fake.seen


@pytest.mark.parametrize("limits", [SMALL])
def test_body_at_the_limit_passes(rig: Rig) -> None:
    empty = len(json.dumps(ask(x="")))
    body = json.dumps(ask(x="x" * (4096 - empty)))
    assert httpx.post(f"{rig.url}/v1/messages", content=body, headers=HEADERS).status_code == 200


def test_large_body_that_is_still_coming_does_not_pile_up(rig: Rig) -> None:
    head = request(b"", "transfer-encoding: chunked")
    before = resident_bytes()
    with dial(rig) as client:
        client.sendall(head)
        with pytest.raises((ConnectionError, TimeoutError)):
            for _ in range(200):
                client.sendall(b"100000\r\n" + bytes(MB) + b"\r\n")
    assert resident_bytes() - before < 120 * MB


class Forgetful(Player):
    """Keeps nothing of what it is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(receive)
        self.arrived.set()
        async with Line(scope, receive, send, Seen("1", "POST", scope["raw_path"], b"", [], b"")) as line:
            await self._play(line)


@pytest.mark.parametrize(("hold_after", "most_mb"), [(-1, 18 * 16), (2, 6 * 16)], ids=["once before the answer", "not at all after"])
def test_request_of_a_call_under_way_is_kept(rig: Rig, hold_after: int, most_mb: int) -> None:
    gate = Gate()
    player = Forgetful(WHOLE, hold=gate, hold_after=hold_after)
    with playing(rig, player) as model, ExitStack() as streams:
        body = json.dumps(ask(model=model, stream=True, system="x" * 16 * MB)).encode()
        before = resident_bytes()
        for _ in range(12):
            client = streams.enter_context(dial(rig))
            client.sendall(request(body))
            assert player.arrived.wait(PATIENCE_S)
            player.arrived.clear()
            if hold_after > 0:
                read_until(client, OPEN)
        kept = resident_bytes() - before
        gate.open()
    assert kept < most_mb * MB


def test_stranger_with_expectations_is_refused_without_a_body(rig: Rig) -> None:
    with dial(rig) as client:
        client.sendall(request(b"", "expect: 100-continue", "x-api-key: sk-nobody", length=1000))
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")


def test_caller_with_expectations_is_asked_for_the_body(rig: Rig) -> None:
    body = json.dumps(ask()).encode()
    with dial(rig) as client:
        client.sendall(request(b"", "expect: 100-continue", length=len(body)))
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_packed_bomb_is_refused_at_the_limit() -> None:
    bomb = gzip.compress(bytes(10 * MB))
    with pytest.raises(ClientError, match="larger than 1 MB"):
        decoded(bomb, b"gzip", MB)


def test_time_limit_keeps_nothing_of_the_calls_it_ended(rig: Rig) -> None:
    rig.fake.script(Answer(fault="stall", fault_after=-1))
    assert post(rig, model=reroute(rig, replace(rig.deployment, first_byte_timeout_s=0.1))).status_code == 504
    assert NO_ANSWER.__traceback__ is None
    assert NO_ANSWER.__context__ is None


# R13
@pytest.mark.parametrize("is_stream", [True, False])
def test_provider_that_never_answers_is_given_up(rig: Rig, is_stream: bool) -> None:
    rig.fake.script(Answer(fault="stall", fault_after=-1))
    answer = post(rig, model=reroute(rig, replace(rig.deployment, first_byte_timeout_s=0.1)), stream=is_stream)
    assert (answer.status_code, answer.json()["error"]["type"]) == (504, "timeout_error")
    assert settled(rig) == ("failed", "provider", "provider_timeout")
    assert rig.gateway.closings()[0].summary.cost_nano
    assert rig.fake.seen[-1].finished.wait(PATIENCE_S) and rig.fake.seen[-1].aborted


@pytest.mark.parametrize("place", [0, 1, 4])
def test_provider_that_falls_silent_is_given_up_inside_the_stream(rig: Rig, place: int) -> None:
    rig.fake.script(Answer(fault="stall", fault_after=place))
    with streaming(rig, model=reroute(rig, replace(rig.deployment, idle_timeout_s=0.1))) as answer:
        names = sse(answer.read())
    assert names[-1] == "error" and "message_stop" not in names
    assert settled(rig) == ("truncated", "provider", "provider_timeout")
    assert rig.fake.seen[-1].finished.wait(PATIENCE_S) and rig.fake.seen[-1].aborted


def test_provider_that_stops_inside_a_whole_answer_is_given_up(rig: Rig) -> None:
    rig.fake.script(Answer(fault="stall", fault_after=1))
    answer = post(rig, model=reroute(rig, replace(rig.deployment, idle_timeout_s=0.1)))
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (504, "provider_timeout")
    assert settled(rig) == ("failed", "provider", "provider_timeout")


def test_provider_that_does_not_hang_up_after_the_last_event_spoils_nothing(rig: Rig) -> None:
    with playing(rig, Player(WHOLE, lingers=True), idle_timeout_s=0.1) as model, streaming(rig, model=model) as answer:
        assert answer.read() == b"".join(WHOLE)
        assert settled(rig) == ("ok", "", "")


def test_slow_but_steady_stream_is_not_cut(rig: Rig) -> None:
    rig.fake.script(Answer(gap_s=0.02, deltas=20))
    with streaming(rig, model=reroute(rig, replace(rig.deployment, idle_timeout_s=0.2, first_byte_timeout_s=0.2))) as answer:
        assert sse(answer.read())[-1] == "message_stop"


def test_slow_reader_slows_its_provider(rig: Rig) -> None:
    rig.fake.script(Answer(huge_bytes=HUGE), Answer(gap_s=0.005, deltas=60))
    before = resident_bytes()
    with narrow_call(rig) as client:
        read_until(client, b"content_block_delta")
        # The provider may write for as long as another stream takes.
        assert sse(post(rig, stream=True).content)[-1] == "message_stop"
        held, grown = rig.fake.seen[0].sent_bytes, resident_bytes() - before
    assert held < HUGE / 2
    assert grown < 16 * MB
    assert rig.fake.seen[0].finished.wait(PATIENCE_S)


@pytest.mark.parametrize("limits", [STALLING])
def test_reader_that_stops_reading_is_cut_and_settled(rig: Rig) -> None:
    rig.fake.script(Answer(huge_bytes=HUGE))
    with call(rig, stream=True) as client:
        read_until(client, b"content_block_delta")
        assert settled(rig) == ("truncated", "client", "client_stalled")
        assert rig.fake.seen[-1].finished.wait(PATIENCE_S) and rig.fake.seen[-1].aborted
        assert not plane_of(rig).live
        assert not read_to_end(client).endswith(b"\r\n0\r\n\r\n")
    assert rig.gateway.closings()[0].summary.cost_nano


@pytest.mark.parametrize("limits", [STALLING])
def test_reader_stuck_while_the_provider_falls_silent_is_let_go(rig: Rig) -> None:
    pieces = [START, OPEN, *[b": " + b"x" * 65000 + b"\n\n"] * 200]
    with playing(rig, Player(pieces, lingers=True), idle_timeout_s=0.05) as model, narrow_call(rig, model=model) as client:
        read_until(client, b"content_block_start")
        assert settled(rig)[0] == "truncated"
        wait_until(lambda: not plane_of(rig).live)


def test_huge_stream_comes_whole(rig: Rig) -> None:
    rig.fake.script(Answer(huge_bytes=HUGE))
    with streaming(rig) as answer:
        length = sum(len(piece) for piece in answer.iter_raw())
    assert length == sent_bytes(rig) > HUGE
    summary = rig.gateway.closings()[0].summary
    assert summary.output_tokens == rig.fake.bill.rows[-1].usage["output_tokens"]


def test_attempt_is_on_record_before_the_provider_hears_of_it(rig: Rig) -> None:
    rig.fake.script(Answer(fault="stall", fault_after=-1))
    with call(rig, max_tokens=50):
        rig.fake.wait_for_call()
        ((attempt_id, opened),) = openings(rig.gateway)
        assert not rig.gateway.lines("c")
    assert (opened.key_id, opened.provider, opened.model, opened.output_tokens) == ("key-alice", "anthropic", "claude-opus-5-5", 50)
    assert opened.input_tokens > 0
    assert attempt_id == f"{rig.gateway.closings()[0].summary.id}.1"
