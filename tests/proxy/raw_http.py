"""A real server in a thread and bare sockets to it: for requests that no client library would send."""

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway_project.server import ServerLimits, build_server
from proxy.asgi import App, Receive, Scope, Send

PATIENCE_S = 20.0


async def body_of(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(send: Send, text: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


async def lifespan(receive: Receive, send: Send) -> None:
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


async def echo(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    message = await receive()
    await send({"type": "websocket.send", "text": message.get("text", "")})


class Recorder:
    """Answers every call with its path and remembers what reached it; /unread is answered without reading the body."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "websocket":
            self.seen.append(dict(scope))
            await echo(receive, send)
        else:
            body = b"" if scope["path"] == "/unread" else await body_of(receive)
            self.seen.append({**scope, "headers": list(scope["headers"]), "body": body})
            await answer(send, scope["path"].encode())


class Deaf:
    """Reads nothing of a call until it is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        while not self.over.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.01)


class Chatty:
    """Starts an answer, then sends back each piece of the request's body (without end on /endless); notes when the client left."""

    def __init__(self) -> None:
        self.left = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        talk = self.talk_on if scope["path"] == "/endless" else self.talk_back
        await talk(receive, send)

    async def talk_back(self, receive: Receive, send: Send) -> None:
        message = await receive()
        while message.get("more_body"):
            await send({"type": "http.response.body", "body": message["body"], "more_body": True})
            message = await receive()
        await send({"type": "http.response.body", "body": b"end"})
        if message["type"] == "http.disconnect":
            self.left.set()

    async def talk_on(self, receive: Receive, send: Send) -> None:
        await receive()
        leaving = asyncio.ensure_future(receive())
        while not leaving.done():
            await send({"type": "http.response.body", "body": b"more", "more_body": True})
            await asyncio.sleep(0.001)
        self.left.set()


@contextlib.contextmanager
def serving(app: App, limits: ServerLimits | None = None, tls: tuple[Path, Path] | None = None) -> Iterator[int]:
    """The port of a running server; the listening socket is open before the thread starts, so nobody has to wait."""
    interval = sys.getswitchinterval()
    cert, key = tls or (None, None)
    server = build_server(app, host="127.0.0.1", port=0, tls_cert=cert, tls_key=key, limits=limits or ServerLimits(drain_s=5))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
            sys.setswitchinterval(interval)


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def read_to_end(client: socket.socket) -> bytes:
    """Everything until the server closes; a server that keeps the connection open fails the test by timeout."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def exchange(port: int, raw: bytes) -> bytes:
    with dial(port) as client:
        client.sendall(raw)
        return read_to_end(client)


def is_cut_while_dribbling(client: socket.socket, piece: bytes, times: int = 400) -> bool:
    """Sends a piece every 20 ms, as a slow-loris does, until the server closes or `times` is reached."""
    client.settimeout(0.02)
    for _ in range(times):
        with contextlib.suppress(TimeoutError):
            return not client.recv(1)
        with contextlib.suppress(ConnectionError):
            client.sendall(piece)
    return False


def get(path: str = "/", *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: gw", "Connection: close", *fields, "", ""]).encode("latin-1")


def websocket_upgrade(path: str) -> bytes:
    fields = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    return get(path, *fields).replace(b"Connection: close", b"Connection: upgrade")


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])
