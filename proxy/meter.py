"""Watches an answer pass and reads what it cost: usage, stop reason, tools, whether it came to its end.

Works on copies; nothing it meets may disturb the relay. Only events that can carry something of interest are decoded.
"""

import re
import zlib

import msgspec

from billing.usage import Usage, UsageMerger
from routing.wire.sse import Cutter, events

# Thinking whose text is not shown tells its length in steps, where the caller asked for that.
THINKING = b'"estimated_tokens"'
_thinking = re.compile(THINKING + rb"\s*:\s*([0-9]{1,9})")
# What else than deltas of content there may be; those have all the same frame.
_marks = re.compile(rb'message_|tool_use|"error"|"ping"|content_block_st')
WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
MAX_DECODED_BYTES = 64 * 1024 * 1024
# An SSE frame of one text delta is about this many bytes besides its text; a token of output is at least this many bytes of text.
FRAME_BYTES = 110
BARE_FRAME_BYTES = len("event: \ndata: \n\n")
BYTES_PER_TOKEN = 2.5


class _Block(msgspec.Struct):
    type: str = ""
    name: str = ""


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Message(msgspec.Struct):
    model: str | None = None
    stop_reason: str | None = None
    usage: dict[str, object] | None = None
    content: list[_Block] = []


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: dict[str, object] | None = None
    content_block: _Block | None = None
    error: _Error | None = None


_event = msgspec.json.Decoder(_Event)
_message = msgspec.json.Decoder(_Message)


class Meter:
    """One answer's figures. `has_ended` is true once the protocol's own end was seen; `is_blind` when nothing could have been seen."""

    __slots__ = (
        "_cutter",
        "_frame_bytes",
        "_merger",
        "_passed_bytes",
        "_unpacker",
        "error",
        "has_ended",
        "has_final_usage",
        "has_started",
        "is_blind",
        "is_coded",
        "model",
        "stop_reason",
        "tools",
    )

    def __init__(self) -> None:
        self._cutter = Cutter()
        self._merger = UsageMerger()
        self._passed_bytes = 0
        self._frame_bytes = 0
        self._unpacker: zlib._Decompress | None = None
        self.error: _Error | None = None
        self.has_ended = False
        self.has_final_usage = False
        self.has_started = False
        self.is_blind = False
        self.is_coded = False
        self.model = ""
        self.stop_reason = ""
        self.tools: list[str] = []

    @property
    def at_boundary(self) -> bool:
        """Whether an event of ours may be put in here: never inside another one, nor into a packed stream."""
        return not self.is_coded and self._cutter.at_boundary

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
        whole = self._cutter.feed(chunk)
        if not whole:
            return
        if THINKING in whole:
            self._passed_bytes += int(BYTES_PER_TOKEN * sum(map(int, _thinking.findall(whole))))
        if _marks.search(whole):
            for name, data in events(whole):
                if name == "content_block_delta":
                    self._frame_bytes += FRAME_BYTES
                else:
                    self._frame_bytes += len(name) + len(data) + BARE_FRAME_BYTES
                    self._see(data)
        else:
            self._frame_bytes += FRAME_BYTES * whole.count(b"\n\n")

    def _unpacked(self, unpacker: "zlib._Decompress", chunk: bytes) -> bytes:
        try:
            text = unpacker.decompress(chunk, MAX_DECODED_BYTES)
        except zlib.error:
            text = b""
            self.is_blind = True
        self.is_blind = self.is_blind or bool(unpacker.unconsumed_tail)
        return text

    def _see(self, data: bytes) -> None:
        try:
            event = _event.decode(data)
        except UNREADABLE:
            return
        if event.type == "message_start" and event.message is not None:
            self.has_started = True
            self.model = event.message.model or ""
            self._merger.start(event.message.usage or {})
        elif event.type == "message_delta":
            if event.usage:
                self.has_final_usage = True
                self._merger.delta(event.usage)
            self.stop_reason = (event.delta and event.delta.stop_reason) or self.stop_reason
        elif event.type == "content_block_start" and event.content_block is not None:
            self._note_tool(event.content_block)
        elif event.type == "message_stop":
            self.has_ended = True
        elif event.type == "error":
            self.error = event.error or _Error()

    def read_whole(self, body: bytes, coding: str) -> None:
        """A whole JSON answer, as it came on the wire."""
        text = plain(body, coding)
        self._passed_bytes = len(text or body)
        self.is_blind = text is None
        try:
            message = _message.decode(text or b"")
        except msgspec.ValidationError:
            self.is_blind = True
            return
        except UNREADABLE:
            return
        self.model = message.model or ""
        self.stop_reason = message.stop_reason or ""
        for block in message.content:
            self._note_tool(block)
        self.has_started = self.has_ended = True
        if message.usage is not None:
            self.has_final_usage = True
            self._merger.start(message.usage)

    def _note_tool(self, block: _Block) -> None:
        if block.type.endswith("tool_use") and block.name and block.name not in self.tools and len(self.tools) < 50:
            self.tools.append(block.name[:100])

    def usage(self) -> Usage:
        """The usage seen. Where the final figures never came, output is estimated from the bytes that passed, and marked."""
        if self.has_final_usage:
            return self._merger.result()
        seen = self._merger.result()
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
