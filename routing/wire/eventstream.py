"""AWS event streams: bytes ↔ frames, nothing else. botocore reads frames; it has no writer, so the writing is ours.

A frame: its length, its headers' length, their checksum; headers; payload; a checksum of it all.
"""

import struct
import zlib
from collections.abc import Iterator

import msgspec
from botocore.eventstream import EventStreamBuffer, ParserError

MAX_FRAME_BYTES = 16 * 1024 * 1024
PRELUDE_BYTES = 12
CRC_BYTES = 4
STRING = 7
UNDECODABLE = (ParserError, struct.error, KeyError, UnicodeDecodeError)


class BrokenFrame(ValueError):
    """Bytes that are no event stream, or a frame whose checksum is wrong."""


class Frames:
    """Cuts a byte stream into frames. `at_boundary`: no frame has begun and not ended."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending = bytearray()

    @property
    def at_boundary(self) -> bool:
        return not self._pending

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        """(event type or exception's name, payload) of every frame that `chunk` completes; raises BrokenFrame after the good ones."""
        pending, start = self._pending, 0
        pending += chunk
        try:
            while (size := _frame_bytes(pending, start)) and len(pending) - start >= size:
                yield _decoded(bytes(pending[start : start + size]))
                start += size
        finally:
            del pending[:start]


def _frame_bytes(pending: bytearray, start: int) -> int:
    """The length of the frame that begins at `start`, 0 while its prelude is not all there. Checked before the frame is waited for."""
    if len(pending) - start < PRELUDE_BYTES:
        return 0
    size, headers, crc = struct.unpack_from("!III", pending, start)
    if zlib.crc32(pending[start : start + PRELUDE_BYTES - CRC_BYTES]) != crc:
        raise BrokenFrame("a frame's head has a wrong checksum")
    if not headers + PRELUDE_BYTES + CRC_BYTES <= size <= MAX_FRAME_BYTES:
        raise BrokenFrame("a frame has an impossible length")
    return int(size)


def _decoded(frame: bytes) -> tuple[str, bytes]:
    buffer = EventStreamBuffer()
    buffer.add_data(frame)
    try:
        message = buffer.next()
    except UNDECODABLE as error:
        raise BrokenFrame("a frame cannot be read") from error
    headers = message.headers
    if headers.get(":message-type") == "error":
        text = {"message": str(headers.get(":error-message", ""))}
        return fault_name(str(headers.get(":error-code", ""))), msgspec.json.encode(text)
    if headers.get(":message-type") == "exception":
        return fault_name(str(headers.get(":exception-type", ""))), message.payload
    return str(headers.get(":event-type", "")), message.payload


def fault_name(name: str) -> str:
    """A fault's name; events have names that end otherwise."""
    return name if is_fault(name) else f"{name}Exception"


def is_fault(name: str) -> bool:
    return name.endswith(("Exception", "Error"))


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One frame as it goes on the wire; its headers are strings."""
    packed = b"".join(_packed(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack("!II", PRELUDE_BYTES + len(packed) + len(payload) + CRC_BYTES, len(packed))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return body + struct.pack("!I", zlib.crc32(body))


def _packed(name: bytes, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", STRING, len(value)) + value


def event(name: str, payload: bytes) -> bytes:
    return frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(name: str, message: str) -> bytes:
    """A fault inside a stream; it is the stream's last frame."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, msgspec.json.encode({"message": message}))
