"""Reads the figures of an answer of Bedrock's Converse: usage comes in the stream's last frame, or with the whole answer."""

import re
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from billing.usage import MAX_COUNT, Usage
from routing.dialects.aws_errors import kind_of, message_of
from routing.dialects.base import UNREADABLE, Fields, Seen, StreamError
from routing.wire.eventstream import is_fault

# A frame of type contentBlockDelta has this many bytes besides its payload.
FRAME_BYTES = 103


class _Tool(msgspec.Struct):
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"")


class _Reasoning(msgspec.Struct):
    text: str = ""


class _Part(msgspec.Struct):
    """A block of a whole answer, or a piece of one in a stream."""

    text: str = ""
    toolUse: _Tool | None = None
    reasoningContent: _Reasoning | None = None


class _Cached(msgspec.Struct):
    ttl: str = ""
    inputTokens: int = 0


class _Usage(msgspec.Struct):
    inputTokens: int = 0
    outputTokens: int = 0
    cacheReadInputTokens: int = 0
    cacheWriteInputTokens: int = 0
    cacheDetails: list[_Cached] = []

    def told(self, tier: str) -> Usage:
        written = _count(self.cacheWriteInputTokens)
        for_an_hour = min(written, sum(_count(part.inputTokens) for part in self.cacheDetails if part.ttl == "1h"))
        return Usage(
            _count(self.inputTokens),
            _count(self.cacheReadInputTokens),
            written - for_an_hour,
            for_an_hour,
            _count(self.outputTokens),
            service_tier=tier,
        )


class _Tier(msgspec.Struct):
    type: str = ""


class _Message(msgspec.Struct):
    content: list[_Part] = []


class _Output(msgspec.Struct):
    message: _Message | None = None


class _Event(msgspec.Struct):
    """Every event of a stream, and a whole answer: no two of them use a name for different things."""

    start: _Part | None = None
    delta: _Part | None = None
    stopReason: str | None = None
    usage: _Usage | None = None
    output: _Output | None = None
    serviceTier: _Tier | None = None


_event = msgspec.json.Decoder(_Event)


def _count(told: int) -> int:
    return told if 0 <= told <= MAX_COUNT else 0


@dataclass(slots=True)
class ConverseReader(Seen):
    """`frame_bytes` is that of the last piece of content: each frame is padded by another length."""

    marks: ClassVar[re.Pattern[bytes] | None] = None
    frame_bytes: int = 0
    _usage: _Usage | None = None
    _tier: str = ""

    def see(self, name: str, data: bytes) -> bool:
        if is_fault(name):
            self.error = StreamError(kind_of(name), message_of(data))
            return False
        self.has_started = True
        try:
            event = _event.decode(data)
        except UNREADABLE:
            return False
        self._note(event)
        self.has_ended = self.has_ended or name == "metadata"
        if name != "contentBlockDelta":
            return False
        self.frame_bytes = FRAME_BYTES + len(data) - _shown(event.delta)
        return True

    def see_whole(self, body: bytes, headers: Fields) -> bool:
        try:
            event = _event.decode(body)
        except msgspec.ValidationError:
            return False
        except UNREADABLE:
            return True
        self._note(event)
        for block in event.output.message.content if event.output and event.output.message else []:
            self.note_tool(block.toolUse.name if block.toolUse else "")
        self.has_started = self.has_ended = True
        return True

    def _note(self, event: _Event) -> None:
        self.stop_reason = event.stopReason or self.stop_reason
        if event.start is not None and event.start.toolUse is not None:
            self.note_tool(event.start.toolUse.name)
        if event.usage is not None:
            self._usage = event.usage
            self.has_final_usage = True
        if event.serviceTier is not None:
            self._tier = event.serviceTier.type[:40]

    def usage(self) -> Usage:
        return self._usage.told(self._tier) if self._usage is not None else Usage()


def _shown(delta: _Part | None) -> int:
    """Bytes of the text in a piece of content, as they stand in the frame, or fewer."""
    if delta is None:
        return 0
    reasoning = delta.reasoningContent.text if delta.reasoningContent else ""
    return len((delta.text + reasoning).encode()) + (len(delta.toolUse.input) if delta.toolUse else 0)
