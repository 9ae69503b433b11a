"""Reads the figures of an answer in Messages: usage, stop reason, tools, whether it came to its end."""

import re
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec

from billing.usage import Usage, UsageMerger
from routing.dialects.base import UNREADABLE, Fields, Seen, StreamError

# An SSE frame of one text delta is about this many bytes besides its text.
FRAME_BYTES = 110


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


@dataclass(slots=True)
class MessagesReader(Seen):
    """Only events that can carry something of interest are decoded; deltas of content have all the same frame."""

    marks: ClassVar[re.Pattern[bytes] | None] = re.compile(rb'message_|tool_use|"error"|"ping"|content_block_st')
    frame_bytes: ClassVar[int] = FRAME_BYTES
    _merger: UsageMerger = field(default_factory=UsageMerger)

    def see(self, name: str, data: bytes) -> bool:
        if name == "content_block_delta":
            return True
        try:
            event = _event.decode(data)
        except UNREADABLE:
            return False
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
            self._note(event.content_block)
        elif event.type == "message_stop":
            self.has_ended = True
        elif event.type == "error":
            self.error = StreamError(event.error.type, event.error.message) if event.error else StreamError()
        return event.type == "content_block_delta"

    def see_whole(self, body: bytes, headers: Fields) -> bool:
        try:
            message = _message.decode(body)
        except msgspec.ValidationError:
            return False
        except UNREADABLE:
            return True
        self.model = message.model or ""
        self.stop_reason = message.stop_reason or ""
        for block in message.content:
            self._note(block)
        self.has_started = self.has_ended = True
        if message.usage is not None:
            self.has_final_usage = True
            self._merger.start(message.usage)
        return True

    def _note(self, block: _Block) -> None:
        if block.type.endswith("tool_use"):
            self.note_tool(block.name)

    def usage(self) -> Usage:
        return self._merger.result()
