"""Runs any ASGI application on a real socket, in a thread of the test or as a process of its own.

The protocol lends the application its transport, because ASGI has no word for breaking a connection.
"""

import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_TRANSPORT = "tests.transport"
_STOP_TIMEOUT_S = 20


class LendingProtocol(HttpToolsProtocol):
    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast(Scope, self.scope)["extensions"] = {_TRANSPORT: self.transport}


def break_connection(scope: Scope, *, reset: bool) -> None:
    """RST with `reset`, else what was written, then FIN."""
    transport = scope["extensions"][_TRANSPORT]
    if not reset:
        transport.close()
        return
    linger_off = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
    transport.abort()


class _ReadyServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn leaves by SystemExit when the application refuses to start; the starter asks `started`.
        try:
            with suppress(SystemExit):
                super().run(sockets=sockets)
        finally:
            self.ready.set()


def make_config(app: App, **options: Any) -> uvicorn.Config:
    settings: dict[str, Any] = {
        "http": LendingProtocol,
        "ws": "none",
        "proxy_headers": False,
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "timeout_graceful_shutdown": 1,
    }
    return uvicorn.Config(cast(Any, app), **{**settings, **options})


@contextmanager
def serve_in_thread(app: App, **options: Any) -> Iterator[str]:
    """The base URL of `app` on a free port; `options` are uvicorn's."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = _ReadyServer(make_config(app, **options))
    thread = threading.Thread(target=server.run, args=([listener],), name="serve_in_thread", daemon=True)
    thread.start()
    try:
        server.ready.wait()
        if not server.started:
            raise RuntimeError("the application did not start")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_STOP_TIMEOUT_S)
        listener.close()
