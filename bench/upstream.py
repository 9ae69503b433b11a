"""The upstream of every measurement: the least code that answers, so that the gateway is what saturates.

The tests' fake provider checks and remembers what it gets; that would cost as much as the gateways compared here.
Stream deltas carry the clock (`@nanoseconds`), which all processes of one machine share.
"""

import asyncio
import json
import re
import time
from typing import cast

import uvloop

from bench import bodies

CHUNKS_PER_S = 20
STREAM_CHUNKS = 2000
_FRONT = 8192
STAMP = re.compile(rb"@(\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_MODEL = re.compile("|".join(bodies.MODELS).encode())
_SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nrequest-id: req_bench\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def _json_answer() -> bytes:
    text = "A short answer, as most of a coding agent's are. " * 8
    body = json.dumps(bodies.message(bodies.JSON_MODEL, [{"type": "text", "text": text}], "end_turn")).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nrequest-id: req_bench\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _delta() -> bytes:
    text = f"some words of an answer @{time.perf_counter_ns()} "
    return _chunk(bodies.event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}}))


_ANSWER = _json_answer()
_OPENING = _chunk(
    bodies.event("message_start", {"message": bodies.message(bodies.STREAM_MODEL, [], None)})
    + bodies.event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
)
_CLOSING = (
    _chunk(
        bodies.event("content_block_stop", {"index": 0})
        + bodies.event("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": bodies.usage(60)})
        + bodies.event("message_stop", {})
    )
    + b"0\r\n\r\n"
)


class Upstream(asyncio.Protocol):
    """HTTP/1.1, requests with a Content-Length, one at a time per connection."""

    def __init__(self) -> None:
        self._front = b""
        self._received = 0
        self._expected = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        # The model's name stands near the front of the body; the rest is only counted.
        if len(self._front) < _FRONT:
            self._front += data
        if not self._expected:
            end = self._front.find(b"\r\n\r\n") + 4
            found = _LENGTH.search(self._front, 0, end)
            self._expected = end + (int(found[1]) if found else 0) if end > 3 else 0
        if self._expected and self._received >= self._expected:
            model = _MODEL.search(self._front)
            self._front, self._received, self._expected = b"", 0, 0
            self._answer(model[0].decode() if model else bodies.JSON_MODEL)

    def _answer(self, model: str) -> None:
        if model == bodies.JSON_MODEL:
            self._transport.write(_ANSWER)
            return
        self._transport.write(_SSE_HEAD + _OPENING + _delta())
        if model == bodies.STREAM_MODEL:
            self._next(asyncio.get_running_loop().time() + 1 / CHUNKS_PER_S, STREAM_CHUNKS)

    def _next(self, at: float, left: int) -> None:
        self._timer = asyncio.get_running_loop().call_at(at, self._tick, at, left)

    def _tick(self, at: float, left: int) -> None:
        if left <= 0:
            self._transport.write(_CLOSING)
            return
        self._transport.write(_delta())
        self._next(at + 1 / CHUNKS_PER_S, left - 1)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def run(port: int) -> None:
    uvloop.run(serve(port))
