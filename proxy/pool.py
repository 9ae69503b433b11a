"""Open connections to providers, kept for the next call to the same place. A name is looked up once per connection: the addresses that
were checked are those that are connected to.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import quote, urlsplit

import aiohappyeyeballs

from proxy.connection import Connection
from proxy.cork import Cork, all_is_on_record
from routing.egress import checked_address

# Below the four seconds after which the most impatient servers hang up would cost a handshake a call; above it lies the one safe retry.
IDLE_S = 15.0
MAX_AGE_S = 600.0
SWEEP_S = 5.0
NAMES_S = 10.0
SECOND_FAMILY_AFTER_S = 0.25
DEFAULT_PORTS = {"http": 80, "https": 443}
# A machine that is gone without a word is found out within a minute, whether we wait for it or write to it. Each where the platform has it.
GONE_AFTER_S = 60
TCP_OPTIONS = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": GONE_AFTER_S * 1000}

LookUp = Callable[[str, int], Awaitable[Sequence[aiohappyeyeballs.AddrInfoType]]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where to connect. `is_trusted`: the address was not typed in a page, so it may lie in a private network; what was typed never takes
    over a connection that was opened on that ground.
    """

    host: str
    port: int
    is_tls: bool
    is_trusted: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """An address without its query, taken apart: `host_field` and `path` as they are written into a request."""

    origin: Origin
    host_field: bytes
    path: bytes


def _watch_over(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in TCP_OPTIONS.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


async def _by_the_system(host: str, port: int) -> Sequence[aiohappyeyeballs.AddrInfoType]:
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


@lru_cache(maxsize=4096)
def place(url: str, *, is_trusted: bool = False) -> Place:
    """Takes apart `https://host:port/path`; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("not an address of http or https")
    host = parts.hostname.encode("idna").decode() if not parts.hostname.isascii() else parts.hostname
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    named = f"[{host}]" if ":" in host else host
    field = named if port == DEFAULT_PORTS[parts.scheme] else f"{named}:{port}"
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    return Place(Origin(host, port, parts.scheme == "https", is_trusted), field.encode(), path.encode())


class Pool:
    """Connections by origin, the last used first out, so that a quiet time shrinks the pool. `allowed` are private ranges that are open."""

    def __init__(self, allowed: Sequence[str] = (), look_up: LookUp | None = None, commit: Callable[[], None] = all_is_on_record) -> None:
        self._allowed = allowed
        self._look_up = look_up or _by_the_system
        self._idle: dict[Origin, list[Connection]] = {}
        self._names: dict[Origin, tuple[float, Sequence[aiohappyeyeballs.AddrInfoType]]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._cork = Cork(commit)

    def take(self, origin: Origin) -> Connection | None:
        """An open connection that nobody uses."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_reusable:
                return connection
        return None

    def give_back(self, origin: Origin, connection: Connection) -> None:
        now = asyncio.get_running_loop().time()
        if now - connection.opened_at > MAX_AGE_S:
            connection.close()
            return
        connection.idle_since = now
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    async def connect(self, origin: Origin, timeout_s: float) -> Connection:
        """A fresh connection; raises EgressRefused, OSError, TimeoutError, or UnicodeError for a name that cannot be looked up."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_s):
            addresses = await self._addresses(origin)
            checked_address([str(entry[4][0]) for entry in addresses], self._allowed, is_operators=origin.is_trusted)
            sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=SECOND_FAMILY_AFTER_S, interleave=1)
            _watch_over(sock)
            context = self._context() if origin.is_tls else None
            name = origin.host if origin.is_tls else None
            _, connection = await loop.create_connection(partial(Connection, self._cork), sock=sock, ssl=context, server_hostname=name)
            return connection

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    async def _addresses(self, origin: Origin) -> Sequence[aiohappyeyeballs.AddrInfoType]:
        loop = asyncio.get_running_loop()
        known = self._names.get(origin)
        if known is not None and known[0] > loop.time():
            return known[1]
        found = await self._look_up(origin.host, origin.port)
        self._names[origin] = (loop.time() + NAMES_S, found)
        return found

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _sweep(self) -> None:
        """Closes what has been idle for too long."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE_S
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.idle_since < oldest:
                    connection.close()
            kept = [connection for connection in idle if connection.is_reusable]
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        self._sweeper = loop.call_later(SWEEP_S, self._sweep) if self._idle else None
