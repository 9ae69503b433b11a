"""Bedrock's wire, written from its side: frames, Messages events in them, Converse's shapes, errors. Nothing of the gateway's is used."""

import base64
import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.fakes.messages import CALL_ID_PLACE, Json, Piece, Reply, dump
from tests.fakes.script import Answer

PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234"
EVENTSTREAM = "application/vnd.amazon.eventstream"
METRICS = "amazon-bedrock-invocationMetrics"


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    packed = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack(">I", zlib.crc32(message))


def event_frame(name: str, payload: Json) -> bytes:
    """Padded by a length that differs from frame to frame, as Bedrock does it."""
    body = dump({**payload, "p": PADDING[: 1 + len(str(payload)) % len(PADDING)]})
    return frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, body)


def chunk_frame(data: bytes) -> bytes:
    return event_frame("chunk", {"bytes": base64.b64encode(data).decode()})


def exception_frame(name: str, message: str) -> bytes:
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, dump({"message": message}))


def refusal(status: int, name: str, message: str) -> Answer:
    headers = (("x-amzn-errortype", f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"), ("x-amzn-requestid", "fake-request"))
    return Answer(status=status, body=dump({"message": message}), headers=headers)


THROTTLED = refusal(429, "ThrottlingException", "Too many tokens, please wait before trying again.")
DENIED = refusal(403, "AccessDeniedException", "You don't have access to the model with the specified model ID.")
OVERLONG = refusal(400, "ValidationException", "Input is too long for requested model.")


def token_headers(usage: Json) -> list[tuple[str, str]]:
    return [
        ("x-amzn-bedrock-input-token-count", str(usage.get("input_tokens", 0))),
        ("x-amzn-bedrock-output-token-count", str(usage.get("output_tokens", 0))),
        ("x-amzn-bedrock-cache-read-input-token-count", str(usage.get("cache_read_input_tokens", 0))),
        ("x-amzn-bedrock-cache-write-input-token-count", str(usage.get("cache_creation_input_tokens", 0))),
        ("x-amzn-bedrock-invocation-latency", "17"),
    ]


def metrics(usage: Json) -> Json:
    return {
        "inputTokenCount": usage.get("input_tokens", 0),
        "outputTokenCount": usage.get("output_tokens", 0),
        "invocationLatency": 17,
        "firstByteLatency": 5,
        "cacheReadInputTokenCount": usage.get("cache_read_input_tokens", 0),
        "cacheWriteInputTokenCount": usage.get("cache_creation_input_tokens", 0),
    }


def claude_frames(pieces: Iterable[Piece], usage: Json, call_id: str) -> Iterator[Piece]:
    """Messages events, each in a frame; pings left out, AWS's figures beside the last."""
    for piece in pieces:
        name, _, data = piece.data.replace(CALL_ID_PLACE, call_id.encode()).strip().partition(b"\ndata: ")
        if name == b"event: ping":
            continue
        if name == b"event: message_stop":
            data = dump({**json.loads(data), METRICS: metrics(usage)})
        yield Piece(chunk_frame(data), piece.tokens, piece.is_last)


def _converse_block(block: Json) -> Json:
    match block["type"]:
        case "tool_use":
            return {"toolUse": {"toolUseId": block["id"], "name": block["name"], "input": block["input"]}}
        case "thinking":
            return {"reasoningContent": {"reasoningText": {"text": block["thinking"], "signature": block.get("signature", "")}}}
        case _:
            return {"text": block["text"]}


def converse_usage(usage: Json) -> Json:
    told = {
        "inputTokens": usage.get("input_tokens", 0),
        "outputTokens": usage.get("output_tokens", 0),
        "cacheReadInputTokens": usage.get("cache_read_input_tokens", 0),
        "cacheWriteInputTokens": usage.get("cache_creation_input_tokens", 0),
    }
    return {**told, "totalTokens": sum(told.values())}


def converse_body(reply: Reply) -> bytes:
    content = [_converse_block(block) for block in reply.blocks]
    return dump({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reply.stop_reason,
        "usage": converse_usage(reply.usage),
        "metrics": {"latencyMs": 17},
    })  # fmt: skip


def converse_frames(reply: Reply) -> Iterator[Piece]:
    total = int(reply.usage.get("output_tokens", 0))
    yield Piece(event_frame("messageStart", {"role": "assistant"}))
    for index, block in enumerate(reply.blocks):
        for name, payload in _converse_events(block):
            yield Piece(event_frame(name, {"contentBlockIndex": index, **payload}), total)
    yield Piece(event_frame("messageStop", {"stopReason": reply.stop_reason}), total)
    yield Piece(event_frame("metadata", {"usage": converse_usage(reply.usage), "metrics": {"latencyMs": 17}}), total, is_last=True)


def _converse_events(block: Json) -> Sequence[tuple[str, Json]]:
    whole = _converse_block(block)
    stop: tuple[str, Json] = ("contentBlockStop", {})
    if "toolUse" in whole:
        tool: Any = whole["toolUse"]
        start = {"start": {"toolUse": {"toolUseId": tool["toolUseId"], "name": tool["name"]}}}
        return [("contentBlockStart", start), ("contentBlockDelta", {"delta": {"toolUse": {"input": json.dumps(tool["input"])}}}), stop]
    if "reasoningContent" in whole:
        text = whole["reasoningContent"]["reasoningText"]["text"]
        return [("contentBlockDelta", {"delta": {"reasoningContent": {"text": text}}}), stop]
    return [("contentBlockDelta", {"delta": {"text": word}}) for word in whole["text"].split(" ")] + [stop]


def nova_body(reply: Reply) -> bytes:
    usage = {"inputTokens": reply.usage.get("input_tokens", 0), "outputTokens": reply.usage.get("output_tokens", 0)}
    content = [_converse_block(block) for block in reply.blocks]
    return dump({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "end_turn", "usage": usage})


def nova_frames(reply: Reply) -> Iterator[Piece]:
    yield Piece(chunk_frame(dump({"messageStart": {"role": "assistant"}})))
    for block in reply.blocks:
        for name, payload in _converse_events(block):
            yield Piece(chunk_frame(dump({name: {"contentBlockIndex": 0, **payload}})))
    yield Piece(chunk_frame(dump({"metadata": {}, METRICS: metrics(reply.usage)})), int(reply.usage["output_tokens"]), is_last=True)


def titan_embedding(reply: Reply) -> bytes:
    return dump({"embedding": [0.25, -0.5], "inputTextTokenCount": reply.usage.get("input_tokens", 0)})
