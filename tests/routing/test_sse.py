"""Cutting server-sent events: whatever the chunks, the same events, in bounded memory."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.wire.sse import MAX_EVENT_BYTES, Cutter, event, events

Events = list[tuple[str, bytes]]
LINES = st.sampled_from([
    b"data: plain", b"data:close", b"data:  two spaces", b"data", b"data:", b"event: message_delta", b"event:ping", b"event", b": comment",
    b":", b"id: 7\0", b"retry: 10", b"dat: no", b"data: \xe2\x82\xac \xf0\x9f\x98\x80", b"data: \xff\xfe\0", b"data: a: b",
    b"",
])  # fmt: skip
STREAMS = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=30).map(
    lambda lines: b"".join(line + end for line, end in lines)
)
CUTS = st.lists(st.integers(0, 400), max_size=20)


def reference(stream: bytes) -> Events:
    """The standard's own steps, one line at a time, over the whole stream."""
    found: Events = []
    name, data = b"", []
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in text.split(b"\n")[:-1]:
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        data += [value] * (field == b"data")
        name = value if field == b"event" else name
        found += [(name.decode("utf-8", "replace"), b"\n".join(data))] * (not line and bool(data))
        name, data = (name, data) if line else (b"", [])
    return found


def cut(*chunks: bytes) -> Events:
    cutter = Cutter()
    return [found for chunk in chunks for found in events(cutter.feed(chunk))]


def split(stream: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(ends)]


@given(STREAMS, CUTS)
def test_any_split_gives_the_events_of_the_standard(stream: bytes, places: list[int]) -> None:
    assert cut(*split(stream, places)) == reference(stream)


@given(st.binary(max_size=200), CUTS)
def test_any_bytes_are_cut_alike_in_one_piece_and_in_many(stream: bytes, places: list[int]) -> None:
    assert cut(*split(stream, places)) == cut(stream)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_is_read_byte_by_byte(end: bytes) -> None:
    stream = b"event: ping" + end + b"data: {}" + end + end
    assert cut(*(bytes([byte]) for byte in stream * 2)) == [("ping", b"{}")] * 2


@pytest.mark.parametrize("place", range(4))
def test_byte_order_mark_is_no_part_of_the_first_line(place: int) -> None:
    stream = b"\xef\xbb\xbfdata: first\n\n"
    assert cut(stream[:place], stream[place:]) == [("", b"first")]


def test_event_without_its_last_line_end_stays_out() -> None:
    assert cut(b"data: whole\n\ndata: half\n") == [("", b"whole")]


def test_lines_of_data_are_joined() -> None:
    assert cut(b"event: poem\ndata: one\ndata: two\n\n") == [("poem", b"one\ntwo")]


def test_written_event_is_read_back() -> None:
    assert cut(event("error", b'{"type":"error"}')) == [("error", b'{"type":"error"}')]


@pytest.mark.parametrize(
    ("stream", "claim"),
    [
        (b"", True),
        (b"data: a\n\n", True),
        (b"data: a\r\n\r\n", True),
        (b"data: a\r\r", True),
        (b"data: a\n", False),
        (b"data: a\n\nd", False),
        (b"data: a\r\n", False),
    ],
)
def test_boundary_is_known(stream: bytes, claim: bool) -> None:
    cutter = Cutter()
    cutter.feed(stream)
    assert cutter.at_boundary is claim


@pytest.mark.parametrize("size", [1000, 65536, 3 * MAX_EVENT_BYTES])
def test_overlong_event_is_skipped_and_the_next_one_read(size: int) -> None:
    long = b"data: before\n\ndata: " + b"x" * (10 * MAX_EVENT_BYTES)
    chunks = [long[start : start + size] for start in range(0, len(long), size)]
    assert cut(*chunks, b"\n", b"\ndata: after\n\n") == [("", b"before"), ("", b"after")]


def test_chunk_with_an_event_and_the_start_of_an_overlong_one_loses_nothing_else() -> None:
    assert cut(b"data: before\n\n" + b"x" * (MAX_EVENT_BYTES + 1), b"tail\n\ndata: after\n\n") == [("", b"before"), ("", b"after")]


def test_overlong_event_leaves_no_boundary_until_it_ends() -> None:
    cutter = Cutter()
    cutter.feed(b"x" * (MAX_EVENT_BYTES + 1))
    assert not cutter.at_boundary
    cutter.feed(b"\n\n")
    assert cutter.at_boundary


def test_endless_line_does_not_fill_memory() -> None:
    cutter, piece = Cutter(), b"x" * 65536
    tracemalloc.start()
    for _ in range(320):
        cutter.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * MAX_EVENT_BYTES
