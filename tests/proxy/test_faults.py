"""What a network can do to a call, through the public door: a fault proxy stands between the gateway and the provider.

Only what no other test of this folder shows: docs/guarantees.md lists them all.
"""

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from proxy.limits import Limits
from routing.dialects.messages_reader import MessagesReader
from routing.health import Health
from tests.fakes.fault_proxy import Fault, FaultProxy, Flap, fault_proxy
from tests.fakes.script import Answer
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.routes import deployment, served_by
from tests.proxy.talk import (
    CLOSE,
    DELTA,
    HEADERS,
    OPEN,
    PATIENCE_S,
    START,
    STOP,
    TEXT,
    Player,
    ask,
    plane_of,
    playing,
    post,
    reroute,
    sse,
    streaming,
    wait_until,
)  # fmt: skip

SILENT_S = 0.15


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@contextmanager
def behind(rig: Rig, *, idle_s: float | None = None, **changes: Any) -> Iterator[tuple[FaultProxy, str]]:
    """A fault proxy, and the name of a model behind it."""
    with fault_proxy(rig.deployment.base_url, idle_s=idle_s) as proxy:
        yield proxy, reroute(rig, replace(rig.deployment, base_url=proxy.url, **changes))


@contextmanager
def two(rig: Rig, **changes: Any) -> Iterator[tuple[FaultProxy, str]]:
    """A fault proxy before the first of two deployments, and the name of the model that they serve."""
    with fault_proxy(rig.deployment.base_url) as proxy:
        yield proxy, reroute(rig, deployment(rig, "first", base_url=proxy.url, **changes), deployment(rig, "second"))


# ── what is watched may be anything
@pytest.mark.parametrize("garbage", [b"\x00\xff\xfe" * 400 + b"\n\n", b'data: {"usage": [[[[\n\n', b"event: message_delta\ndata: 7\n\n"])
def test_garbage_in_a_stream_passes_and_the_call_is_settled(rig: Rig, garbage: bytes) -> None:
    """R51."""
    stream = [START, OPEN, garbage, TEXT, CLOSE, DELTA, STOP]
    with playing(rig, Player(stream)) as model, streaming(rig, model=model) as answer:
        assert b"".join(answer.iter_raw()) == b"".join(stream)
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.output_tokens, summary.is_estimated) == ("ok", 12, False)


def test_event_too_long_to_be_read_passes_and_is_counted_by_its_bytes(rig: Rig) -> None:
    """R53."""
    long = b"event: content_block_delta\ndata: " + b"x" * 3_000_000 + b"\n\n"
    with playing(rig, Player([START, OPEN, long, CLOSE])) as model, streaming(rig, model=model, max_tokens=2_000_000) as answer:
        assert long in answer.read()
    summary = rig.gateway.closings()[0].summary
    assert summary.is_estimated and summary.output_tokens > 1_000_000


# ── silence
@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("place", ["accept", "request", "head"])
def test_silence_before_the_answer_ends_the_call(rig: Rig, place: str, is_stream: bool) -> None:
    """R57, R58: whether the provider is slow or its machine is gone without a word, the caller is told, and the unknown is paid for."""
    with behind(rig, first_byte_timeout_s=SILENT_S) as (proxy, model):
        proxy.script(Fault(act="stall", place=place))  # type: ignore[arg-type]  # parametrised names of places
        answer = post(rig, model=model, stream=is_stream)
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (504, "provider_timeout")
    entry = rig.gateway.closings()[0]
    assert (entry.summary.outcome, entry.summary.is_estimated, len(entry.postings)) == ("failed", True, 1)


def test_silence_inside_the_head_is_silence_before_the_answer(rig: Rig) -> None:
    """R57."""
    with behind(rig, first_byte_timeout_s=SILENT_S) as (proxy, model):
        proxy.script(Fault(act="stall", place="head", after=20))
        assert post(rig, model=model, stream=True).status_code == 504


@pytest.mark.parametrize("after", [0, 400])
def test_silence_inside_a_stream_ends_it_with_an_error(rig: Rig, after: int) -> None:
    """R57, R58."""
    with behind(rig, idle_timeout_s=SILENT_S) as (proxy, model):
        proxy.script(Fault(act="stall", place="body", after=after))
        assert sse(post(rig, model=model, stream=True).content)[-1] == "error"
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.error_code, summary.is_estimated) == ("truncated", "provider_timeout", True)


def test_silence_inside_a_whole_answer_is_told(rig: Rig) -> None:
    """R57, R58."""
    with behind(rig, idle_timeout_s=SILENT_S) as (proxy, model):
        proxy.script(Fault(act="stall", place="body", after=30))
        answer = post(rig, model=model)
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (504, "provider_timeout")
    assert rig.gateway.closings()[0].summary.cost_nano


