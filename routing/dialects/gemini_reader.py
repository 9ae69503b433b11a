"""Reads the figures of an answer of Gemini's: the usage that every chunk repeats, the reason why it ended, tools.

There is no mark of the end: an answer is whole once its candidates gave a reason, or the prompt was refused.
"""

import re
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec

from billing.usage import MAX_COUNT, Usage
from routing.dialects.base import UNREADABLE, Fields, Seen, StreamError
from routing.dialects.google_errors import GoogleError, told_by

# What a chunk has besides its text, at the least.
FRAME_BYTES = 250
# How capacity is paid for, as the price list knows it.
TIERS = {"ON_DEMAND": "", "TRAFFIC_TYPE_UNSPECIFIED": "", "ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority"}


class _Call(msgspec.Struct):
    name: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    function_call: _Call | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Chunk(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: dict[str, object] | None = None
    model_version: str | None = None
    prompt_feedback: _Feedback | None = None
    error: GoogleError | None = None


_chunk = msgspec.json.Decoder(_Chunk)


@dataclass(slots=True)
class GeminiReader(Seen):
    marks: ClassVar[re.Pattern[bytes] | None] = None
    frame_bytes: ClassVar[int] = FRAME_BYTES
    _counts: dict[str, int] = field(default_factory=dict)
    _tier: str = ""

    def see(self, name: str, data: bytes) -> bool:
        try:
            chunk = _chunk.decode(data)
        except UNREADABLE:
            return False
        if chunk.error is not None:
            error = told_by(chunk.error)
            self.error = StreamError(error.kind or "api_error", error.message)
            return False
        self.has_started = True
        self._see_figures(chunk)
        candidates = chunk.candidates or []
        for candidate in candidates:
            self._see_candidate(candidate)
        if not candidates and chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            self._end(chunk.prompt_feedback.block_reason)
        self.has_final_usage = self.has_ended and bool(self._counts)
        return bool(candidates)

    def _see_figures(self, chunk: _Chunk) -> None:
        self.model = (chunk.model_version or self.model)[:200]
        for name, value in (chunk.usage_metadata or {}).items():
            if type(value) is int and 0 <= value <= MAX_COUNT:
                self._counts[name] = value
            elif name == "trafficType" and type(value) is str:
                self._tier = TIERS.get(value, value.lower()[:40])

    def _see_candidate(self, candidate: _Candidate) -> None:
        for part in (candidate.content and candidate.content.parts) or []:
            if part.function_call is not None:
                self.note_tool(part.function_call.name or "")
        if candidate.finish_reason:
            self._end(candidate.finish_reason)

    def _end(self, reason: str) -> None:
        self.has_ended = True
        self.stop_reason = reason[:40]

    def see_whole(self, body: bytes, headers: Fields) -> bool:
        self.see("", body)
        # Vectors and counts come without a reason for their end.
        self.has_ended = self.has_started
        self.has_final_usage = bool(self._counts)
        return self.has_started

    def usage(self) -> Usage:
        """Prompts include what was cached; candidates leave out thoughts; what tools put into the prompt stands apart."""
        counts = self._counts.get
        prompt = counts("promptTokenCount", 0) + counts("toolUsePromptTokenCount", 0)
        cached = min(counts("cachedContentTokenCount", 0), prompt)
        thoughts = counts("thoughtsTokenCount", 0)
        return Usage(
            input_tokens=prompt - cached,
            cache_read_tokens=cached,
            output_tokens=counts("candidatesTokenCount", 0) + thoughts,
            thinking_tokens=thoughts,
            service_tier=self._tier,
        )
