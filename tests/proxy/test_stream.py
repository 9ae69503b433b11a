"""Streams pass event by event, byte for byte, and never end as if all were well when it was not."""

import gzip
import json

import pytest

from proxy.limits import Limits
from tests.fakes.messages import event
from tests.fakes.script import Answer, Gate, refusal
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import (
    CLOSE,
    DELTA,
    OPEN,
    START,
    STOP,
    TEXT,
    WHOLE,
    Player,
    call,
    playing,
    post,
    read_until,
    sent_bytes,
    sse,
    streaming,
)

UNKNOWN = b'event: message_thoughts\ndata: {"type":"message_thoughts","x":1}\n\n'
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
ODD = b": comment\n\n" + UNKNOWN + PING + b"retry: 10\n\ndata: {}   \n\n"
PLAIN = b"".join((START, OPEN, ODD, TEXT, CLOSE, DELTA, STOP))


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


def pieces(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


@pytest.mark.parametrize("held", range(1, 6))
def test_each_event_leaves_before_the_next_one_arrives(rig: Rig, held: int) -> None:
    gate = Gate()
    with playing(rig, Player(WHOLE, hold=gate, hold_after=held)) as model, call(rig, model=model, stream=True) as client:
        read_until(client, WHOLE[held - 1])
        gate.open()
        read_until(client, b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
@pytest.mark.parametrize("stream", [PLAIN, PLAIN.replace(b"\n", b"\r\n"), PLAIN.replace(b"\n", b"\r"), b"\xef\xbb\xbf" + PLAIN])
def test_stream_is_exact_in_any_pieces(rig: Rig, stream: bytes, size: int) -> None:
    with playing(rig, Player(pieces(stream, size))) as model, streaming(rig, model=model) as answer:
        assert b"".join(answer.iter_raw()) == stream
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.input_tokens, summary.output_tokens, summary.is_estimated) == ("ok", 9, 12, False)


@pytest.mark.parametrize("model", ["fake-bytes", "fake-crlf", "fake-comments", "fake-thinking", "fake-cached", "fake-iterations"])
def test_odd_streams_of_the_provider_pass(rig: Rig, model: str) -> None:
    with streaming(rig, model=model) as answer:
        length = len(b"".join(answer.iter_raw()))
    assert length == sent_bytes(rig)
    assert rig.gateway.closings()[0].summary.output_tokens == rig.fake.bill.rows[-1].usage["output_tokens"]


def test_stream_is_told_not_to_be_held_back(rig: Rig) -> None:
    with streaming(rig) as answer:
        answer.read()
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-length" not in answer.headers


def test_whole_answer_passes_packed_and_is_metered(rig: Rig) -> None:
    rig.fake.script(Answer(gzip=True))
    with streaming(rig, stream=False) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(raw) == int(answer.headers["content-length"])
    assert json.loads(gzip.decompress(raw))["usage"]["output_tokens"] == rig.gateway.closings()[0].summary.output_tokens


def test_packed_stream_passes_as_it_is_and_is_metered(rig: Rig) -> None:
    rig.fake.script(Answer(gzip=True))
    with streaming(rig) as answer:
        assert sse(answer.read())[-1] == "message_stop"
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.output_tokens, summary.is_estimated) == ("ok", 12, False)


def test_stream_packed_in_a_way_unknown_to_us_passes_and_is_estimated(rig: Rig) -> None:
    with (
        playing(rig, Player([b"\x1b\x2f" * 50], headers=(("content-encoding", "zstd-x"),))) as model,
        streaming(rig, model=model) as answer,
    ):
        assert b"".join(answer.iter_raw()) == b"\x1b\x2f" * 50
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.is_estimated) == ("ok", True)
    assert summary.input_tokens > 1 and summary.output_tokens > 1


def test_whole_answer_has_its_length(rig: Rig) -> None:
    answer = post(rig)
    assert int(answer.headers["content-length"]) == len(answer.content) == sent_bytes(rig)


@pytest.mark.parametrize("fault", ["reset", "eof", "end"])
@pytest.mark.parametrize("place", [0, 1, 4])
def test_broken_stream_ends_with_an_error_event(rig: Rig, fault: str, place: int) -> None:
    rig.fake.script(Answer(fault=fault, fault_after=place))  # type: ignore[arg-type]  # parametrised names of faults
    with streaming(rig) as answer:
        names = sse(answer.read())
    assert names[-1] == "error" and "message_stop" not in names
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.error_source) == ("truncated", "provider")
    assert summary.is_estimated and summary.cost_nano


@pytest.mark.parametrize("half", [TEXT[:40], TEXT.replace(b"\n", b"\r\n")[:-2], b"\xe4\xb8"])
def test_error_event_stands_apart_from_half_an_event(rig: Rig, half: bytes) -> None:
    with playing(rig, Player([START, half])) as model, streaming(rig, model=model) as answer:
        body = answer.read()
    assert body.startswith(START + half + b"\n\nevent: error\ndata: ")
    assert json.loads(body.rsplit(b"data: ", 1)[1])["error"]["type"] == "api_error"


@pytest.mark.parametrize("place", [0, 4])
def test_error_event_of_the_provider_passes_as_it_is(rig: Rig, place: int) -> None:
    rig.fake.script(Answer(fault="error", fault_after=place))
    with streaming(rig) as answer:
        body = answer.read()
    assert body.count(b"event: error") == 1 and b"Overloaded" in body
    assert len(body) == sent_bytes(rig)
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.error_source, summary.error_code) == ("failed", "provider", "overloaded_error")


