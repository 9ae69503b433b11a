"""The HTTP server: uvicorn with bounds on everything that arrives before a call exists, and a graceful end.

Stock uvicorn waits for ever for a request head, takes heads of any size, adds trailers to the header fields of a running
request, forgets a pipelined request when its client leaves, and stops listening before anybody can know that it will.
"""

import asyncio
import logging
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from proxy.asgi import App, Fields, lines_of
from proxy.client import WATCH
from proxy.cork import Cork, CorkedTransport
from proxy.guard import BAD_METHOD, BadRequest

FIELD_OVERHEAD = len(b": \r\n")
LINGER_S = 2.0
SWITCH_INTERVAL_S = 0.001
LOOK_AGAIN_S = 0.05
# Pages only listen on their sockets.
SOCKET_BYTES = 1024
# For calls that are broken off: to say so, and to settle.
LAST_WORDS_S = 2.0
# Where in the lifespan's state the application leaves what shall be called when a stop is asked for.
ON_STOP_ASKED = "tallygate.on_stop_asked"
CLOSE = (b"connection", b"close")

log = logging.getLogger("tallygate.serve")

NOT_HTTP = BadRequest(400, "The request is not valid HTTP/1.1. Your side. A client or proxy on the way sends it broken.")
BAD_TARGET = BadRequest(
    400, "The request target is not a path. Your side. Send no absolute address, asterisk or fragment; a forward proxy is not offered."
)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How much of a request, and how long, we take in before the application sees it; how long a stop may take."""

    head_timeout_s: float = 10.0
    head_bytes: int = 64 * 1024
    head_fields: int = 100
    url_bytes: int = 8 * 1024
    keep_alive_s: int = 75
    grace_s: float = 0.0
    drain_s: float = 600.0


class RefusedHead(Exception):
    """Stops the parser inside a callback; what to answer stands in the protocol's `refusal`."""


class _Trailers(list[tuple[bytes, bytes]]):
    """Takes the fields that follow a chunked body and keeps none: nobody checked them, so nobody shall read them."""

    def append(self, field: tuple[bytes, bytes]) -> None:
        pass


TRAILERS = _Trailers()


class GatewayConfig(uvicorn.Config):
    """uvicorn's settings and ours, so that the protocol finds both in one place."""

    limits: ServerLimits
    cork: Cork


