"""Messages in one wrapping turned into Messages in another: AWS event streams to server-sent events and back, event by event."""

import base64
import time
from collections.abc import Callable

import msgspec

from routing.dialects.aws_errors import fault_for, kind_of, message_of
from routing.dialects.base import EVENTSTREAM, UNREADABLE, Dialect
from routing.dialects.invoke import COUNT_TOKENS
from routing.wire import eventstream, sse
from routing.wire.eventstream import MAX_FRAME_BYTES, BrokenFrame, Frames, is_fault
from routing.wire.sse import Cutter

METRICS = "amazon-bedrock-invocationMetrics"
UNREADABLE_STREAM = "The provider's stream cannot be read. Provider's side. Try again."


class _Chunk(msgspec.Struct):
    data: bytes = msgspec.field(name="bytes", default=b"")


class _Typed(msgspec.Struct):
    type: str = ""


class _Told(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Message(msgspec.Struct):
    usage: _Told | None = None


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    usage: _Told | None = None
    error: _Error | None = None


_chunk = msgspec.json.Decoder(_Chunk)
_typed = msgspec.json.Decoder(_Typed)
_event = msgspec.json.Decoder(_Event)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class Unwrapped:
    """An event stream of InvokeModel → Messages as server-sent events. What AWS adds for itself is taken out; a fault ends the stream."""

    def __init__(self) -> None:
        self._frames = Frames()
        self._is_over = False

    def feed(self, chunk: bytes) -> bytes:
        if self._is_over:
            return b""
        found: list[bytes] = []
        try:
            for name, payload in self._frames.feed(chunk):
                found.append(self._event(name, payload))
        except BrokenFrame:
            found.append(self._fault("api_error", UNREADABLE_STREAM))
        return b"".join(found)

    def end(self) -> bytes:
        return b""

    def whole(self, body: bytes) -> bytes:
        return body

    def _event(self, name: str, payload: bytes) -> bytes:
        if self._is_over:
            return b""
        if is_fault(name):
            return self._fault(kind_of(name), message_of(payload) or f"Bedrock reports {name}.")
        try:
            data = _chunk.decode(payload).data
            kind = _typed.decode(data).type
            if METRICS.encode() in data and kind == "message_stop":
                data = _encode({field: value for field, value in _object.decode(data).items() if field != METRICS})
        except UNREADABLE:
            return b""
        # A line end outside of strings is legal JSON, and would end the event.
        return sse.event(kind, data.replace(b"\r", b" ").replace(b"\n", b" ")) if kind.isidentifier() else b""

    def _fault(self, kind: str, message: str) -> bytes:
        self._is_over = True
        return sse.event("error", _encode({"type": "error", "error": {"type": kind, "message": message}}))


class Wrapped:
    """Messages as server-sent events → an event stream of InvokeModel, with AWS's own figures beside the last event."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._cutter = Cutter(MAX_FRAME_BYTES // 2)
        self._clock = clock
        self._begun = clock()
        self._first = 0
        self._counts = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
        self._is_over = False

    def feed(self, chunk: bytes) -> bytes:
        return b"".join(self._frame(name, data) for name, data in sse.events(self._cutter.feed(chunk)))

    def end(self) -> bytes:
        return b""

    def whole(self, body: bytes) -> bytes:
        return body

    def _frame(self, name: str, data: bytes) -> bytes:
        """Bedrock's streams have no pings; a caller that counts frames would trip over them."""
        if self._is_over or name == "ping":
            return b""
        if name == "content_block_delta":
            return _framed(data)
        try:
            event = _event.decode(data)
        except UNREADABLE:
            return _framed(data)
        if event.type == "error":
            self._is_over = True
            error = event.error or _Error()
            return eventstream.exception(fault_for(error.type), error.message or "The provider failed. Provider's side. Try again.")
        self._first = self._first or self._elapsed_ms()
        for told in (event.message.usage if event.message else None, event.usage):
            self._count(told)
        return _framed(self._measured(data) if event.type == "message_stop" else data) if event.type != "ping" else b""

    def _count(self, told: _Told | None) -> None:
        for name in self._counts:
            value = getattr(told, name, None)
            if value is not None:
                self._counts[name] = value

    def _measured(self, data: bytes) -> bytes:
        counts = self._counts
        metrics = {
            "inputTokenCount": counts["input_tokens"],
            "outputTokenCount": counts["output_tokens"],
            "invocationLatency": self._elapsed_ms(),
            "firstByteLatency": self._first,
            "cacheReadInputTokenCount": counts["cache_read_input_tokens"],
            "cacheWriteInputTokenCount": counts["cache_creation_input_tokens"],
        }
        try:
            return _encode({**_object.decode(data), METRICS: msgspec.Raw(_encode(metrics))})
        except UNREADABLE:
            return data

    def _elapsed_ms(self) -> int:
        return max(1, round((self._clock() - self._begun) * 1000))


def _framed(data: bytes) -> bytes:
    return eventstream.event("chunk", b'{"bytes":"%b"}' % base64.b64encode(data))


class Renamed:
    """A whole answer that is one count: under the name that the caller's side gives it."""

    def __init__(self, given: str, wanted: str) -> None:
        self._given, self._wanted = given, wanted

    def feed(self, chunk: bytes) -> bytes:
        return chunk

    def end(self) -> bytes:
        return b""

    def whole(self, body: bytes) -> bytes:
        try:
            return _encode({self._wanted: _object.decode(body)[self._given]})
        except (*UNREADABLE, KeyError):
            return body


def between(asked: Dialect, spoken: Dialect) -> Unwrapped | Wrapped | Renamed | None:
    """What turns an answer round between two wrappings of one family, or None where its bytes pass as they come."""
    if (asked is COUNT_TOKENS) != (spoken is COUNT_TOKENS):
        return Renamed("input_tokens", "inputTokens") if asked is COUNT_TOKENS else Renamed("inputTokens", "input_tokens")
    if asked.framing == spoken.framing:
        return None
    return Unwrapped() if spoken.framing == EVENTSTREAM else Wrapped()
