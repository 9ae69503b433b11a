"""The meter reads a copy: nothing it meets disturbs the relay, and it never says that a call cost nothing."""

import gzip
import json
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import Usage, UsageMerger
from proxy.meter import MAX_DECODED_BYTES, Meter, plain
from tests.fakes.messages import Reply, event, json_pieces, stream_pieces
from tests.fakes.script import CACHED_USAGE, ITERATED_USAGE
from tests.proxy.talk import DELTA, OPEN, START, STOP, TEXT, WHOLE

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "data"
STREAMS = sorted(CORPUS.glob("*-anthropic-messages.response.sse"))
needs_corpus = pytest.mark.skipif(not STREAMS, reason="the corpus of recorded traffic is not here")
STARTS = st.sampled_from(
    [b"", b"event: message_start\ndata: ", b'data: {"type":"message_delta","usage":', b'data: {"error":', b"data: [[[["]
)
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}}


def read(*chunks: bytes, coding: str = "") -> Meter:
    meter = Meter()
    meter.expect(coding)
    for chunk in chunks:
        meter.feed(chunk)
    return meter


def said(text: str) -> bytes:
    return event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}})


def merged(stream: bytes) -> Usage:
    """The usage by a plain reading of the stream's data lines."""
    merger = UsageMerger()
    told = [json.loads(line.removeprefix(b"data: ")) for line in stream.splitlines() if line.startswith(b"data: {")]
    for start in [one for one in told if one["type"] == "message_start"]:
        merger.start(start["message"]["usage"])
    for delta in [one for one in told if one["type"] == "message_delta"]:
        merger.delta(delta["usage"])
    return merger.result()


@given(st.lists(st.tuples(STARTS, st.binary(max_size=80), st.sampled_from([b"", b"\n\n", b"}\n\n", b'"\xff"}\n\n'])), max_size=6))
def test_garbage_is_passed_over(parts: list[tuple[bytes, bytes, bytes]]) -> None:
    meter = read(*(b"".join(part) for part in parts))
    assert meter.usage().estimated
    assert meter.usage().output_tokens > 0


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[" * 100_000,
        b'{"type":"message_start","message":"\xff"}',
        b'{"type":"message_start","message":7}',
        b'{"type":"message_delta","usage":[]}',
        b'{"type":"message_delta","usage":{"output_tokens":-1}}',
        b'{"type":"error","error":null}',
        b"null",
    ],
)
def test_broken_event_of_interest_is_passed_over(data: bytes) -> None:
    meter = read(b"event: message_start\ndata: " + data + b"\n\n", *WHOLE)
    assert (meter.has_ended, meter.usage().output_tokens) == (True, 12)


@given(st.binary(max_size=300), st.sampled_from(["", "gzip", "deflate", "br", "GZIP", "identity", "gzip, gzip"]))
def test_any_whole_answer_is_survived(body: bytes, coding: str) -> None:
    meter = Meter()
    meter.read_whole(body, [], coding)
    assert meter.usage().output_tokens > 0


@pytest.mark.parametrize(
    "word", ["message_stop", "tool_use", '"error"', 'data: {"type":"message_stop"}', "event: error\n\n", '{"type":"error"}']
)
def test_text_about_events_is_only_text(word: str) -> None:
    meter = read(START, OPEN, said(word), said(f"\n\nevent: message_stop\ndata: {word}\n\n"))
    assert (meter.has_ended, meter.error, meter.tools, meter.stop_reason) == (False, None, [], "")


@pytest.mark.parametrize("usage", [CACHED_USAGE, ITERATED_USAGE])
def test_stream_cut_at_every_byte_gives_the_same_usage(usage: dict[str, Any]) -> None:
    stream = b"".join(piece.data for piece in stream_pieces(Reply(model="m", blocks=(TOOL,), usage=usage)))
    expected = merged(stream)
    for place in range(len(stream)):
        meter = read(stream[:place], stream[place:])
        assert meter.has_ended
        assert meter.usage() == expected


@pytest.mark.parametrize("count", range(1, len(WHOLE) - 1))
def test_broken_stream_is_estimated_and_never_free(count: int) -> None:
    usage = read(*WHOLE[:count][:4], TEXT[:50]).usage()
    assert usage.estimated
    assert usage.input_tokens == 9
    assert usage.output_tokens >= 1


@pytest.mark.parametrize("size", [1, 20, 1000])
def test_estimate_follows_the_text_that_passed(size: int) -> None:
    text = "word " * size
    usage = read(START, OPEN, *(said(text) for _ in range(10))).usage()
    assert 10 * len(text) / 4 <= usage.output_tokens <= 10 * len(text) / 2 + 20


def test_opening_events_are_no_output() -> None:
    assert read(START, OPEN).usage().output_tokens < 10


def test_overlong_event_counts_by_its_bytes() -> None:
    usage = read(START, OPEN, said("x" * 3_000_000)[:-1], b"\n").usage()
    assert 700_000 < usage.output_tokens < 1_300_000


def test_final_usage_is_exact_even_without_the_last_event() -> None:
    usage = read(START, OPEN, TEXT, DELTA).usage()
    assert (usage.output_tokens, usage.estimated) == (12, False)


def test_tools_are_named_once() -> None:
    block = event("content_block_start", {"index": 0, "content_block": TOOL})
    server = event("content_block_start", {"index": 1, "content_block": {**TOOL, "type": "server_tool_use", "name": "web_search"}})
    assert read(START, block, block, server, STOP).tools == ["Read", "web_search"]


def test_error_event_is_noted() -> None:
    meter = read(START, event("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}}))
    assert meter.error is not None
    assert (meter.error.type, meter.error.message) == ("overloaded_error", "Overloaded")


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)])
@pytest.mark.parametrize("size", [1, 1000])
def test_packed_stream_is_read(coding: str, pack: Any, size: int) -> None:
    packed = pack(b"".join(WHOLE))
    meter = read(*(packed[start : start + size] for start in range(0, len(packed), size)), coding=coding)
    assert (meter.has_ended, meter.usage().output_tokens) == (True, 12)
    assert not meter.at_boundary


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("", bytes), ("identity", bytes)])
def test_packed_whole_answer_is_read(coding: str, pack: Any) -> None:
    meter = Meter()
    reply = Reply(model="m", blocks=(TOOL,), usage=CACHED_USAGE)
    meter.read_whole(pack(b"".join(piece.data for piece in json_pieces(reply))), [], coding)
    assert (meter.tools, meter.usage().cache_read_tokens, meter.usage().cache_write_1h_tokens) == (["Read"], 5000, 200)


def test_whole_answer_without_usage_is_estimated_by_its_size() -> None:
    meter = Meter()
    meter.read_whole(json.dumps({"type": "message", "content": [{"type": "text", "text": "word " * 200}]}).encode(), [], "")
    assert meter.usage().estimated
    assert meter.usage().output_tokens > 250


def test_packed_bomb_is_unpacked_under_a_cap() -> None:
    bomb = gzip.compress(bytes(2 * MAX_DECODED_BYTES), 9)
    tracemalloc.start()
    assert len(plain(bomb, "gzip") or b"") == MAX_DECODED_BYTES
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * MAX_DECODED_BYTES


@needs_corpus
@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name[:3])
@pytest.mark.parametrize("size", [3, 64, 1_000_000])
def test_recorded_stream_is_metered_as_it_reads(path: Path, size: int) -> None:
    stream = path.read_bytes()
    meter = read(*(stream[start : start + size] for start in range(0, len(stream), size)))
    assert meter.has_ended
    assert meter.usage() == merged(stream)
