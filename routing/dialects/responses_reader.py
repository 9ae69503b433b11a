"""Reads the figures of an answer in Responses: all of them stand in the last event, which repeats the whole answer."""

import re
from dataclasses import dataclass, field

import msgspec

from billing.usage import Usage
from routing.dialects.base import UNREADABLE, Fields, Seen, StreamError
from routing.dialects.frame_gauge import FrameGauge
from routing.dialects.openai_errors import said_in
from routing.dialects.openai_usage import Told, inside, items, usage_of, word

# Events whose `delta` is a piece of what the model wrote.
PIECES = frozenset(
    f"response.{kind}.delta"
    for kind in (
        "output_text",
        "refusal",
        "reasoning_text",
        "reasoning_summary_text",
        "function_call_arguments",
        "custom_tool_call_input",
        "mcp_call_arguments",
        "code_interpreter_call_code",
    )
)
BARE_EVENT_BYTES = len("event: \ndata: \n\n")
ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_decode = msgspec.json.Decoder().decode


# What finds any event but pieces of one kind.
MARKS = {kind: re.compile(rb"event:(?! ?" + re.escape(kind.encode()) + rb"\n)") for kind in PIECES}


@dataclass(slots=True)
class ResponsesReader(Seen):
    """Once the frames of one kind of piece are known, runs of it are let pass. `has_started` waits until the input is told, at the end."""

    marks: re.Pattern[bytes] | None = None
    _is_under_way: bool = False
    _gauge: FrameGauge = field(default_factory=FrameGauge)
    _usage: Told = field(default_factory=dict)
    _tier: str = ""
    _searches: int = 0

    @property
    def frame_bytes(self) -> int:
        return self._gauge.frame_bytes

    def see(self, name: str, data: bytes) -> bool:
        try:
            event = _decode(data)
        except UNREADABLE:
            return False
        if not isinstance(event, dict):
            return False
        kind, piece = word(event, "type"), event.get("delta")
        size = len(name) + len(data) + BARE_EVENT_BYTES
        if kind in PIECES and isinstance(piece, str):
            self._gauge.measure(kind, size, len(piece.encode("utf-8", "surrogatepass")))
            self.marks = MARKS[kind] if name == kind and self._gauge.is_sure else None
            return True
        self._see_event(kind, event)
        if kind == "response.output_item.added" and word(inside(event, "item"), "type").endswith("_call"):
            self._gauge.measure_call(size)
            self.marks = None
            return True
        return False

    def _see_event(self, kind: str, event: Told) -> None:
        response = inside(event, "response")
        if kind == "error" or (not kind and "error" in event):
            self._fail(_error_in(event))
        elif kind == "response.output_item.done":
            self._see_item(inside(event, "item"))
        elif response:
            self._is_under_way = True
            self._see_response(response, is_last=kind in ENDS)

    def _fail(self, error: StreamError) -> None:
        """A refusal in the place of an answer costs nothing, as one with an HTTP status of its own would."""
        self.error = error
        if not self._is_under_way:
            self.has_started = self.has_final_usage = True

    def _see_item(self, item: Told) -> None:
        kind = word(item, "type")
        if kind.endswith("_call"):
            self.note_tool(word(item, "name"))
        if kind == "web_search_call" and word(inside(item, "action"), "type") in {"", "search"}:
            self._searches += 1

    def _see_response(self, response: Told, *, is_last: bool) -> None:
        self.model = word(response, "model")[:200] or self.model
        self._tier = word(response, "service_tier") or self._tier
        self._usage = inside(response, "usage") or self._usage
        self.has_started = bool(self._usage)
        if not is_last:
            return
        self.has_ended = True
        self.has_final_usage = bool(self._usage)
        reason = word(inside(response, "incomplete_details"), "reason")
        self.stop_reason = (reason or word(response, "status"))[:40]
        self._searches = 0
        for item in items(response, "output"):
            self._see_item(item)
        told = inside(inside(response, "tool_usage"), "web_search").get("num_requests")
        self._searches = told if type(told) is int and told >= 0 else self._searches
        if error := inside(response, "error"):
            self.error = _plain_error(error)

    def see_whole(self, body: bytes, headers: Fields) -> bool:
        try:
            answer = _decode(body)
        except UNREADABLE:
            return True
        if not isinstance(answer, dict):
            return False
        error = said_in(answer)
        if error is not None and "output" not in answer:
            self._fail(error)
            self.has_ended = True
            return True
        self._see_response(answer, is_last=True)
        return True

    def usage(self) -> Usage:
        return usage_of(self._usage, self._tier, self._searches)


def _error_in(event: Told) -> StreamError:
    """OpenAI's error events are flat; others wrap them as a refusal is wrapped."""
    wrapped = said_in(event) if event.get("error") else None
    return wrapped or _plain_error(event)


def _plain_error(error: Told) -> StreamError:
    return StreamError(word(error, "code")[:60], word(error, "message")[:1000])
