"""Composes the demo provider's answer as content blocks, once, so that the JSON body and the event stream cannot disagree."""

import base64
import hashlib
import re
from dataclasses import dataclass
from random import Random

import msgspec

from . import demo_text
from .demo_request import Ask, Block, text_of
from .demo_schema import example
from .demo_tools import ToolCall, choose_call
from .demo_usage import InputUsage

LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SIGNATURE_BYTES = 180
# One piece is one token: up to ten letters of a word with the blanks before it, or two letters of Japanese.
PIECE = re.compile(r"\s*[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]{1,2}|\s*[^\s\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]{1,10}|\s+")


@dataclass(frozen=True, slots=True)
class Part:
    """A content block: as it opens in a stream, the deltas that fill it (each with its tokens), and as a whole."""

    opening: Block
    deltas: tuple[tuple[Block, int], ...]
    whole: Block

    @property
    def tokens(self) -> int:
        return sum(tokens for _, tokens in self.deltas)


@dataclass(frozen=True, slots=True)
class Answer:
    id: str
    model: str
    parts: tuple[Part, ...]
    stop_reason: str
    stop_sequence: str | None
    thinking_tokens: int
    billing: Block
    input: InputUsage

    @property
    def output_tokens(self) -> int:
        return sum(part.tokens for part in self.parts)


def compose(ask: Ask, spent: InputUsage, dice: Random) -> Answer:
    parts: list[Part] = []
    left, stop_reason, stop_sequence = ask.max_tokens, "end_turn", None
    thought = pieces(demo_text.thought(ask.question)) if ask.thinks else []
    if thought and left:
        parts.append(_thinking_part(thought[:left], ask))
    thinking_tokens = min(len(thought), left)
    left -= thinking_tokens
    call = choose_call(ask)
    text, stop_sequence = _cut(_text(ask, call), ask.stop_sequences)
    words = pieces(text)
    if words and left:
        parts.append(_text_part(words[:left]))
    called = _tool_part(call, dice) if call and stop_sequence is None else None
    needed = len(thought) - thinking_tokens + len(words) + (called.tokens if called else 0)
    if needed > left or not ask.max_tokens:
        stop_reason, stop_sequence = "max_tokens", None
    elif stop_sequence is not None:
        stop_reason = "stop_sequence"
    elif called:
        parts.append(called)
        stop_reason = "tool_use"
    return Answer(make_id("msg_01", dice), ask.model, tuple(parts), stop_reason, stop_sequence, thinking_tokens, _billing(ask.body), spent)


def message(answer: Answer) -> Block:
    ending = {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence, "stop_details": None}
    usage = start_usage(answer) | end_usage(answer)
    return envelope(answer) | {"content": [part.whole for part in answer.parts]} | ending | {"usage": usage}


def envelope(answer: Answer) -> Block:
    return {"id": answer.id, "type": "message", "role": "assistant", "model": answer.model, "content": []}


def start_usage(answer: Answer) -> Block:
    """Only here are the split of cache writes and the terms of billing; the output count is a small prefill number."""
    split = {"ephemeral_5m_input_tokens": answer.input.write_5m, "ephemeral_1h_input_tokens": answer.input.write_1h}
    return _input_usage(answer.input) | {"cache_creation": split, "output_tokens": min(1, answer.output_tokens)} | answer.billing


def end_usage(answer: Answer) -> Block:
    details = {"thinking_tokens": answer.thinking_tokens}
    return _input_usage(answer.input) | {"output_tokens": answer.output_tokens, "output_tokens_details": details}


def pieces(text: str) -> list[str]:
    return PIECE.findall(text)


def make_id(prefix: str, dice: Random) -> str:
    return prefix + "".join(dice.choices(LETTERS, k=22))


def _input_usage(spent: InputUsage) -> Block:
    written = spent.write_5m + spent.write_1h
    return {"input_tokens": spent.uncached, "cache_creation_input_tokens": written, "cache_read_input_tokens": spent.read}


def _billing(body: Block) -> Block:
    """What the client chose and the price depends on is said back, as the real API does."""
    geo = body.get("inference_geo")
    chosen = {"speed": "fast"} if body.get("speed") == "fast" else {}
    return {"service_tier": "standard", "inference_geo": geo if geo in ("global", "us") else "not_available"} | chosen


def _text(ask: Ask, call: ToolCall | None) -> str:
    question = ask.question
    if call:
        is_forced = ask.tool_choice.get("type") in ("any", "tool")
        return "" if is_forced else demo_text.before_call(question, call.doing, call.subject)
    if ask.tool_results:
        last = ask.tool_results[-1]
        return demo_text.after_call(question, _result_text(last), failed=bool(last.get("is_error")))
    if ask.answer_schema is not None:
        return msgspec.json.encode(example(ask.answer_schema, question)).decode()
    return demo_text.reply(question)


def _result_text(result: Block) -> str:
    content = result.get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(text_of(block) for block in blocks if isinstance(block, dict)) or "ok"


def _cut(text: str, sequences: list[str]) -> tuple[str, str | None]:
    found = [(at, sequence) for sequence in sequences if (at := text.find(sequence)) >= 0]
    if not found:
        return text, None
    at, sequence = min(found)
    return text[:at], sequence


def _thinking_part(words: list[str], ask: Ask) -> Part:
    """Hidden thinking is billed all the same: its signature then carries the tokens."""
    shown = [] if ask.hides_thinking else words
    signature = _signature("".join(words))
    deltas = [({"type": "thinking_delta", "thinking": word}, 1) for word in shown]
    deltas.append(({"type": "signature_delta", "signature": signature}, len(words) - len(shown)))
    opening = {"type": "thinking", "thinking": "", "signature": ""}
    return Part(opening, tuple(deltas), opening | {"thinking": "".join(shown), "signature": signature})


def _text_part(words: list[str]) -> Part:
    deltas = tuple(({"type": "text_delta", "text": word}, 1) for word in words)
    return Part({"type": "text", "text": ""}, deltas, {"type": "text", "text": "".join(words)})


def _tool_part(call: ToolCall, dice: Random) -> Part:
    written = pieces(msgspec.json.encode(call.arguments).decode())
    deltas = [("", 0), *((piece, 1) for piece in written)]
    opening = {"type": "tool_use", "id": make_id("toolu_01", dice), "name": call.name, "input": {}}
    return Part(
        opening,
        tuple(({"type": "input_json_delta", "partial_json": piece}, tokens) for piece, tokens in deltas),
        opening | {"input": call.arguments},
    )


def _signature(thought: str) -> str:
    return base64.b64encode(hashlib.shake_256(thought.encode()).digest(SIGNATURE_BYTES)).decode()
