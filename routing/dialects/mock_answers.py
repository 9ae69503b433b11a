"""Answers that no model gave: LiteLLM's `mock_response` and `mock_tool_calls` in the shapes of Chat Completions and Messages. Pure."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# What LiteLLM says that such an answer took.
INPUT_TOKENS, OUTPUT_TOKENS = 10, 20
_WORD = re.compile(r"\s*\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Tool:
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Said:
    """`id` is the call's own; `created` epoch seconds."""

    id: str
    model: str
    created: int
    text: str
    tools: tuple[Tool, ...] = ()


def chat(said: Said) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": said.text}
    if said.tools:
        message["tool_calls"] = [_called(tool) for tool in said.tools]
    choice = {"index": 0, "message": message, "finish_reason": _finish(said)}
    return _json({**_chat_head(said, "chat.completion"), "choices": [choice], "usage": _chat_usage()})


def chat_stream(said: Said, *, with_usage: bool) -> bytes:
    chunks = [_chunk(said, delta) for delta in _deltas(said)]
    chunks.append(_chunk(said, {}, _finish(said)))
    if with_usage:
        chunks.append({**_chat_head(said, "chat.completion.chunk"), "choices": [], "usage": _chat_usage()})
    return b"".join(b"data: %b\n\n" % _json(chunk) for chunk in chunks) + b"data: [DONE]\n\n"


def _deltas(said: Said) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for word in _WORD.findall(said.text):
        yield {"content": word}
    for index, tool in enumerate(said.tools):
        yield {"tool_calls": [{"index": index, **_called(tool)}]}


def _chat_head(said: Said, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{said.id}", "object": kind, "created": said.created, "model": said.model}


def _chunk(said: Said, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {**_chat_head(said, "chat.completion.chunk"), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _called(tool: Tool) -> dict[str, Any]:
    return {"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": tool.arguments}}


def _finish(said: Said) -> str:
    return "tool_calls" if said.tools else "stop"


def _chat_usage() -> dict[str, int]:
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS}


def messages(said: Said) -> bytes:
    blocks = [{"type": "text", "text": said.text}] if said.text or not said.tools else []
    tools = [{"type": "tool_use", "id": tool.id, "name": tool.name, "input": json.loads(tool.arguments)} for tool in said.tools]
    return _json({**_message(said, [*blocks, *tools]), "stop_reason": _stop(said), "usage": _usage(OUTPUT_TOKENS)})


def messages_stream(said: Said) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _json(event)) for event in _events(said))


def _events(said: Said) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {**_message(said, []), "stop_reason": None, "usage": _usage(0)}}
    index = 0
    if said.text or not said.tools:
        deltas = [{"type": "text_delta", "text": word} for word in _WORD.findall(said.text)]
        yield from _block(index, {"type": "text", "text": ""}, deltas)
        index = 1
    for number, tool in enumerate(said.tools, index):
        delta = {"type": "input_json_delta", "partial_json": tool.arguments}
        yield from _block(number, {"type": "tool_use", "id": tool.id, "name": tool.name, "input": {}}, [delta])
    ending = {"stop_reason": _stop(said), "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": OUTPUT_TOKENS}}
    yield {"type": "message_stop"}


def _block(index: int, begun: dict[str, Any], deltas: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    yield {"type": "content_block_start", "index": index, "content_block": begun}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _message(said: Said, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": f"msg_{said.id}", "type": "message", "role": "assistant", "model": said.model, "content": content, "stop_sequence": None}


def _stop(said: Said) -> str:
    return "tool_use" if said.tools else "end_turn"


def _usage(output_tokens: int) -> dict[str, int]:
    return {"input_tokens": INPUT_TOKENS, "output_tokens": output_tokens}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
