"""AWS event streams: what we write, botocore reads; what botocore's wire sends, we read, however it is cut. R50, R52."""

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from routing.wire.eventstream import MAX_FRAME_BYTES, BrokenFrame, Frames, event, exception, frame, is_fault

names = st.text(min_size=1, max_size=40)
headers = st.dictionaries(names, st.text(max_size=300), max_size=6)
payloads = st.binary(max_size=2000)


def read_by_botocore(stream: bytes) -> list[tuple[dict[str, str], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [(message.headers, message.payload) for message in buffer]


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def read(stream: bytes, size: int = 1 << 20) -> list[tuple[str, bytes]]:
    frames = Frames()
    return [found for piece in cut(stream, size) for found in frames.feed(piece)]


@given(st.lists(st.tuples(headers, payloads), max_size=5))
def test_botocore_reads_every_frame_that_we_write(sent: list[tuple[dict[str, str], bytes]]) -> None:
    stream = b"".join(frame(fields, payload) for fields, payload in sent)
    assert read_by_botocore(stream) == sent


@given(st.lists(payloads, min_size=1, max_size=4), st.integers(1, 50))
def test_frames_are_found_wherever_the_stream_is_cut(sent: list[bytes], size: int) -> None:
    stream = b"".join(event("chunk", payload) for payload in sent)
    assert read(stream, size) == [("chunk", payload) for payload in sent]


def test_boundary_is_only_between_frames() -> None:
    frames, stream = Frames(), event("chunk", b"{}")
    assert frames.at_boundary
    assert list(frames.feed(stream[:20])) == []
    assert not frames.at_boundary
    assert len(list(frames.feed(stream[20:]))) == 1
    assert frames.at_boundary


def test_exception_comes_under_its_own_name() -> None:
    ((name, payload),) = read(exception("throttlingException", "Too many tokens"))
    assert (name, payload) == ("throttlingException", b'{"message":"Too many tokens"}')
    assert is_fault(name)
    assert not is_fault("chunk")


def test_error_frame_is_told_as_a_fault_with_its_message() -> None:
    stream = frame({":message-type": "error", ":error-code": "internal", ":error-message": "Oh"}, b"")
    assert read(stream) == [("internalException", b'{"message":"Oh"}')]


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_flipped_byte_is_noticed(place: int, bits: int) -> None:
    stream = bytearray(event("chunk", b'{"bytes":"e30="}'))
    stream[place % len(stream)] ^= bits
    with pytest.raises(BrokenFrame):
        read(bytes(stream))


@given(st.binary(min_size=12, max_size=400))
def test_rubbish_is_refused_at_once(rubbish: bytes) -> None:
    with pytest.raises(BrokenFrame):
        read(rubbish)


@pytest.mark.parametrize(("size", "header_bytes"), [(MAX_FRAME_BYTES + 1, 0), (0, 0), (15, 0), (100, 90), (20, 4_000_000_000)])
def test_impossible_length_is_refused_before_the_frame_is_waited_for(size: int, header_bytes: int) -> None:
    prelude = struct.pack("!II", size, header_bytes)
    with pytest.raises(BrokenFrame):
        read(prelude + struct.pack("!I", zlib.crc32(prelude)))


def test_good_frames_before_a_broken_one_are_given_out() -> None:
    given_out = Frames().feed(event("chunk", b"{}") + b"x" * 12)
    assert next(given_out) == ("chunk", b"{}")
    with pytest.raises(BrokenFrame):
        next(given_out)


def test_unknown_kind_of_header_value_is_refused() -> None:
    packed = b"\x01a\x63"
    prelude = struct.pack("!II", 16 + len(packed), len(packed))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed
    with pytest.raises(BrokenFrame):
        read(body + struct.pack("!I", zlib.crc32(body)))
