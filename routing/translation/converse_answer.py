"""A whole answer of Converse as a message, and the words in which converse_to_messages.py says a stream."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from routing.dialects.base import UNREADABLE
from routing.translation.converse_citations import to_messages

Said = dict[str, Any]

STOP_REASONS = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "model_context_window_exceeded": "model_context_window_exceeded",
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
}
EXPLANATIONS = {
    "guardrail_intervened": "A guardrail of Amazon Bedrock stepped in.",
    "content_filtered": "A content filter of Amazon Bedrock stepped in.",
}
SERVER_SIDE = "server_tool_use"

_encoder = msgspec.json.Encoder()


class BadAnswer(ValueError):
    """A provider's answer that is not what its interface promises."""


@dataclass(frozen=True, slots=True)
class Given:
    """What an answer repeats of its call. `input_tokens` is an estimate for the start of a stream, where clients look for a figure.

    `tool_names` leads from Converse's name of a tool to the caller's, where they differ.
    """

    call_id: str
    model: str
    input_tokens: int = 0
    tool_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def message_id(self) -> str:
        return "msg_" + hashlib.sha256(self.call_id.encode()).hexdigest()[:24]

    def message(self, usage: Said) -> Said:
        """A message without content."""
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }

    def tool_use(self, tool: "ToolUse", tool_input: Any) -> Said:
        return {"type": "tool_use", "id": tool.toolUseId, "name": self.tool_names.get(tool.name, tool.name), "input": tool_input}


class CacheDetail(msgspec.Struct):
    ttl: str = ""
    inputTokens: int = 0


class TokenUsage(msgspec.Struct):
    inputTokens: int = 0
    outputTokens: int = 0
    cacheReadInputTokens: int | None = None
    cacheWriteInputTokens: int | None = None
    cacheDetails: list[CacheDetail] | None = None

    def said(self) -> Said:
        """Both sides count uncached input apart. What is written without a time is written for five minutes."""
        written = self.cacheWriteInputTokens or 0
        for_an_hour = min(written, sum(detail.inputTokens for detail in self.cacheDetails or () if detail.ttl == "1h"))
        return {
            "input_tokens": self.inputTokens,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": self.cacheReadInputTokens or 0,
            "cache_creation": {"ephemeral_5m_input_tokens": written - for_an_hour, "ephemeral_1h_input_tokens": for_an_hour},
            "output_tokens": self.outputTokens,
        }


class ToolUse(msgspec.Struct):
    toolUseId: str = ""
    name: str = ""
    type: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class Extra(msgspec.Struct):
    """additionalModelResponseFields, as we ask for them."""

    stop_sequence: str | None = None


class _ReasoningText(msgspec.Struct):
    text: str = ""
    signature: str | None = None


class _Reasoning(msgspec.Struct):
    reasoningText: _ReasoningText | None = None
    redactedContent: str | None = None


class _Text(msgspec.Struct):
    text: str = ""


class _Cited(msgspec.Struct):
    content: list[_Text] | None = None
    citations: list[Said] | None = None


class _Block(msgspec.Struct):
    text: str | None = None
    toolUse: ToolUse | None = None
    reasoningContent: _Reasoning | None = None
    citationsContent: _Cited | None = None


class _Message(msgspec.Struct):
    content: list[_Block]


class _Output(msgspec.Struct):
    message: _Message


class _Answer(msgspec.Struct):
    output: _Output
    stopReason: str
    usage: TokenUsage
    additionalModelResponseFields: Extra | None = None


_answer = msgspec.json.Decoder(_Answer)


def whole(body: bytes, given: Given) -> bytes:
    """A Converse answer as a message; raises BadAnswer."""
    try:
        answer = _answer.decode(body)
    except UNREADABLE as error:
        raise BadAnswer(f"not an answer of Converse: {error}") from error
    message = given.message(answer.usage.said())
    message["content"] = [said for block in answer.output.message.content if (said := _block(block, given))]
    message |= stop(answer.stopReason, answer.additionalModelResponseFields, has_tool=any("input" in said for said in message["content"]))
    return _encoder.encode(message)


def stop(reason: str, extra: Extra | None, *, has_tool: bool) -> Said:
    """Why it stopped. Some models call tools and say that they were done; what we do not know is an end like any other."""
    said = STOP_REASONS.get(reason, "end_turn")
    if said == "end_turn" and has_tool:
        said = "tool_use"
    found: Said = {"stop_reason": said, "stop_sequence": extra.stop_sequence if extra is not None else None}
    if said == "refusal":
        found["stop_details"] = {"type": "refusal", "category": None, "explanation": EXPLANATIONS[reason]}
    return found


def _block(block: _Block, given: Given) -> Said | None:
    """None for what a message cannot hold: empty text, pictures, and tools that Bedrock runs itself."""
    if block.text:
        return {"type": "text", "text": block.text}
    if block.citationsContent is not None:
        text = "".join(part.text for part in block.citationsContent.content or ())
        citations = [to_messages(citation) for citation in block.citationsContent.citations or ()]
        return {"type": "text", "text": text, "citations": citations} if text or citations else None
    if block.toolUse is not None and block.toolUse.type != SERVER_SIDE:
        return given.tool_use(block.toolUse, block.toolUse.input)
    return _reasoning(block.reasoningContent) if block.reasoningContent is not None else None


def _reasoning(reasoning: _Reasoning) -> Said | None:
    text = reasoning.reasoningText
    if text is not None:
        return {"type": "thinking", "thinking": text.text, "signature": text.signature or ""} if text.text or text.signature else None
    if reasoning.redactedContent is None:
        return None
    return {"type": "redacted_thinking", "data": unpacked(reasoning.redactedContent)}


def unpacked(content: str) -> str:
    """Redacted thinking, which Converse packs once more; what is not packed like that stays as it is."""
    try:
        return base64.b64decode(content, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return content
