"""Converse's answers as those of Messages: whole ones, and ConverseStream's frames as events, one by one.

Converse opens text and thinking without a word, may send blocks interleaved, and tells usage after the end; in Messages every block has a
start, stands alone, and the figures come before the end.
"""

from typing import Any

import msgspec

from routing.dialects.aws_errors import kind_of, message_of
from routing.dialects.base import UNREADABLE
from routing.dialects.messages import MESSAGES
from routing.translation.converse_answer import SERVER_SIDE, Extra, Given, Said, TokenUsage, ToolUse, stop, unpacked, whole
from routing.translation.converse_citations import to_messages
from routing.wire.eventstream import BrokenFrame, Frames, is_fault
from routing.wire.sse import event

BROKEN = "The provider's stream could not be read. Provider's side. Try again."

_encoder = msgspec.json.Encoder()


class _Start(msgspec.Struct):
    toolUse: ToolUse | None = None


class _Input(msgspec.Struct):
    input: str = ""


class _Reasoning(msgspec.Struct):
    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None


class _Delta(msgspec.Struct):
    text: str | None = None
    toolUse: _Input | None = None
    reasoningContent: _Reasoning | None = None
    citation: Said | None = None


class _Frame(msgspec.Struct):
    """Any frame's payload: each kind fills its own fields."""

    contentBlockIndex: int = 0
    start: _Start | None = None
    delta: _Delta | None = None
    stopReason: str = ""
    additionalModelResponseFields: Extra | None = None
    usage: TokenUsage | None = None


_frame = msgspec.json.Decoder(_Frame)


class Blocks:
    """Content blocks in a row: one is open at a time; what comes for another waits until this one has ended."""

    __slots__ = ("_at", "_given", "_index", "_kind", "_redacted", "_waiting", "has_tool", "out")

    def __init__(self, given: Given, out: list[bytes]) -> None:
        self._given = given
        self.out = out
        self.has_tool = False
        self._at: int | None = None
        self._kind = ""
        self._index = -1
        self._redacted = ""
        self._waiting: dict[int, list[tuple[str, _Frame]]] = {}

    def see(self, name: str, frame: _Frame) -> None:
        """A frame of a block: its start, a piece, or its end."""
        if self._at is None:
            self._at = frame.contentBlockIndex
        if frame.contentBlockIndex != self._at:
            self._waiting.setdefault(frame.contentBlockIndex, []).append((name, frame))
        elif name == "contentBlockStop":
            self._end()
            self._next()
        elif frame.start is not None:
            self._begin(frame.start)
        elif frame.delta is not None:
            self._add(frame.delta)

    def finish(self) -> None:
        """Ends the open block and says those that waited, also where Converse forgot to end one."""
        self._end()
        while self._waiting:
            self._next()
            self._end()

    def _next(self) -> None:
        self._at = None
        if self._waiting:
            for name, frame in self._waiting.pop(next(iter(self._waiting))):
                self.see(name, frame)

    def _begin(self, start: _Start) -> None:
        if start.toolUse is None or start.toolUse.type == SERVER_SIDE:
            self._end()
            self._kind = "unsaid"
        else:
            self.has_tool = True
            self._open("tool_use", self._given.tool_use(start.toolUse, {}))

    def _add(self, delta: _Delta) -> None:
        if delta.text:
            self._say("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": delta.text})
        elif delta.toolUse is not None:
            if self._kind == "tool_use":
                self._delta({"type": "input_json_delta", "partial_json": delta.toolUse.input})
        elif delta.reasoningContent is not None:
            self._think(delta.reasoningContent)
        elif delta.citation is not None:
            self._say("text", {"type": "text", "text": ""}, {"type": "citations_delta", "citation": to_messages(delta.citation)})

    def _think(self, reasoning: _Reasoning) -> None:
        start = {"type": "thinking", "thinking": "", "signature": ""}
        if reasoning.redactedContent:
            if self._kind != "redacted":
                self._end()
                self._kind = "redacted"
            self._redacted += unpacked(reasoning.redactedContent)
        elif reasoning.text:
            self._say("thinking", start, {"type": "thinking_delta", "thinking": reasoning.text})
        elif reasoning.signature:
            self._say("thinking", start, {"type": "signature_delta", "signature": reasoning.signature})

    def _say(self, kind: str, start: Said, delta: Said) -> None:
        if self._kind == "unsaid":
            return
        if self._kind != kind:
            self._open(kind, start)
        self._delta(delta)

    def _open(self, kind: str, start: Said) -> None:
        self._end()
        self._kind = kind
        self._index += 1
        self._emit("content_block_start", {"index": self._index, "content_block": start})

    def _delta(self, delta: Said) -> None:
        self._emit("content_block_delta", {"index": self._index, "delta": delta})

    def _end(self) -> None:
        """Ends the open block. Redacted thinking has no deltas in Messages: it is said whole, here."""
        redacted, self._redacted = self._redacted, ""
        if redacted:
            self._kind = ""
            self._open("redacted", {"type": "redacted_thinking", "data": redacted})
        if self._kind and self._kind != "unsaid":
            self._emit("content_block_stop", {"index": self._index})
        self._kind = ""

    def _emit(self, name: str, data: Said) -> None:
        self.out.append(said_event(name, data))


