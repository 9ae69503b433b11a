"""One HTTP/1.1 connection to a provider: writes a whole request, hands out the answer as it arrives. The grammar is httptools' (llhttp).

A general client costs five times as much CPU per call (docs/decisions/002), and does not say whether a connection that broke had been
used before, on which hangs whether another try is safe.
"""

import asyncio
from collections import deque
from typing import cast

import httptools

from proxy.asgi import Fields
from proxy.cork import Cork, CorkedTransport
from routing.dialects.pieces import Body, parts_of

MAX_HEAD_BYTES = 64 * 1024
MAX_HEAD_FIELDS = 200
BUFFERED_BYTES = 256 * 1024
BODILESS = frozenset({204, 304})
# Who had hung up before it heard of a call says so at once, who breaks off later may have worked on it; and a machine that is gone
# without a word is found out much later.
STALE_WITHIN_S = 2.0


class ConnectionBroken(Exception):
    """The connection or its answer came to a bad end."""


class ConnectionReset(ConnectionBroken):
    """Broken off so hard, or inside the head, that a part of the answer is lost: nobody knows how far the provider had come."""


class StaleConnection(ConnectionBroken):
    """Kept open from an earlier call, and gone before a byte of this answer: the provider had hung up and never saw this call."""


class NeverSent(ConnectionBroken):
    """The request could not be put on record, so it was not sent; the provider has no part in it."""


class Connection(asyncio.Protocol):
    """At most one call at a time; `is_reusable` says whether another may follow."""

    def __init__(self, cork: Cork) -> None:
        self.opened_at = self.idle_since = asyncio.get_running_loop().time()
        self.is_reusable = True
        self.status = 0
        self.headers: Fields = []
        self._cork = cork
        self._transport: CorkedTransport
        self._parser = httptools.HttpResponseParser(self)
        self._calls = 0
        self._asked_at = 0.0
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._head_bytes = 0
        self._is_asked = self._has_head = self._is_done = self._is_paused = False
        self._fault: ConnectionBroken | None = None
        self._waiter: asyncio.Future[None] | None = None

    def send(self, head: bytes, body: Body, *, is_recorded: bool = False) -> None:
        """Begins a call: hands a whole request to the network, if need be once it is on record, and keeps nothing of it."""
        self._calls += 1
        self._asked_at = asyncio.get_running_loop().time()
        self.is_reusable = False
        self.headers = []
        self._head_bytes = 0
        self._is_asked, self._has_head, self._is_done = True, False, False
        self._transport.is_recorded = is_recorded
        self._transport.writelines((head, *parts_of(body)))

    async def answered(self) -> None:
        """Waits for the answer's head; raises ConnectionBroken."""
        while not self._has_head:
            if self._fault is not None:
                raise self._fault
            await self._wait()

    async def read(self) -> bytes:
        """What has arrived of the body, b"" at its end; raises ConnectionBroken."""
        while not self._chunks:
            if self._is_done:
                return b""
            if self._fault is not None:
                raise self._fault
            await self._wait()
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    def finish(self) -> bool:
        """Ends the call. True when the connection can serve another one; otherwise it is closed."""
        if self.is_reusable and self._is_done and not self._chunks and not self._transport.get_write_buffer_size():
            self._is_asked = False
            return True
        self.close()
        return False

    def close(self) -> None:
        self.is_reusable = False
        self._transport.abort()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, fault: ConnectionBroken) -> None:
        if self._fault is None:
            self._fault = fault
        self.close()
        self._wake()

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = CorkedTransport(cast(asyncio.Transport, transport), self._cork)

    def data_received(self, data: bytes) -> None:
        if not self._is_asked or self._fault is not None:
            self._fail(ConnectionBroken("bytes that nobody asked for"))
            return
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(ConnectionBroken("no HTTP/1.1 answer"))
            return
        if not self._has_head and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(ConnectionBroken("the head is too large"))
        elif self._buffered > BUFFERED_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_reusable = False
        if self._has_head and not self._is_done and self._ends_with_connection() and exc is None:
            self._is_done = True
        elif self._transport.is_refused:
            self._fault = NeverSent("not on record")
        elif self._fault is None:
            was_at_once = asyncio.get_running_loop().time() - self._asked_at < STALE_WITHIN_S
            was_untouched = self._calls > 1 and not self._head_bytes and was_at_once
            is_lost = exc is not None or (self._head_bytes > 0 and not self._has_head)
            broken = ConnectionReset("reset") if is_lost else ConnectionBroken("closed before the end")
            self._fault = StaleConnection() if was_untouched else broken
        self._wake()

    def _ends_with_connection(self) -> bool:
        return not any(name in {b"content-length", b"transfer-encoding"} for name, _ in self.headers)

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._has_head:
            raise ConnectionBroken("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # else a trailer: nobody reads those
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._head_bytes > MAX_HEAD_BYTES and sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            raise ConnectionBroken("the head is too large")
        if len(self.headers) > MAX_HEAD_FIELDS:
            raise ConnectionBroken("too many header fields")
        self.status = self._parser.get_status_code()
        if 100 <= self.status < 200:
            self.headers = []  # an interim answer; the real one follows
            return
        self._has_head = True
        self._wake()

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._buffered += len(body)
        self._wake()

    def on_message_complete(self) -> None:
        if not self._has_head:
            return
        self._is_done = True
        self.is_reusable = self._parser.should_keep_alive()
        self._wake()
