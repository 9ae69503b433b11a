"""Reads the figures of an answer of Bedrock's InvokeModel: Claude's Messages events in frames, or any model's with metrics at the end."""

import re
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec

from billing.usage import Usage
from routing.dialects.aws_errors import kind_of, message_of
from routing.dialects.base import UNREADABLE, Fields, Seen, StreamError
from routing.dialects.messages_reader import MessagesReader
from routing.wire.eventstream import is_fault

# A frame of type chunk has this many bytes besides its payload, and the event of one text delta this many besides its text.
FRAME_BYTES = 91
DELTA_BYTES = 75
METRICS = b"amazon-bedrock-invocationMetrics"
# Thinking whose text is not shown tells its length in tokens; each counts as this many bytes of text.
BYTES_PER_TOKEN = 2.5
_thinking = re.compile(rb'"estimated_tokens"\s*:\s*([0-9]{1,9})')
COUNTS = b"x-amzn-bedrock-%s-token-count"


class _Chunk(msgspec.Struct):
    data: bytes = msgspec.field(name="bytes", default=b"")


class _Metrics(msgspec.Struct):
    inputTokenCount: int = 0
    outputTokenCount: int = 0
    cacheReadInputTokenCount: int = 0
    cacheWriteInputTokenCount: int = 0

    def usage(self) -> Usage:
        return Usage(
            max(0, self.inputTokenCount),
            max(0, self.cacheReadInputTokenCount),
            max(0, self.cacheWriteInputTokenCount),
            output_tokens=max(0, self.outputTokenCount),
        )


class _Measured(msgspec.Struct):
    metrics: _Metrics | None = msgspec.field(name="amazon-bedrock-invocationMetrics", default=None)


class _TitanText(msgspec.Struct):
    tokenCount: int = 0


class _Embedded(msgspec.Struct):
    inputTextTokenCount: int = 0
    results: list[_TitanText] = []


_chunk = msgspec.json.Decoder(_Chunk)
_measured = msgspec.json.Decoder(_Measured)
_embedded = msgspec.json.Decoder(_Embedded)


@dataclass(slots=True)
class InvokeReader(Seen):
    """Claude's answers. `frame_bytes` is that of the last piece of content: each frame is padded by another length."""

    marks: ClassVar[re.Pattern[bytes] | None] = None
    frame_bytes: int = 0
    _message: MessagesReader = field(default_factory=MessagesReader)

    def see(self, name: str, data: bytes) -> bool:
        if is_fault(name):
            self.error = StreamError(kind_of(name), message_of(data))
            return False
        try:
            event = _chunk.decode(data).data
        except UNREADABLE:
            return False
        if not self._message.see("", event):
            self._take_over()
            return self.see_other(event, len(data))
        steps = sum(map(int, _thinking.findall(event)))
        shown = max(0, len(event) - DELTA_BYTES) + int(BYTES_PER_TOKEN * steps)
        self.frame_bytes = FRAME_BYTES + len(data) - shown
        return True

    def see_other(self, event: bytes, payload_bytes: int) -> bool:
        """An event that is no piece of Claude's content. True when it is one of another model's."""
        return False

    def _take_over(self) -> None:
        inner = self._message
        self.has_started, self.has_ended, self.has_final_usage = inner.has_started, inner.has_ended, inner.has_final_usage
        self.model, self.stop_reason, self.tools = inner.model, inner.stop_reason, inner.tools
        self.error = self.error or inner.error

    def see_whole(self, body: bytes, headers: Fields) -> bool:
        is_known = self._message.see_whole(body, headers)
        self._take_over()
        return is_known

    def usage(self) -> Usage:
        return self._message.usage()


@dataclass(slots=True)
class OtherReader(InvokeReader):
    """Any model's answers. Where they are Claude's, its own usage counts, which metrics may fall short of."""

    _measured: Usage | None = None

    def see_other(self, event: bytes, payload_bytes: int) -> bool:
        if METRICS in event:
            self._measure(event)
        is_others = not self._message.has_started
        self.has_started = True
        if self._measured is not None:
            self.has_ended = self.has_final_usage = True
        elif is_others:
            self.frame_bytes = FRAME_BYTES + payload_bytes - _text_bytes(event)
            return True
        return False

    def _measure(self, event: bytes) -> None:
        try:
            metrics = _measured.decode(event).metrics
        except UNREADABLE:
            return
        self._measured = metrics.usage() if metrics is not None else None

    def see_whole(self, body: bytes, headers: Fields) -> bool:
        if InvokeReader.see_whole(self, body, headers) and self._message.model:
            return True
        try:
            msgspec.json.decode(body)
        except UNREADABLE:
            return True  # cut off: not ended
        self.has_started = self.has_ended = True
        self._measured = _of_headers(headers) or _of_body(body)
        self.has_final_usage = self._measured is not None
        return True

    def usage(self) -> Usage:
        is_claudes = bool(self._message.model) and self._message.has_final_usage
        return self._message.usage() if is_claudes or self._measured is None else self._measured


def _text_bytes(event: bytes) -> int:
    """All that an event of an unknown shape says in strings."""
    try:
        waiting: list[object] = [msgspec.json.decode(event)]
    except UNREADABLE:
        return len(event)
    found = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found += len(value.encode("utf-8", "surrogatepass"))
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found


def _of_headers(headers: Fields) -> Usage | None:
    found = dict(headers)
    counts = [found.get(COUNTS % kind, b"") for kind in (b"input", b"cache-read-input", b"cache-write-input", b"output")]
    if not any(counts):
        return None
    fresh, read, written, output = (int(text) if text.isdigit() and len(text) < 10 else 0 for text in counts)
    return Usage(fresh, read, written, output_tokens=output)


def _of_body(body: bytes) -> Usage | None:
    """Titan names its figures in the body too."""
    try:
        found = _embedded.decode(body)
    except UNREADABLE:
        return None
    output = sum(max(0, result.tokenCount) for result in found.results)
    return Usage(max(0, found.inputTextTokenCount), output_tokens=output) if found.inputTextTokenCount or output else None