def test_missing_last_event_is_forgiven_once_the_reason_to_stop_is_known(rig: Rig) -> None:
    with playing(rig, Player(WHOLE[:-1])) as model, streaming(rig, model=model) as answer:
        assert answer.read() == b"".join(WHOLE[:-1])
    assert rig.gateway.closings()[0].summary.outcome == "ok"


@pytest.mark.parametrize("fault", ["reset", "eof", "end"])
def test_broken_whole_answer_becomes_an_error(rig: Rig, fault: str) -> None:
    rig.fake.script(Answer(fault=fault, fault_after=1))  # type: ignore[arg-type]  # parametrised names of faults
    answer = post(rig)
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "api_error")
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.error_source, summary.status) == ("failed", "provider", 502)
    assert summary.cost_nano and summary.is_estimated


def test_answer_whose_usage_never_came_is_estimated(rig: Rig) -> None:
    with streaming(rig, model="fake-silent-usage") as answer:
        answer.read()
    summary = rig.gateway.closings()[0].summary
    assert summary.is_estimated and summary.outcome == "ok"
    assert summary.input_tokens > 1 and summary.output_tokens >= 1


@pytest.mark.parametrize("limits", [Limits(sweep_s=0.005, ping_after_s=0.02)])
@pytest.mark.parametrize("tail", [b"", b"event: ping\n"])
def test_silent_stream_is_kept_awake_between_events_only(rig: Rig, tail: bytes) -> None:
    gate = Gate()
    stream = [START, OPEN, tail, STOP[:5], STOP[5:]]
    with playing(rig, Player(stream, hold=gate, hold_after=2)) as model, call(rig, model=model, stream=True) as client:
        seen = read_until(client, OPEN) + read_until(client, PING) + read_until(client, PING)
        gate.open()
        seen += read_until(client, STOP[5:])
    names = sse(seen)
    assert names[:3] == ["message_start", "content_block_start", "ping"]


@pytest.mark.parametrize("limits", [Limits(sweep_s=0.005, ping_after_s=0.02)])
def test_no_ping_splits_an_event(rig: Rig) -> None:
    gate = Gate()
    player = Player([START, TEXT[:30], TEXT[30:], DELTA, STOP], hold=gate, hold_after=2)
    with playing(rig, player) as model, call(rig, model=model, stream=True) as client, call(rig, model="fake-stall", stream=True) as clock:
        read_until(client, TEXT[:30])
        # The other stream is at a boundary: by its third ping the sweeper has passed this one as often.
        for _ in range(3):
            read_until(clock, b'{"type": "ping"}')
        gate.open()
        assert TEXT[30:] in read_until(client, STOP)


@pytest.mark.parametrize("limits", [Limits(sweep_s=0.005, ping_after_s=0.02)])
def test_nothing_is_said_before_the_provider_answers(rig: Rig) -> None:
    gate = Gate()
    rig.fake.script(Answer(fault="stall", fault_after=-1, gate=gate))
    with call(rig, stream=True) as client:
        rig.fake.wait_for_call()
        with call(rig, model="fake-stall", stream=True) as clock:
            read_until(clock, b'{"type": "ping"}')
        gate.open()
        assert b'{"type": "ping"}' not in read_until(client, b"message_start").split(b"\r\n\r\n", 1)[1]


IMPATIENT = Limits(sweep_s=0.005, ping_after_s=0.02, first_words_after_s=0.05)
COMMENT = b": waiting for the provider\n\n"


@pytest.mark.parametrize("limits", [IMPATIENT])
def test_long_wait_for_the_first_byte_is_bridged_and_the_stream_follows(rig: Rig) -> None:
    gate = Gate()
    rig.fake.script(Answer(fault="stall", fault_after=-1, gate=gate))
    with call(rig, stream=True) as client:
        seen = read_until(client, COMMENT) + read_until(client, COMMENT)
        gate.open()
        seen += read_until(client, b"message_stop")
    assert seen.count(b"HTTP/1.1") == 1 and b"text/event-stream" in seen
    assert seen.index(b"message_start") > seen.index(COMMENT)
    assert rig.gateway.closings()[0].summary.outcome == "ok"


@pytest.mark.parametrize("limits", [IMPATIENT])
def test_refusal_after_a_bridged_wait_is_an_event(rig: Rig) -> None:
    gate = Gate()
    player = Player([refusal(529).body or b""], status=529, content_type="application/json", hold=gate, hold_after=-1)
    with playing(rig, player) as model, call(rig, model=model, stream=True) as client:
        read_until(client, COMMENT)
        gate.open()
        told = read_until(client, b"Overloaded")
    assert b"event: error" in told and b"overloaded_error" in told
    summary = rig.gateway.closings()[0].summary
    assert (summary.outcome, summary.error_source, summary.cost_nano) == ("truncated", "provider", 0)


@pytest.mark.parametrize("limits", [IMPATIENT])
def test_answer_in_one_piece_is_waited_for_in_silence(rig: Rig) -> None:
    gate = Gate()
    rig.fake.script(Answer(fault="stall", fault_after=-1, gate=gate))
    with call(rig, stream=False) as client:
        rig.fake.wait_for_call()
        with call(rig, stream=True) as clock:
            read_until(clock, b"message_stop")
        gate.open()
        assert b"200 OK" in read_until(client, b"usage")


def test_error_after_the_last_event_spoils_nothing(rig: Rig) -> None:
    extra = event("error", {"error": {"type": "api_error", "message": "late"}})
    with playing(rig, Player([*WHOLE, extra])) as model, streaming(rig, model=model) as answer:
        assert answer.read() == b"".join(WHOLE) + extra