class GatewayProtocol(HttpToolsProtocol):
    """One connection. Per request it costs four short callbacks; per header field nothing."""

    def __init__(
        self, config: GatewayConfig, server_state: ServerState, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = config.limits
        self.cork = config.cork
        self.head_timer: asyncio.TimerHandle | None = None
        self.unparsed_bytes = 0  # since the last head or piece of body was complete
        self.refusal: BadRequest | None = None
        self.is_over = False
        self.is_websocket = False
        self.running: RequestResponseCycle | None = None
        self.on_left: Callable[[], None] | None = None
        self.extensions: dict[str, object] = {WATCH: self}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(cast(asyncio.Transport, CorkedTransport(transport, self.cork)))
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)
        self._tell_client_left()

    def data_received(self, data: bytes) -> None:
        if self.is_over:
            return
        self.unparsed_bytes += len(data)
        super().data_received(data)
        if self.is_over:
            return
        call = self.cycle
        if call is not None and len(call.body) > HIGH_WATER_LIMIT and call.more_body and not call.response_complete:
            self.flow.pause_reading()  # uvicorn does it for a whole body too, where it is two calls into the kernel for nothing
        if self.unparsed_bytes > self.limits.head_bytes:
            self._refuse(self._too_large())
        elif self.head_timer is None and self._call_under_way() is None:
            # Part of a next head, or the rest of a body whose call is answered: uvicorn would now wait for ever.
            self._start_head_timer()

    def handle_websocket_upgrade(self) -> None:
        self.is_over = True
        super().handle_websocket_upgrade()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.url_bytes:
            self._stop_parsing(BadRequest(414, f"The URL is longer than {self.limits.url_bytes} bytes. Your side. Send less."))

    def on_headers_complete(self) -> None:
        self._stop_head_timer()
        cast(dict[str, object], self.scope)["extensions"] = self.extensions
        self._check_head()
        self.unparsed_bytes = 0
        # Decided here once: uvicorn asks again after the body, when trailers could have changed the answer.
        self.is_websocket = self.parser.should_upgrade() and super()._should_upgrade()
        super().on_headers_complete()
        self.headers = TRAILERS

    def on_body(self, body: bytes) -> None:
        self.unparsed_bytes = 0
        call = self.cycle
        if self.is_websocket or call.response_complete:
            return
        # uvicorn copies each piece into a bytearray, and that once more for the application. A single piece is passed on as it came.
        if not call.body:
            call.body = body  # type: ignore[assignment]  # only read and measured, until a second piece comes
        else:
            if isinstance(call.body, bytes):
                call.body = bytearray(call.body)
            call.body += body  # in place: a body of single bytes must not be copied for each of them
        call.message_event.set()

    def abort(self) -> None:
        """Drops the connection and what is still to be written; for a caller that stopped reading."""
        self.transport.abort()

    def answer(self, status: int, headers: Fields, body: bytes) -> bool:
        """A whole answer in one write: half the cost of uvicorn's two, which look at every field twice."""
        call = self._call_under_way()
        if call is None or call.response_started or call.disconnected or not call.keep_alive or self.flow.write_paused:
            return False
        lines = lines_of(self.server_state.default_headers + headers)
        if lines is None or call.scope["method"] == "HEAD" or b"connection" in [name for name, _ in headers]:
            return False
        call.response_started = call.response_complete = True
        call.waiting_for_100_continue = False
        self.transport.write(b"".join([STATUS_LINE[status], lines, b"\r\n\r\n", body]))
        call.message_event.set()
        call.on_response()
        return True

    def send_400_response(self, msg: str) -> None:
        self._refuse(self.refusal or NOT_HTTP)

    def _should_upgrade(self) -> bool:
        return self.is_websocket

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self.running = cycle
        self.on_left = None
        super()._start_asgi_task(cycle, app)

    def _check_head(self) -> None:
        if self.url[:1] != b"/" or b"#" in self.url:
            self._stop_parsing(BAD_METHOD if self.parser.get_method() == b"CONNECT" else BAD_TARGET)
        if len(self.headers) > self.limits.head_fields:
            self._stop_parsing(BadRequest(431, f"The request has more than {self.limits.head_fields} header fields. Your side. Send less."))
        # unparsed_bytes also counts a body that came with the head, so it only says when to look closer.
        if self.unparsed_bytes > self.limits.head_bytes and self._head_size() > self.limits.head_bytes:
            self._stop_parsing(self._too_large())

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + FIELD_OVERHEAD for name, value in self.headers)

    def _too_large(self) -> BadRequest:
        return BadRequest(431, f"The header fields are larger than {self.limits.head_bytes} bytes. Your side. Send less.")

    def _stop_parsing(self, refusal: BadRequest) -> None:
        self.refusal = refusal
        raise RefusedHead

    def _refuse(self, refusal: BadRequest) -> None:
        """Ends the connection, with an answer unless it would land in the middle of another one."""
        if self.is_over:
            return
        self.is_over = True
        call = self._call_under_way()
        if self.pipeline or (call is not None and call.response_started):
            self.transport.close()
            return
        self._tell_client_left()
        fields, body = refusal.render()
        self.transport.write(_response(refusal.status, self.server_state.default_headers + fields, body))
        self._linger()

    def _linger(self) -> None:
        """Closing at once, with input unread, resets the connection and the client may never see the answer."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._stop_head_timer()
        self.head_timer = self.loop.call_later(LINGER_S, self.transport.close)

    def _call_under_way(self) -> RequestResponseCycle | None:
        return None if self.running is None or self.running.response_complete else self.running

    def _tell_client_left(self) -> None:
        call = self._call_under_way()
        if call is not None:
            call.disconnected = True
            call.message_event.set()
            if self.on_left is not None:
                self.on_left()

    def _start_head_timer(self) -> None:
        self.head_timer = self.loop.call_later(self.limits.head_timeout_s, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None


def _response(status: int, fields: Fields, body: bytes) -> bytes:
    return b"".join([STATUS_LINE[status], *(b"%b: %b\r\n" % field for field in fields), b"\r\n", body])


class GatewayServer(uvicorn.Server):
    """Ends in steps: readiness says no while calls are still taken (grace), nobody new comes in while calls under way go on (drain),
    what is left then is broken off in words. Told twice, it skips the waiting. Leaves with code 0: who asked got what was asked for.
    """

    config: GatewayConfig
    is_hurried = False
    # A supervisor says when to hurry. A signal sent to all processes at once reaches a worker from two sides.
    is_led = False

    def stop(self) -> None:
        """Safe in a signal handler and from any thread, and more than once."""
        self.should_exit = True
        if self.started:
            self._tell()

    def hurry(self) -> None:
        self.is_hurried = True
        self.stop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would note the signal and die of it after the drain
        if self.should_exit and not self.is_led:
            self.hurry()
        else:
            self.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        limits = self.config.limits
        self._tell()
        # callers in the habit of keeping their connection come back by a new one, which a balancer leads elsewhere
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        await self._wait(lambda: self.is_hurried, limits.grace_s)
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
            if not isinstance(connection, GatewayProtocol):  # a page's socket; one whose reader takes nothing would hold up the end
                asyncio.get_running_loop().call_later(LAST_WORDS_S, connection.transport.abort)
        await self._wait(lambda: self.is_hurried or self._is_idle(), limits.drain_s)
        await self._break_off()
        await self.lifespan.shutdown()

    async def _break_off(self) -> None:
        tasks = list(self.server_state.tasks)
        if tasks:
            log.warning("calls that did not end within the drain are broken off", extra={"fields": {"calls": len(tasks)}})
            for task in tasks:
                task.cancel()
        await self._wait(self._is_idle, LAST_WORDS_S)

    def _is_idle(self) -> bool:
        return not self.server_state.connections and not self.server_state.tasks

    def _tell(self) -> None:
        told = self.lifespan.state.get(ON_STOP_ASKED)
        if told is not None:
            told()

    async def _wait(self, is_over: Callable[[], bool], limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not is_over() and time.monotonic() < deadline:  # noqa: ASYNC110 - the sets looked at tell nobody that they changed
            await asyncio.sleep(LOOK_AGAIN_S)


def build_server(
    app: App, *, host: str, port: int, tls_cert: Path | None = None, tls_key: Path | None = None, limits: ServerLimits
) -> GatewayServer:
    """A server ready to `run()`, on the sockets that `run` is given."""
    config = GatewayConfig(
        app,
        host=host,
        port=port,
        interface="asgi3",
        loop="uvloop",
        http=GatewayProtocol,
        lifespan="on",
        workers=1,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.keep_alive_s,
        ws_max_size=SOCKET_BYTES,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
    )
    config.limits = limits
    config.cork = Cork()
    return GatewayServer(config)
