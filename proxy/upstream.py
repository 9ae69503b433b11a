"""The one HTTP client of the hot path. aiohttp behind a small interface; the demo provider behind the same one, without a socket.

perf.md's settings: no total time limit (it would cut long streams), no connection limit (the 101st stream would hang), URLs as they are
(re-quoting breaks signatures), no redirects, no proxies from the environment, no cookies, no decoding.
"""

import asyncio
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Protocol

import aiohttp
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
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
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