class ConverseToMessages:
    """Turns one answer round, stream or whole. What `feed` gives ends at the boundary of an event."""

    def __init__(self, given: Given) -> None:
        self._frames = Frames()
        self._given = given
        self._out: list[bytes] = []
        self._blocks = Blocks(given, self._out)
        self._has_started = False
        self._is_over = False
        self._stop: Said | None = None
        self._usage: TokenUsage | None = None

    def feed(self, chunk: bytes) -> bytes:
        try:
            for name, payload in self._frames.feed(chunk):
                self._see(name, payload)
        except BrokenFrame:
            self._fail("api_error", BROKEN)
        return self._taken()

    def end(self) -> bytes:
        """The end of an answer that is complete but for its figures, which never came."""
        self._usage = self._usage or TokenUsage(self._given.input_tokens)
        self._finish()
        return self._taken()

    def whole(self, body: bytes) -> bytes:
        return whole(body, self._given)

    def _taken(self) -> bytes:
        said = b"".join(self._out)
        self._out.clear()
        return said

    def _see(self, name: str, payload: bytes) -> None:
        if self._is_over:
            return
        if name not in KNOWN:
            if is_fault(name):
                self._fail(kind_of(name), message_of(payload) or BROKEN)
            return
        try:
            frame = _frame.decode(payload)
        except UNREADABLE:
            self._fail("api_error", BROKEN)
            return
        self._begin()
        if name == "metadata":
            self._usage = frame.usage or TokenUsage()
        elif name == "messageStop":
            self._blocks.finish()
            self._stop = stop(frame.stopReason, frame.additionalModelResponseFields, has_tool=self._blocks.has_tool)
        elif name in OF_BLOCKS and self._stop is None:
            self._blocks.see(name, frame)
        self._finish()

    def _begin(self) -> None:
        if not self._has_started:
            self._has_started = True
            self._emit("message_start", {"message": self._given.message(_first_usage(self._given.input_tokens))})

    def _finish(self) -> None:
        """The end, once both its reason and its figures are there."""
        if self._is_over or self._stop is None or self._usage is None:
            return
        self._is_over = True
        self._emit("message_delta", {"delta": self._stop, "usage": self._usage.said()})
        self._emit("message_stop", {})

    def _fail(self, kind: str, message: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._out.append(MESSAGES.error_event(500, message, self._given.call_id, error_type=kind))

    def _emit(self, name: str, data: Said) -> None:
        self._out.append(said_event(name, data))


OF_BLOCKS = frozenset({"contentBlockStart", "contentBlockDelta", "contentBlockStop"})
KNOWN = OF_BLOCKS | {"messageStart", "messageStop", "metadata"}


def _first_usage(input_tokens: int) -> dict[str, Any]:
    return {"input_tokens": input_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}


def said_event(name: str, data: Said) -> bytes:
    return event(name, _encoder.encode({"type": name, **data}))
