"""Reads the figures of an answer in Chat Completions, or in Completions of old, from OpenAI and from all who copied it.

Events are decoded without a schema: a field that a provider fills in its own way must not hide the others.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from billing.usage import Usage
from routing.dialects.base import UNREADABLE, Fields, Seen, StreamError
from routing.dialects.frame_gauge import FrameGauge
from routing.dialects.openai_errors import said_in
from routing.dialects.openai_usage import Told, inside, items, usage_of, word

# What an event has besides its data.
BARE_EVENT_BYTES = len("data: \n\n")
TEXT, REASONING, ARGUMENTS = "text", "reasoning", "arguments"
# What else than pieces of one kind there may be. Each begins with a quotation mark, which keeps the search fast.
_END = rb'name"|finish_reason":\s*"|usage":\s*\{|error"'
_TEXT, _REASONING, _CALLS = rb'content":\s*"[^"]', rb'reasoning(?:_content)?":\s*"[^"]', rb'tool_calls"|function_call"'
MARKS = {
    TEXT: re.compile(b'"(?:' + b"|".join((_END, _REASONING, _CALLS)) + b")"),
    REASONING: re.compile(b'"(?:' + b"|".join((_END, _TEXT, _CALLS)) + b")"),
    ARGUMENTS: re.compile(b'"(?:' + b"|".join((_END, _TEXT, _REASONING)) + b")"),
}
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class ChatReader(Seen):
    """Once a provider's frames are known, runs of content are let pass; from the first reason for an end on, all is looked at again.

    `has_started` waits until the input is told, which most do at the end.
    """

    marks: re.Pattern[bytes] | None = None
    _is_under_way: bool = False
    _gauge: FrameGauge = field(default_factory=FrameGauge)
    _usage: Told = field(default_factory=dict)
    _tier: str = ""

    @property
    def frame_bytes(self) -> int:
        return self._gauge.frame_bytes

    def see(self, name: str, data: bytes) -> bool:
        if data.startswith(b"[DONE]"):
            self.has_ended = True
            self.has_final_usage = self.has_final_usage or bool(self._usage)
            return False
        try:
            chunk = _decode(data)
        except UNREADABLE:
            return False
        error = said_in(chunk)
        if error is not None:
            self._fail(error)
            return False
        if not isinstance(chunk, dict):
            return False
        self._is_under_way = True
        self._see_head(chunk)
        choices = items(chunk, "choices")
        for choice in choices:
            self._see_choice(choice, inside(choice, "delta"))
        self._see_usage(chunk, is_last=not choices or bool(self.stop_reason))
        return self._measure(choices, len(data) + BARE_EVENT_BYTES)

    def _fail(self, error: StreamError) -> None:
        """A refusal in the place of an answer costs nothing, as one with an HTTP status of its own would."""
        self.error = error
        self.marks = None
        if not self._is_under_way:
            self.has_started = self.has_final_usage = True

    def _see_head(self, chunk: Told) -> None:
        self.model = word(chunk, "model")[:200] or self.model
        self._tier = word(chunk, "service_tier") or self._tier

    def _see_choice(self, choice: Told, message: Told) -> None:
        self.stop_reason = word(choice, "finish_reason")[:40] or self.stop_reason
        for call in calls_in(message):
            self.note_tool(word(call, "name"))

    def _see_usage(self, chunk: Told, *, is_last: bool) -> None:
        """Some tell it with every chunk, some with the last that has a choice, some after it; Groq in a place of its own."""
        usage = inside(chunk, "usage") or inside(inside(chunk, "x_groq"), "usage")
        if usage:
            self._usage = usage
            self.has_started, self.has_final_usage = True, is_last

    def _measure(self, choices: list[Told], event_bytes: int) -> bool:
        kind, size = "", 0
        for choice in choices:
            found, more = content_of(choice)
            kind, size = found or kind, size + more
        if any(opens_call(inside(choice, "delta")) for choice in choices):
            self._gauge.measure_call(event_bytes, size)
            self.marks = None
            return True
        if kind:
            self._gauge.measure(kind, event_bytes, size)
        # Who never sends an empty reason may never send one at all: then nothing but looking finds the end.
        is_usual = bool(kind) and not self.stop_reason and all("finish_reason" in choice for choice in choices)
        self.marks = MARKS[kind] if is_usual and self._gauge.is_sure else None
        return bool(kind)

    def see_whole(self, body: bytes, headers: Fields) -> bool:
        try:
            answer = _decode(body)
        except UNREADABLE:
            return True
        error = said_in(answer)
        if error is not None:
            self._fail(error)
            self.has_ended = True
            return True
        if not isinstance(answer, dict):
            return False
        self._see_head(answer)
        for choice in items(answer, "choices"):
            self._see_choice(choice, inside(choice, "message"))
        self._see_usage(answer, is_last=True)
        self.has_started = self.has_ended = True
        return True

    def usage(self) -> Usage:
        return usage_of(self._usage, self._tier)


def content_of(choice: Mapping[str, object]) -> tuple[str, int]:
    """The kind of content in a piece, and its bytes; nothing in one that only opens or ends something."""
    delta = inside(choice, "delta")
    for kind, value in (
        (TEXT, choice.get("text")),
        (TEXT, delta.get("content")),
        (REASONING, delta.get("reasoning_content")),
        (REASONING, delta.get("reasoning")),
        (TEXT, delta.get("refusal")),
    ):
        if value and isinstance(value, str | list):
            return kind, _size(value)
    size = sum(_size(call.get("arguments") or call.get("input")) for call in calls_in(delta))
    return (ARGUMENTS, size) if size else ("", 0)


def calls_in(message: Told) -> list[Told]:
    """What calls of tools say, in the ways of today and of old."""
    return [inside(call, "function", "custom") for call in items(message, "tool_calls")] + [inside(message, "function_call")]


def opens_call(delta: Told) -> bool:
    return any(call.get("name") for call in calls_in(delta))


def _size(value: object) -> int:
    """Bytes of text; Mistral's lists of typed parts hold theirs at any depth."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, list):
        return sum(_size(one) for one in value)
    if isinstance(value, dict):
        return sum(_size(one) for name, one in value.items() if name != "type")
    return 0
