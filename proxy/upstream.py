"""The one HTTP client of the hot path. aiohttp behind a small interface; the demo provider behind the same one, without a socket.

perf.md's settings: no total time limit (it would cut long streams), no connection limit (the 101st stream would hang), URLs as they are
(re-quoting breaks signatures), no redirects, no proxies from the environment, no cookies, no decoding.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Protocol, cast

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from yarl import URL

from proxy.errors import UPSTREAM_ERRORS, Lost, of_upstream
from routing.providers import demo
from routing.providers.base import UpstreamRequest
from routing.providers.demo import End, Script, Step

KEEP_ALIVE_S = 15
MAX_PORT = 65535


class Response(Protocol):
    """An answer whose head has come. `read` gives the next bytes as they arrive, b"" at the end, and raises ProviderError."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes: ...

    def close(self) -> None: ...


class Upstream:
    """Every connection that this process has to providers."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S, enable_cleanup_closed=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
            request_class=PlainRequest,
        )
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    async def send(self, request: UpstreamRequest, *, in_process: bool) -> Response:
        """Sends the request and waits for the answer's head; raises ProviderError."""
        if in_process:
            return await PlayedResponse.start(demo.answer(request.url, request.body))
        connect_s = request.deployment.connect_timeout_s
        timeout = self._timeouts.get(connect_s)
        if timeout is None:
            timeout = self._timeouts[connect_s] = aiohttp.ClientTimeout(total=None, sock_connect=connect_s)
        try:
            url = address(request.url)
        except ValueError as error:
            raise of_upstream(aiohttp.InvalidURL(request.url), request.deployment.provider) from error
        try:
            response = await self._session.request(
                request.method,
                url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                timeout=timeout,
            )
        except UPSTREAM_ERRORS as error:
            raise of_upstream(error, request.deployment.provider) from error
        return HttpResponse(response, request.deployment.provider)

    async def close(self) -> None:
        await self._session.close()


class PlainRequest(aiohttp.ClientRequest):
    """A request whose headers are exactly ours and whose body is whole: written at once, without a writer, a payload object and a task.

    aiohttp's own way costs a quarter of a small call. What is left out (cookies, encodings, chunks, 100-continue) this client never uses.
    """

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        pass

    def update_cookies(self, cookies: object) -> None:
        pass

    def update_content_encoding(self, data: object) -> None:
        pass

    def update_transfer_encoding(self) -> None:
        pass

    def update_expect_continue(self, expect: bool = False) -> None:
        pass

    def update_body_from_data(self, body: bytes, _stacklevel: int = 3) -> None:
        self.plain_body = body
        self.headers["Content-Length"] = str(len(body))

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        protocol = conn.protocol
        transport = protocol.transport if protocol is not None else None
        if protocol is None or transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError("the connection is closing")
        transport.writelines((self._head(), self.plain_body))
        protocol.start_timeout()
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=[],
            loop=self.loop,
            session=self._session,
            stream_writer=NO_WRITER,
        )

    def _head(self) -> bytes:
        """A line end inside a value would start a header of its own, so it is refused."""
        lines = [f"{self.method} {self.url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items()), "", ""]
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
            raise aiohttp.ClientError("a header holds a line end")
        return head.encode("utf-8", "surrogateescape")


# A response asks its request's writer how much was written, and nothing else.
NO_WRITER = cast(AbstractStreamWriter, SimpleNamespace(output_size=0))


@lru_cache(maxsize=4096)
def address(url: str) -> URL:
    """The URL as it stands, or ValueError; parsing one costs more than the rest of building a request."""
    parsed = URL(url, encoded=True)
    if (parsed.port or 0) > MAX_PORT:
        raise ValueError("port out of range")
    return parsed


class HttpResponse:
    __slots__ = ("_provider", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, provider: str) -> None:
        self._response = response
        self._provider = provider
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except UPSTREAM_ERRORS as error:
            raise of_upstream(error, self._provider) from error

    def close(self) -> None:
        """Gives the connection back when the answer was read to its end, else closes it."""
        self._response.close()


class PlayedResponse:
    """A demo script played in time."""

    __slots__ = ("_steps", "headers", "status")

    def __init__(self, script: Script, steps: Iterator[Step]) -> None:
        self.status = script.status
        self.headers: Mapping[str, str] = dict(script.headers)
        self._steps = steps

    @classmethod
    async def start(cls, script: Script) -> "PlayedResponse":
        if not script.status:
            await asyncio.get_running_loop().create_future()
        return cls(script, iter(script.steps))

    async def read(self) -> bytes:
        step = next(self._steps)
        if step.delay_s:
            await asyncio.sleep(step.delay_s)
        if step.end is End.CUT:
            raise Lost(502, "provider_connection_lost", "The connection to demo broke. Provider's side. Try again.")
        if step.end is End.STALL:
            await asyncio.get_running_loop().create_future()
        return step.data or b""

    def close(self) -> None:
        self._steps = iter(())
