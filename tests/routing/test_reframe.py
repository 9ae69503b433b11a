"""Messages between its two wrappings: no event is lost, changed or invented, wherever the bytes are cut. R50, R60, R61."""

import base64
import json

import pytest
from anthropic.types import RawMessageStreamEvent
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from routing.dialects.invoke import COUNT_TOKENS, INVOKE
from routing.dialects.messages import MESSAGES
from routing.translation.reframe import Renamed, Unwrapped, Wrapped, between
from routing.wire import sse
from routing.wire.eventstream import event, exception
from tests.fakes import bedrock_wire as wire
from tests.fakes.messages import Reply, plain_usage, stream_pieces

BLOCKS = (
    {"type": "thinking", "thinking": "Grüße, 世界", "signature": "c2ln"},
    {"type": "text", "text": "Über 🙂 alles"},
    {"type": "tool_use", "id": "toolu_1", "name": "Write", "input": {"a": "b\n\nc"}},
)
REPLY = Reply(model="claude-opus-5-5", blocks=BLOCKS, usage=plain_usage(30, 40), stop_reason="tool_use")
EVENTS = b"".join(piece.data for piece in stream_pieces(REPLY))
FRAMES = b"".join(piece.data for piece in wire.claude_frames(stream_pieces(REPLY), REPLY.usage, "1"))
ERROR = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def through(turn: Unwrapped | Wrapped, stream: bytes, size: int = 1 << 20) -> bytes:
    return b"".join(turn.feed(piece) for piece in cut(stream, size)) + turn.end()


def told(stream: bytes) -> list[tuple[str, dict[str, object]]]:
    return [(name, json.loads(data)) for name, data in sse.events(stream) if name != "ping"]


def framed(stream: bytes) -> list[dict[str, object]]:
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [json.loads(base64.b64decode(json.loads(message.payload)["bytes"])) for message in buffer]


@given(st.integers(1, 400))
def test_frames_become_the_events_that_anthropic_would_send(size: int) -> None:
    events = told(through(Unwrapped(), FRAMES, size))
    assert [name for name, _ in events] == [name for name, _ in told(EVENTS)]
    assert [data for _, data in events if data["type"] != "message_start"] == [
        data for _, data in told(EVENTS) if data["type"] != "message_start"
    ]


def test_figures_of_aws_are_taken_out() -> None:
    assert wire.METRICS in base64.b64decode(FRAMES.split(b'"bytes":"')[-1].split(b'"')[0]).decode()
    assert wire.METRICS.encode() not in through(Unwrapped(), FRAMES)


def test_what_an_event_holds_stays_byte_for_byte() -> None:
    odd = b'{"type": "content_block_delta" , "index":0,"delta":{"type":"text_delta","text":"\\u00fc  "}   }'
    assert through(Unwrapped(), wire.chunk_frame(odd)) == b"event: content_block_delta\ndata: " + odd + b"\n\n"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("modelTimeoutException", "timeout_error"),
        ("validationException", "invalid_request_error"),
        ("modelStreamErrorException", "api_error"),
        ("newlyInventedException", "api_error"),
    ],
)
def test_exception_becomes_the_last_event(name: str, kind: str) -> None:
    (event_name, data) = told(through(Unwrapped(), exception(name, "Sorry") + FRAMES))[-1]
    assert (event_name, data["error"]) == ("error", {"type": kind, "message": "Sorry"})


def test_broken_frames_end_the_stream_with_an_error_that_names_the_side() -> None:
    events = told(through(Unwrapped(), wire.chunk_frame(b'{"type":"message_start"}') + b"rubbish" * 9))
    assert [name for name, _ in events] == ["message_start", "error"]
    assert "Provider's side" in str(events[-1])


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_rubbish_raises_out_of_the_stream(pieces: list[bytes]) -> None:
    """R51."""
    for turn in (Unwrapped(), Wrapped()):
        for piece in pieces:
            turn.feed(piece)
        assert turn.end() == b""


@given(st.binary(max_size=80))
def test_rubbish_in_a_whole_frame_is_left_out(payload: bytes) -> None:
    assert through(Unwrapped(), wire.chunk_frame(payload) + event("chunk", payload) + wire.chunk_frame(b'{"type":"ping"}')).endswith(
        b'event: ping\ndata: {"type":"ping"}\n\n'
    )


@given(st.integers(1, 400))
def test_events_become_frames_that_botocore_reads(size: int) -> None:
    found = framed(through(Wrapped(), EVENTS, size))
    assert found[:-1] == [data for _, data in told(EVENTS)][:-1]
    assert found[-1]["type"] == "message_stop"


def test_last_frame_has_the_figures_that_aws_clients_look_for() -> None:
    ticks = iter([0.0, 0.25, 1.5])
    metrics = framed(through(Wrapped(lambda: next(ticks)), EVENTS))[-1][wire.METRICS]
    assert metrics == {
        "inputTokenCount": 30,
        "outputTokenCount": 40,
        "invocationLatency": 1500,
        "firstByteLatency": 250,
        "cacheReadInputTokenCount": 0,
        "cacheWriteInputTokenCount": 0,
    }


def test_error_event_becomes_an_exception_frame_and_the_last() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(through(Wrapped(), ERROR + EVENTS))
    (message,) = list(buffer)
    assert message.headers[":exception-type"] == "serviceUnavailableException"
    assert json.loads(message.payload) == {"message": "Overloaded"}


@given(st.integers(1, 300), st.integers(1, 300))
def test_there_and_back_is_the_same_stream(out: int, back: int) -> None:
    assert told(through(Unwrapped(), through(Wrapped(), EVENTS, out), back)) == told(EVENTS)


def test_turned_events_satisfy_the_vendors_own_types() -> None:
    checked = TypeAdapter(RawMessageStreamEvent)
    kinds = [checked.validate_python(data).type for _, data in told(through(Unwrapped(), FRAMES))]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")


def test_event_of_megabytes_passes() -> None:
    big = b'{"type":"content_block_start","index":0,"content_block":{"type":"x","content":"%b"}}' % (b"y" * 3_000_000)
    assert framed(through(Wrapped(), b"event: content_block_start\ndata: " + big + b"\n\n")) == [json.loads(big)]


def test_same_wrapping_is_left_alone() -> None:
    assert between(MESSAGES, MESSAGES) is None
    assert between(INVOKE, INVOKE) is None
    assert isinstance(between(MESSAGES, INVOKE), Unwrapped)
    assert isinstance(between(INVOKE, MESSAGES), Wrapped)


def test_count_goes_under_the_name_that_the_caller_knows() -> None:
    to_messages, to_aws = between(MESSAGES, COUNT_TOKENS), between(COUNT_TOKENS, MESSAGES)
    assert isinstance(to_messages, Renamed)
    assert isinstance(to_aws, Renamed)
    assert to_messages.whole(b'{"inputTokens":375}') == b'{"input_tokens":375}'
    assert to_aws.whole(b'{"input_tokens":375}') == b'{"inputTokens":375}'
    assert to_aws.whole(b"oops") == b"oops"
