"""The provider's end of one client connection: writes, waits, and notices when the client is gone."""

import asyncio
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Event
from types import TracebackType
from typing import Self

import msgspec

from tests.fakes.messages import Json
from tests.fakes.serving import Receive, Scope, Send, break_connection

Headers = list[tuple[bytes, bytes]]


class ClientLeft(Exception):
    """The client closed its connection before the answer was complete."""


@dataclass(slots=True)
class Seen:
    """One request as it arrived, and how its answer went."""

    call_id: str
    method: str
    path: bytes  # raw, undecoded
    query: bytes
    headers: Headers
    body: bytes
    problems: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    aborted: bool = False
    finished: Event = field(default_factory=Event)

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name.lower().encode()]
        return b", ".join(values).decode("latin-1") if values else None

    def json(self) -> Json:
        return msgspec.json.decode(self.body, type=Json)


async def read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


class Line:
    """Use as an async context manager: inside it, the connection is watched."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, seen: Seen) -> None:
        self._scope, self._receive, self._send, self._seen = scope, receive, send, seen
        self._gone = asyncio.Event()
        self._gzip: zlib._Compress | None = None
        self._chunk_size = 0
        self.is_started = False

    async def __aenter__(self) -> Self:
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._watcher.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def start(self, status: int, headers: Iterable[tuple[str, str]], *, gzip: bool = False, chunk_size: int = 0) -> None:
        self._gzip = zlib.compressobj(wbits=31) if gzip else None
        self._chunk_size = chunk_size
        self.is_started = True
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        """Waits while the client does not read; every chunk leaves in a turn of its own."""
        if self._gzip is not None:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        size = self._chunk_size or len(data) or 1
        for start in range(0, len(data), size):
            await self._write_chunk(data[start : start + size])

    async def _write_chunk(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        await asyncio.sleep(0)
        if self._gone.is_set():
            raise ClientLeft
        self._seen.sent_bytes += len(data)

    async def finish(self) -> None:
        tail = b"" if self._gzip is None else self._gzip.flush()
        self._watcher.cancel()
        await self._send({"type": "http.response.body", "body": tail, "more_body": False})
        self._seen.sent_bytes += len(tail)

    async def pause(self, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        except TimeoutError:
            return
        raise ClientLeft

    async def wait_until_gone(self) -> None:
        await self._gone.wait()
        raise ClientLeft

    async def break_off(self, *, reset: bool) -> None:
        break_connection(self._scope, reset=reset)
        await self._gone.wait()
