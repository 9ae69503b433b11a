"""Requests to providers: over a connection from the pool, or played in the process by the demo provider, behind one small interface.

URLs go out as they are (re-quoting breaks signatures); no redirects, no proxies from the environment, no cookies, no decoding.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from proxy.asgi import Fields, lines_of
from proxy.connection import Connection, ConnectionBroken, ConnectionReset, NeverSent, StaleConnection
from proxy.errors import AddressRefused, CallError, Lost, Reset, Stale, Unreachable, not_on_record
from proxy.pool import Origin, Pool, place
from routing.egress import EgressRefused
from routing.providers import demo
from routing.providers.base import UpstreamRequest
from routing.providers.demo import End, Script, Step


class Response(Protocol):
    """An answer whose head has come; header names are lower case.

    `read` gives the next bytes as they arrive, b"" at the end, and raises ProviderError.
    """

    status: int
    headers: Fields

    async def read(self) -> bytes: ...

    def close(self) -> None: ...


class Upstream:
    """Every connection that this process has to providers.

    `commit` puts on record what is not yet, and raises OSError where it cannot.
    """

    def __init__(self, commit: Callable[[], None], egress_allow: Sequence[str] = ()) -> None:
        self._commit = commit
        self._pool = Pool(egress_allow, commit=commit)

    async def send(self, request: UpstreamRequest, *, in_process: bool, is_recorded: bool, fresh: bool = False) -> Response:
        """Sends the request and waits for the answer's head; raises ProviderError, or NotOnRecord.

        `is_recorded`: not a byte leaves before the call is on record. `fresh`: not on a connection that was used before.
        """
        if in_process:
            if is_recorded:
                self._put_on_record()
            return await PlayedResponse.start(demo.answer(request.url, bytes(request.body)))
        deployment, provider = request.deployment, request.deployment.provider
        base, _, query = request.url.partition("?")
        try:
            target = place(base, is_trusted=deployment.is_operators or not deployment.base_url)
            head = _head(request, target.path + b"?" + query.encode("latin-1") if query else target.path, target.host_field)
        except ValueError as error:
            raise unreachable(provider) from error
        connection = None if fresh else self._pool.take(target.origin)
        if connection is None:
            connection = await self._connect(target.origin, request)
        connection.send(head, request.body, is_recorded=is_recorded)
        request.body = b""  # not to hold a call's body twice for as long as its provider thinks; another try makes its own request
        try:
            await connection.answered()
        except ConnectionBroken as error:
            raise of_broken(error, provider) from error
        except asyncio.CancelledError:
            connection.close()
            raise
        return HttpResponse(connection, self._pool, target.origin, provider)

    def _put_on_record(self) -> None:
        try:
            self._commit()
        except OSError as error:
            raise not_on_record() from error

    async def _connect(self, origin: Origin, request: UpstreamRequest) -> Connection:
        try:
            return await self._pool.connect(origin, request.deployment.connect_timeout_s)
        except EgressRefused as error:
            raise AddressRefused(unreachable(request.deployment.provider), str(error)) from error
        except (OSError, TimeoutError, ValueError) as error:
            raise unreachable(request.deployment.provider) from error

    def close(self) -> None:
        self._pool.close()


def _head(request: UpstreamRequest, target: bytes, host: bytes) -> bytes:
    """A line end inside a value would start a header of its own, so it is refused."""
    lines = lines_of([(b"host", host), *request.headers])
    if lines is None or target.split() != [target]:
        raise ValueError("a header holds a line end")
    return b"%b %b HTTP/1.1\r\n%b\r\ncontent-length: %d\r\n\r\n" % (request.method.encode(), target, lines, len(request.body))


# What the transport said is not told: it may name internal hosts.


def unreachable(provider: str) -> Unreachable:
    text = f"{provider} could not be reached. Provider's side. Try again; the administrator sees the details."
    return Unreachable(502, "provider_unreachable", text)


def of_broken(error: ConnectionBroken, provider: str) -> CallError:
    if isinstance(error, NeverSent):
        return not_on_record()
    kind = Stale if isinstance(error, StaleConnection) else Reset if isinstance(error, ConnectionReset) else Lost
    return kind(502, "provider_connection_lost", f"The connection to {provider} broke. Provider's side. Try again.")


class HttpResponse:
    __slots__ = ("_connection", "_origin", "_pool", "_provider", "headers", "status")

    def __init__(self, connection: Connection, pool: Pool, origin: Origin, provider: str) -> None:
        self.status = connection.status
        self.headers = connection.headers
        self._connection: Connection | None = connection
        self._pool = pool
        self._origin = origin
        self._provider = provider

    async def read(self) -> bytes:
        if self._connection is None:
            return b""
        try:
            return await self._connection.read()
        except ConnectionBroken as error:
            raise of_broken(error, self._provider) from error

    def close(self) -> None:
        """Gives the connection back when the answer was read to its end, else closes it."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.finish():
            self._pool.give_back(self._origin, connection)


class PlayedResponse:
    """A demo script played in time."""

    __slots__ = ("_steps", "headers", "status")

    def __init__(self, script: Script, steps: Iterator[Step]) -> None:
        self.status = script.status
        self.headers: Fields = [(name.lower().encode(), value.encode()) for name, value in script.headers]
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
