"""The yardstick: the least that an honest Python gateway does, and nothing more.

Key look-up by SHA-256, model name spliced, answer teed for its usage. No budgets, no limits, no records.
"""

import asyncio
import hashlib
import itertools
import os
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
import uvicorn
from yarl import URL

from bench.bodies import MODELS, PREFIX

KEY = "sk-bench-baseline-0000"
KEY_COUNT = 5000
_ROUTES = {PREFIX + name: name for name in MODELS}
_DROPPED_UP = {b"host", b"authorization", b"x-api-key", b"accept-encoding", b"content-length", b"connection", b"transfer-encoding"}
_DROPPED_DOWN = {b"connection", b"transfer-encoding", b"keep-alive"}
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class UsageTee:
    """Cuts the passing bytes at blank lines and decodes only the events that can carry usage."""

    def __init__(self) -> None:
        self._rest = b""
        self.usage: dict[str, Any] = {}

    def feed(self, data: bytes) -> None:
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if b'"usage"' in event:
                payload = msgspec.json.decode(event[event.index(b"{") :])
                self.usage.update(payload.get("usage") or payload["message"]["usage"])


class Baseline:
    def __init__(self, upstream: str) -> None:
        others = (f"sk-bench-other-{number}" for number in range(KEY_COUNT - 1))
        self._keys = {hashlib.sha256(key.encode()).digest(): number for number, key in enumerate(itertools.chain((KEY,), others))}
        self._url = upstream
        self._session: aiohttp.ClientSession | None = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, connect=10, sock_read=300),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        key = next((value for name, value in scope["headers"] if name == b"x-api-key"), b"")
        if hashlib.sha256(key).digest() not in self._keys:
            await answer(send, 401, b'{"type":"error","error":{"type":"authentication_error","message":"unknown key"}}')
            return
        fields = _decoder.decode(await read(receive))
        model = _ROUTES[msgspec.json.decode(fields["model"], type=str)]
        fields["model"] = msgspec.Raw(msgspec.json.encode(model))
        leaving = asyncio.create_task(until_gone(receive))
        relaying = asyncio.create_task(self._relay(scope, msgspec.json.encode(fields), send))
        await asyncio.wait({leaving, relaying}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        relaying.cancel()

    async def _relay(self, scope: Message, body: bytes, send: Send) -> None:
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"] if name not in _DROPPED_UP]
        headers += [("x-api-key", "sk-upstream"), ("accept-encoding", "identity")]
        url = URL(f"{self._url}{scope['raw_path'].decode()}?{scope['query_string'].decode()}", encoded=True)
        async with self._client().post(url, data=body, headers=headers, allow_redirects=False) as response:
            passed = [(name.lower(), value) for name, value in response.raw_headers if name.lower() not in _DROPPED_DOWN]
            await send({"type": "http.response.start", "status": response.status, "headers": passed})
            tee = UsageTee()
            async for data in response.content.iter_any():
                tee.feed(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(send: Send, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


def made() -> Any:
    return Baseline(os.environ["BENCH_UPSTREAM"])


def run(port: int, workers: int = 1) -> None:
    options: dict[str, Any] = {"host": "127.0.0.1", "port": port, "loop": "uvloop", "http": "httptools"}
    uvicorn.run("bench.baseline:made", factory=True, workers=workers, access_log=False, lifespan="off", log_level="error", **options)
