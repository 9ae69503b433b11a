"""Request and answer bytes of the benchmark: shaped like a coding agent's, sized to the byte."""

import json
from typing import Any

PREFIX = "our-"
# Real names, so that every call is priced.
JSON_MODEL, STREAM_MODEL, IDLE_MODEL = "claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5"
MODELS = (JSON_MODEL, STREAM_MODEL, IDLE_MODEL)
SIZES = {"1k": 1024, "100k": 100 * 1024, "1m": 1024 * 1024}
_LINE = 'def reconcile(ledger: "Ledger") -> int:\n\treturn sum(entry.amount for entry in ledger)  # naïve \\ but "exact"\n'


def _tool(number: int) -> dict[str, Any]:
    properties = {"file_path": {"type": "string", "description": "Absolute path of the file"}, "content": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "required": ["file_path"], "additionalProperties": False}
    return {"name": f"Tool{number}", "description": _LINE * 4, "input_schema": schema}


def _conversation(size: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "Please fix the failing test."}]}]
    for number in range(max(0, size // 4096 - 2)):
        call = {"type": "tool_use", "id": f"toolu_{number:06d}", "name": "Tool1", "input": {"file_path": f"src/module_{number}.py"}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number:06d}", "content": _LINE * 28}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    return messages


def _body(model: str, size: int, *, stream: bool, padding: str) -> bytes:
    tools = [_tool(number) for number in range(12)] if size >= SIZES["100k"] else []
    system = [{"type": "text", "text": "You are a coding agent." + padding, "cache_control": {"type": "ephemeral"}}]
    body = {
        "model": PREFIX + model,
        "max_tokens": 1024,
        "stream": stream,
        "system": system,
        "tools": tools,
        "metadata": {"user_id": json.dumps({"device_id": "d" * 64, "session_id": "00000000-0000-4000-8000-000000000000"})},
        "messages": _conversation(size),
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def request_body(model: str, size: int, *, stream: bool = False) -> bytes:
    missing = size - len(_body(model, size, stream=stream, padding=""))
    padding = ("Be exact. " * (max(0, missing) // 10 + 1))[: max(0, missing)]
    return _body(model, size, stream=stream, padding=padding)


def http_request(address: str, key: str, body: bytes) -> bytes:
    """One whole POST: prebuilt, so that the load costs the machine as little as possible."""
    head = (
        f"POST /v1/messages?beta=true HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\nx-api-key: {key}\r\n"
        f"Content-Type: application/json\r\nUser-Agent: tallygate-bench\r\nanthropic-version: 2023-06-01\r\n"
        f"anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def usage(output_tokens: int) -> dict[str, Any]:
    return {"input_tokens": 250, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": output_tokens}


def message(model: str, content: list[dict[str, Any]], stop_reason: str | None) -> dict[str, Any]:
    envelope = {"id": "msg_bench", "type": "message", "role": "assistant", "model": model, "content": content}
    return {**envelope, "stop_reason": stop_reason, "stop_sequence": None, "usage": usage(60 if content else 1)}


def event(name: str, payload: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **payload})}\n\n".encode()
