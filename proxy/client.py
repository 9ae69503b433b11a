"""The caller's end of a call: its body under limits, its leaving, our bytes back to it.

A bare ASGI app must watch `receive()`: servers swallow `send()` after the client left, so a proxy that only sends would never know.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import Protocol

from proxy.asgi import Fields, Receive, Scope, Send
from proxy.errors import ClientError

TOO_LARGE = "The request is larger than {limit} MB. Your side. Send less, or ask your administrator to raise the limit."


# The scope extension under which our own server lends its connection.
WATCH = "tallygate.connection"


class Connection(Protocol):
    """What tells at once that a caller has gone, at the price of an attribute instead of a task.

    `answer` writes a whole answer at once; False when it cannot be written so, and nothing was.
    """

    on_left: Callable[[], None] | None

    def abort(self) -> None: ...

    def answer(self, status: int, headers: Fields, body: bytes) -> bool: ...


class ClientLeft(Exception):
    """The caller closed the connection before its request was whole."""


class Client:
    """One caller's connection for the length of one call."""

    __slots__ = (
        "_connection",
        "_receive",
        "_send",
        "_watch",
        "has_left",
        "has_started",
        "headers",
        "path",
        "query",
        "raw_headers",
        "sent_bytes",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.raw_headers: Fields = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(self.raw_headers)
        self.path: str = scope["path"]
        self.query: str = scope["query_string"].decode("latin-1")
        self._receive = receive
        self._send = send
        self._watch: asyncio.Task[None] | None = None
        self._connection: Connection | None = scope["extensions"].get(WATCH) if "extensions" in scope else None
        self.has_started = False
        self.has_left = False
        self.sent_bytes = 0

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    async def read_body(self, limit: int, moved: Callable[[], None]) -> bytes:
        """The whole body, decoded; `moved` hears of each piece. Holds the limit and one piece at most; raises ClientError or ClientLeft."""
        announced = self.headers.get(b"content-length")
        if announced and int(announced) > limit:
            raise too_large(limit)
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            body = await self._read_rest(body, limit, moved)
        if len(body) > limit:
            raise too_large(limit)
        coding = self.headers.get(b"content-encoding")
        return decoded(body, coding, limit) if coding else body

    async def _read_rest(self, first: bytes, limit: int, moved: Callable[[], None]) -> bytes:
        pieces, size, more = [first], len(first), True
        while more:
            if size > limit:
                raise too_large(limit)
            moved()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            more = message.get("more_body", False)
        return b"".join(pieces)

    def watch(self, left: Callable[[], None]) -> None:
        """Calls `left` once when the caller goes before the call is done: told by our own server, else by a task that waits for it."""
        if self._connection is None:
            self._watch = asyncio.create_task(self._wait_for_leaving(left))
            return

        def gone() -> None:
            self.has_left = True
            left()

        self._connection.on_left = gone

    async def _wait_for_leaving(self, left: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.has_left = True
        left()

    def stop_watching(self) -> None:
        if self._connection is not None:
            self._connection.on_left = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def cut(self) -> None:
        """Ends the connection of a caller that takes nothing, where our own server lent it; ASGI itself has no word for this."""
        if self._connection is not None:
            self._connection.abort()

    async def start(self, status: int, headers: Fields) -> None:
        is_sent, self.has_started = False, True  # already in the wait: whoever looks meanwhile must not start again
        try:
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            is_sent = True
        finally:
            self.has_started = is_sent  # servers wait before they write

    async def write(self, chunk: bytes, *, more: bool = True) -> None:
        """Returns when the server has taken the bytes: a slow reader slows its provider."""
        self.sent_bytes += len(chunk)
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def answer(self, status: int, headers: Fields, body: bytes) -> None:
        """A whole answer at once."""
        headers = [*headers, (b"content-length", b"%d" % len(body))]
        if self._connection is not None and self._connection.answer(status, headers, body):
            self.has_started = True
            self.sent_bytes += len(body)
            return
        await self.start(status, headers)
        await self.write(body, more=False)


def too_large(limit: int) -> ClientError:
    return ClientError(413, "request_too_large", TOO_LARGE.format(limit=limit // (1024 * 1024)))


def decoded(body: bytes, coding: bytes, limit: int) -> bytes:
    """The body without its Content-Encoding; gzip and deflate under the limit, anything else refused as the vendor's API does."""
    name = coding.strip().lower()
    if name in {b"", b"identity"}:
        return body
    if name not in {b"gzip", b"x-gzip", b"deflate"}:
        raise ClientError(
            400,
            "request_body_encoding_unsupported",
            "This Content-Encoding is not understood. Your side. Send gzip, deflate or plain JSON.",
        )
    unpacker = zlib.decompressobj(zlib.MAX_WBITS if name == b"deflate" else zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise ClientError(400, "request_body_encoding_invalid", "The body does not match its Content-Encoding. Your side.") from None
    if len(plain) > limit:
        raise too_large(limit)
    if not unpacker.eof:
        raise ClientError(400, "request_body_encoding_invalid", "The compressed body ends too early. Your side.")
    return plain