@contextmanager
def full() -> Iterator[str]:
    """An address whose machine does not even answer the handshake: its queue of connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as waiting:
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_handshake_that_is_not_answered_costs_nothing_and_the_next_one_serves(rig: Rig) -> None:
    """R57."""
    with full() as url:
        model = reroute(rig, deployment(rig, "first", base_url=url, connect_timeout_s=SILENT_S), deployment(rig, "second"))
        assert post(rig, model=model).status_code == 200
    entry = rig.gateway.closings()[0]
    assert [note.error_code for note in entry.summary.attempts] == ["provider_unreachable", ""]
    assert len(entry.postings) == 1


# ── broken off
@pytest.mark.parametrize("act", ["reset", "eof"])
@pytest.mark.parametrize("after", [1, 137, 500, 900])
def test_stream_cut_at_any_byte_never_ends_as_if_it_were_whole(rig: Rig, act: str, after: int) -> None:
    """R60: also inside an event, a number or a frame of the transfer."""
    with behind(rig) as (proxy, model):
        proxy.script(Fault(act=act, place="body", after=after))  # type: ignore[arg-type]  # parametrised names of faults
        names = sse(post(rig, model=model, stream=True).content)
    assert names[-1] == "error" and "message_stop" not in names
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.error_source, summary.is_estimated) == ("truncated", "provider", True)


@pytest.mark.parametrize("act", ["reset", "eof"])
@pytest.mark.parametrize("after", [0, 25])
def test_answer_broken_off_in_its_head_moves_on_with_its_own_hold(rig: Rig, act: str, after: int) -> None:
    """R62: nothing had reached the caller; what the first one may have billed is paid for."""
    with two(rig) as (proxy, model):
        proxy.script(Fault(act=act, place="head", after=after))  # type: ignore[arg-type]  # parametrised names of faults
        assert post(rig, model=model, stream=True).status_code == 200
    entry = rig.gateway.closings()[0]
    assert served_by(entry) == ["first", "second"]
    assert [posting.is_estimated for posting in entry.postings] == [True, False]


@pytest.mark.parametrize("act", ["reset", "eof"])
@pytest.mark.parametrize(("place", "after"), [("head", 60), ("body", 40)])
def test_whole_answer_that_broke_off_is_never_under_the_bill(rig: Rig, act: str, place: str, after: int) -> None:
    """R6, R13: it had been made before its first byte came, and nobody saw how long it was."""
    rig.fake.script(Answer(blocks=({"type": "text", "text": "word" * 2000},), output_tokens=2000))
    with behind(rig) as (proxy, model):
        proxy.script(Fault(act=act, place=place, after=after))  # type: ignore[arg-type]  # parametrised names
        assert post(rig, model=model, max_tokens=3000).status_code == 502
    (posting,) = rig.gateway.closings()[0].postings
    assert posting.is_estimated
    assert rig.gateway.closings()[0].summary.output_tokens >= rig.fake.bill.total("output_tokens") == 2000


def test_provider_that_refuses_connections_is_passed_over(rig: Rig) -> None:
    """R62: also where connections to it were kept."""
    with two(rig) as (proxy, model):
        assert post(rig, model=model).status_code == 200
        with proxy.refusing():
            assert post(rig, model=model).status_code == 200
    entry = rig.gateway.closings(2)[1]
    assert served_by(entry)[-1] == "second"
    assert len(entry.postings) == 1


# ── once more, or not
@pytest.mark.parametrize("act", ["reset", "eof"])
def test_kept_connection_that_breaks_unheard_is_tried_once_more(rig: Rig, act: str) -> None:
    """R63: the provider never saw the call that broke."""
    with behind(rig) as (proxy, model):
        proxy.script(Fault(), Fault(act=act, place="request"))  # type: ignore[arg-type]  # parametrised names of faults
        assert [post(rig, model=model).status_code for _ in range(2)] == [200, 200]
    assert len(rig.gateway.closings(2)[1].postings) == 1
    assert len(rig.fake.seen) == 2


def test_kept_connection_is_tried_once_more_and_not_twice(rig: Rig) -> None:
    """R63: the second try goes out on a fresh connection, and there it ends."""
    broken = Fault(act="reset", place="request")
    with behind(rig) as (proxy, model):
        proxy.script(Fault(), broken, broken, Fault())
        assert [post(rig, model=model).status_code for _ in range(2)] == [200, 502]
        assert proxy.struck == [broken, broken]


@pytest.mark.parametrize("is_kept", [True, False])
def test_call_whose_answer_had_begun_is_not_sent_again(rig: Rig, is_kept: bool) -> None:
    """R64: one byte of an answer, and the provider was at work."""
    with behind(rig) as (proxy, model):
        proxy.script(*[Fault()] * is_kept, Fault(act="reset", place="head", after=1))
        assert [post(rig, model=model).status_code for _ in range(is_kept + 1)][-1] == 502
        assert proxy.requests == is_kept + 1


def test_call_on_a_fresh_connection_is_not_sent_again(rig: Rig) -> None:
    """R64."""
    with behind(rig) as (proxy, model):
        proxy.script(Fault(act="eof", place="head"))
        assert post(rig, model=model).status_code == 502
        assert proxy.requests == 1


def test_connection_that_the_provider_closed_while_idle_is_not_used(rig: Rig) -> None:
    """R65."""
    with behind(rig, idle_s=0.02) as (proxy, model):
        for number in range(3):
            assert post(rig, model=model).status_code == 200
            wait_until(lambda: proxy.open_connections == 0)
            assert proxy.connections >= number + 1
    assert sum(len(entry.postings) for entry in rig.gateway.closings(3)) == 3
    assert len(rig.fake.seen) == 3


# ── lies
def test_stream_that_claims_to_be_packed_passes_as_it_came(rig: Rig) -> None:
    """R66: and is paid for by its bytes."""
    with behind(rig) as (proxy, model):
        proxy.script(Fault(coding="gzip"))
        with streaming(rig, model=model) as answer:
            body = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert sse(body)[-1] == "message_stop"
    summary = rig.gateway.closings()[0].summary
    assert summary.is_estimated and summary.cost_nano


def test_whole_answer_that_claims_to_be_packed_passes_as_it_came(rig: Rig) -> None:
    """R66."""
    with behind(rig) as (proxy, model):
        proxy.script(Fault(coding="br"))
        with streaming(rig, model=model, stream=False) as answer:
            body = b"".join(answer.iter_raw())
    assert json.loads(body)["type"] == "message"
    assert rig.gateway.closings()[0].summary.is_estimated


def test_packed_answer_that_breaks_off_is_an_error(rig: Rig) -> None:
    """R60, R66."""
    rig.fake.script(Answer(gzip=True))
    with behind(rig) as (proxy, model):
        proxy.script(Fault(act="eof", place="body", after=40))
        answer = post(rig, model=model)
    assert answer.status_code == 502
    assert gzip.compress(b"")[:2] not in answer.content


@pytest.mark.parametrize("wrong_by", [7, -7])
def test_answer_of_another_length_than_it_claims_is_an_error(rig: Rig, wrong_by: int) -> None:
    """R60: half an object is not passed on as an answer."""
    with behind(rig) as (proxy, model):
        proxy.script(Fault(length=wrong_by))
        answer = post(rig, model=model)
    assert (answer.status_code, answer.headers["x-tallygate-error-source"]) == (502, "provider")
    assert rig.gateway.closings()[0].summary.cost_nano


# ── a deployment that comes and goes
FLAPPING = (
    Fault(act="reset", place="request"),
    Fault(act="eof", place="request"),
    Fault(act="reset", place="head"),
    Fault(act="eof", place="head", after=30),
    Fault(act="stall", place="head"),
)


@pytest.mark.parametrize("seed", [1, 2])
def test_deployment_that_flaps_is_never_seen_by_callers(rig: Rig, seed: int) -> None:
    """R62, R63, R64: every call is answered, and the ledger holds what the provider's bill holds, or more."""
    with two(rig, first_byte_timeout_s=SILENT_S) as (proxy, model), httpx.Client(headers=HEADERS, timeout=PATIENCE_S) as client:
        proxy.flap(Flap(FLAPPING, share=0.5, seed=seed, most=25))
        for number in range(60):
            forget_failures(rig)
            assert client.post(f"{rig.url}/v1/messages", json=ask(model, stream=bool(number % 2))).status_code == 200
        assert len(proxy.struck) == 25
    postings = [posting for entry in rig.gateway.closings(60) for posting in entry.postings]
    assert len(rig.fake.seen) <= len(postings)
    assert sum(not posting.is_estimated for posting in postings) == 60


def forget_failures(rig: Rig) -> None:
    """So that the deployment that flaps is tried first each time, and no cooldown hides it."""
    plane_of(rig).health = Health()


@pytest.mark.parametrize("is_stream", [True, False])
def test_fault_of_our_own_in_reading_an_answer_keeps_it_from_nobody(rig: Rig, monkeypatch: pytest.MonkeyPatch, is_stream: bool) -> None:
    """R51: it passes as it came, and is charged by its bytes."""

    def broken(*_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(MessagesReader, "see", broken)
    monkeypatch.setattr(MessagesReader, "see_whole", broken)
    answer = post(rig, stream=is_stream)
    assert answer.status_code == 200
    assert answer.text.rstrip().endswith("}")
    (posting,) = rig.gateway.closings()[0].postings
    assert posting.is_estimated
