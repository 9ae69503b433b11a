"""The usage chunk that we asked for is taken out of a stream; nothing else changes, however the stream is cut."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dialects.usage_chunk import MAX_HELD_BYTES, UsageChunkFilter

quick = settings(derandomize=True, deadline=None, database=None, max_examples=400)

USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
KEPT = (
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"\xe4\xb8\x96"}}],"usage":null}',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}',
    b'data: {"choices":[],"prompt_filter_results":[],"usage":null}',
    b"data: {\"choices\":[{\"delta\":{\"content\":\"\\\"choices\\\":[],\\\"usage\\\":{}\"}}]}",
    b'data: {"choices":[],"usage":{"broken',
    b": keep-alive",
    b'event: x\ndata: {"error":{"message":"usage"}}',
    b"data: [DONE]",
    b"data:",
    b"",
)  # fmt: skip
lines = st.sampled_from([b"\n", b"\r\n", b"\r"])
events = st.lists(st.sampled_from([USAGE, *KEPT]), max_size=8)


def passed(stream: bytes, cuts: list[int]) -> bytes:
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)})
    chosen = UsageChunkFilter()
    pieces = [chosen.feed(stream[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    return b"".join(pieces) + chosen.end()


def written(each: list[bytes], line: bytes) -> bytes:
    return b"".join(one.replace(b"\n", line) + line + line for one in each)


@quick
@given(events, lines, st.lists(st.integers(0, 1500), max_size=30))
def test_only_the_usage_chunk_goes_however_the_stream_is_cut(each: list[bytes], line: bytes, cuts: list[int]) -> None:
    """R50."""
    assert passed(written(each, line), cuts) == written([one for one in each if one != USAGE], line)


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"\r"])
def test_stream_that_comes_byte_by_byte_loses_the_usage_chunk_only(line: bytes) -> None:
    """R50."""
    stream = written([KEPT[0], USAGE, KEPT[7]], line)
    assert passed(stream, list(range(len(stream)))) == written([KEPT[0], KEPT[7]], line)


@quick
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=10))
def test_any_bytes_pass(stream: bytes, cuts: list[int]) -> None:
    """R50."""
    assert passed(stream, cuts) == stream


def test_whole_event_is_not_held_back_for_the_next() -> None:
    """R49."""
    chosen = UsageChunkFilter()
    assert [chosen.feed(one + b"\n\n") for one in KEPT[:3]] == [one + b"\n\n" for one in KEPT[:3]]


def test_long_event_is_passed_on_before_its_end() -> None:
    text = json.dumps({"choices": [], "usage": {"x": "y" * 3 * MAX_HELD_BYTES}}).encode()
    stream, chosen = b"data: " + text + b"\n\n" + USAGE + b"\n\n", UsageChunkFilter()
    first = chosen.feed(stream[: 2 * MAX_HELD_BYTES])
    assert len(first) == 2 * MAX_HELD_BYTES
    assert first + chosen.feed(stream[2 * MAX_HELD_BYTES :]) + chosen.end() == b"data: " + text + b"\n\n"


@pytest.mark.parametrize("tail", [USAGE, USAGE + b"\n", b"\n\n" + USAGE])
def test_usage_chunk_whose_end_never_came_is_taken_out(tail: bytes) -> None:
    assert passed(KEPT[0] + b"\n\n" + tail, [20]).rstrip(b"\n") == KEPT[0]
