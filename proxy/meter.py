"""Watches an answer pass and reads what it cost: usage, stop reason, tools, whether it came to its end.

Works on copies; nothing it meets may disturb the relay. Only events that can carry something of interest are decoded.
"""

import zlib
from dataclasses import replace

import msgspec

from billing.usage import Usage, UsageMerger
from routing.wire.sse import Cutter, events

MARKS = (b"message_", b"tool_use", b'"error"')
MAX_DECODED_BYTES = 64 * 1024 * 1024
# An SSE frame of one text delta is about this many bytes besides its text; a token of output is at least this many bytes of text.
FRAME_BYTES = 110
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
    model: str = ""
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
    """One answer's figures. `has_ended` is true once the protocol's own end was seen."""

    __slots__ = (
        "_cutter",
        "_merger",
        "_stream_bytes",
        "_stream_events",
        "error",
        "has_ended",
        "has_final_usage",
        "has_started",
        "model",
        "stop_reason",
        "tools",
    )

    def __init__(self) -> None:
        self._cutter = Cutter()
        self._merger = UsageMerger()
        self._stream_bytes = 0
        self._stream_events = 0
        self.error: _Error | None = None
        self.has_ended = False
        self.has_final_usage = False
        self.has_started = False
        self.model = ""
        self.stop_reason = ""
        self.tools: list[str] = []

    @property
    def at_boundary(self) -> bool:
        return self._cutter.at_boundary

    def feed(self, chunk: bytes) -> None:
        """A piece of an event stream."""
        whole = self._cutter.feed(chunk)
        if not whole:
            return
        self._stream_bytes += len(whole)
        self._stream_events += whole.count(b"\n\n")
        for mark in MARKS:
            if mark in whole:
                for name, data in events(whole):
                    if name not in {"content_block_delta", "content_block_stop", "ping"}:
                        self._see(data)
                return

    def _see(self, data: bytes) -> None:
        try:
            event = _event.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return
        if event.type == "message_start" and event.message is not None:
            self.has_started = True
            self.model = event.message.model
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
        try:
            message = _message.decode(plain(body, coding))
        except (msgspec.DecodeError, RecursionError, zlib.error, EOFError, OSError):
            return
        self.model = message.model
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
        """The usage seen. When the stream broke off before its final figures, output is estimated from the bytes that passed, and marked."""
        if self.has_final_usage:
            return self._merger.result()
        seen = self._merger.result()
        text_bytes = max(0, self._stream_bytes - FRAME_BYTES * self._stream_events)
        return replace(seen, output_tokens=max(seen.output_tokens, 1 + int(text_bytes / BYTES_PER_TOKEN)), estimated=True)


def plain(body: bytes, coding: str) -> bytes:
    """A coded copy decoded under a cap, so that a small answer cannot unpack into all memory."""
    if coding in {"", "identity"}:
        return body
    if coding not in {"gzip", "deflate"}:
        return b""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16 if coding == "gzip" else zlib.MAX_WBITS)
    return unpacker.decompress(body, MAX_DECODED_BYTES)
