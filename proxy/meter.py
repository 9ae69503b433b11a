"""Watches an answer pass and reads what it cost, through its dialect's reader: usage, stop reason, tools, whether it came to its end.

Works on copies; nothing it meets may disturb the relay. Only events that can carry something of interest are decoded.
"""

import re
import zlib

import msgspec

from billing.usage import Usage
from proxy.asgi import Fields
from routing.dialects.base import EVENTSTREAM, Dialect, StreamError
from routing.dialects.messages import MESSAGES
from routing.wire.eventstream import BrokenFrame, Frames
from routing.wire.sse import Cutter, events

# Thinking whose text is not shown tells its length in steps, where the caller asked for that.
THINKING = b'"estimated_tokens"'
_thinking = re.compile(THINKING + rb"\s*:\s*([0-9]{1,9})")
WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
MAX_DECODED_BYTES = 64 * 1024 * 1024
# What an event has besides its name and its data; a token of output is at least this many bytes of text.
BARE_FRAME_BYTES, NAME_BYTES = len("data: \n\n"), len("event: \n")
BYTES_PER_TOKEN = 2.5


class Meter:
    """One answer's figures. `is_blind` when nothing could have been seen; what was seen stands in `reader`."""

    __slots__ = ("_cutter", "_frame_bytes", "_frames", "_passed_bytes", "_unpacker", "is_blind", "is_coded", "reader")

    def __init__(self, dialect: Dialect = MESSAGES) -> None:
        self.reader = dialect.reader()
        self._cutter = Cutter(dialect.longest_event)
        self._frames = Frames() if dialect.framing == EVENTSTREAM else None
        self._passed_bytes = 0
        self._frame_bytes = 0
        self._unpacker: zlib._Decompress | None = None
        self.is_blind = False
        self.is_coded = False

    @property
    def has_started(self) -> bool:
        return self.reader.has_started

    @property
    def has_ended(self) -> bool:
        """The protocol's own end was seen."""
        return self.reader.has_ended

    @property
    def error(self) -> StreamError | None:
        return self.reader.error

    @property
    def stop_reason(self) -> str:
        return self.reader.stop_reason

    @property
    def tools(self) -> list[str]:
        return self.reader.tools

    @property
    def at_boundary(self) -> bool:
        """Whether an event of ours may be put in here: never inside another one, nor into a packed stream."""
        if self.is_coded:
            return False
        return self._cutter.at_boundary if self._frames is None else self._frames.at_boundary

    def expect(self, coding: str) -> None:
        """The stream's Content-Encoding. We ask for none; what comes packed all the same is read from an unpacked copy, or not at all."""
        coding = coding.strip().lower()
        if coding in {"", "identity"}:
            return
        self.is_coded = True
        if coding in WINDOW_BITS:
            self._unpacker = zlib.decompressobj(WINDOW_BITS[coding])
        else:
            self.is_blind = True

    def feed(self, chunk: bytes) -> None:
        """A piece of an event stream."""
        if self._unpacker is not None:
            chunk = self._unpacked(self._unpacker, chunk)
        self._passed_bytes += len(chunk)
        if self.is_blind:
            return
        if self._frames is not None:
            self._feed_frames(self._frames, chunk)
            return
        whole = self._cutter.feed(chunk)
        if not whole:
            return
        if THINKING in whole:
            self._passed_bytes += int(BYTES_PER_TOKEN * sum(map(int, _thinking.findall(whole))))
        reader = self.reader
        if reader.marks is None or reader.marks.search(whole):
            for name, data in events(whole):
                self._see(name, data)
        else:
            self._frame_bytes += reader.frame_bytes * whole.count(b"\n\n")

    def _see(self, name: str, data: bytes) -> None:
        if self.reader.see(name, data):
            self._frame_bytes += self.reader.frame_bytes
        else:
            self._frame_bytes += len(data) + BARE_FRAME_BYTES + (len(name) + NAME_BYTES if name else 0)

    def _feed_frames(self, frames: Frames, chunk: bytes) -> None:
        """What lies around the text is counted by the reader's figure for pieces of content, and as a whole for everything else."""
        try:
            for name, payload in frames.feed(chunk):
                self._see(name, payload)
        except BrokenFrame:
            self.is_blind = True

    def _unpacked(self, unpacker: "zlib._Decompress", chunk: bytes) -> bytes:
        try:
            text = unpacker.decompress(chunk, MAX_DECODED_BYTES)
        except zlib.error:
            text = b""
            self.is_blind = True
        self.is_blind = self.is_blind or bool(unpacker.unconsumed_tail)
        return text

    def read_whole(self, body: bytes, headers: Fields, coding: str) -> None:
        """A whole JSON answer, as it came on the wire."""
        text = plain(body, coding)
        self._passed_bytes = len(text or body)
        self.is_blind = text is None or not self.reader.see_whole(text, headers)

    def usage(self) -> Usage:
        """The usage seen. Where the final figures never came, output is estimated from the bytes that passed, and marked."""
        seen = self.reader.usage()
        if self.reader.has_final_usage:
            return seen
        return msgspec.structs.replace(seen, output_tokens=max(seen.output_tokens, self.output_guess), estimated=True)

    @property
    def text_bytes(self) -> int:
        """Bytes of output that passed, the thinking that only tells its length among them."""
        return self._passed_bytes - self._frame_bytes

    @property
    def output_guess(self) -> int:
        """Tokens of output by the bytes that passed; never none."""
        return 1 + int(max(0, self._passed_bytes - self._frame_bytes) / BYTES_PER_TOKEN)


def plain(body: bytes, coding: str) -> bytes | None:
    """A coded copy decoded under a cap, so that a small answer cannot unpack into all memory. None for a coding that we cannot read."""
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return body
    if coding not in WINDOW_BITS:
        return None
    try:
        return zlib.decompressobj(WINDOW_BITS[coding]).decompress(body, MAX_DECODED_BYTES)
    except zlib.error:
        return b""
