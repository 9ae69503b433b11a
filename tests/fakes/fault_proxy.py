"""A proxy that does harm: it stands between the gateway and a provider on this machine, and breaks connections and answers as told.

Faults come from a script, one per request, then from a `Flap`, which strikes at random by a seed; without either it only passes on.
"""

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httptools

from tests.fakes.script import refusal

PIECE_BYTES = 16 * 1024
# Nothing here outlasts its test by more than this, whatever happens.
LONGEST_STALL_S = 60.0
STOP_TIMEOUT_S = 20.0
HEAD_END = b"\r\n\r\n"
RESET = struct.pack("ii", 1, 0)
_length = re.compile(rb"(content-length: *)([0-9]+)", re.IGNORECASE)
_coding = re.compile(rb"content-encoding: *[^\r]*\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is done to one request. `act` strikes at `place`, once `after` bytes of the answer's head or body have passed.

    accept: nothing is read from the connection; request: the request is swallowed, so that the provider never hears of it.
    stall: silence from there on, both ends stay open. `coding` and `length` are lies of the head; a length is wrong by so much.
    `status`: the provider's refusal, which it never hears of itself.
    """

    act: Literal["reset", "eof", "stall"] | None = None
    place: Literal["accept", "request", "head", "body"] = "head"
    after: int = 0
    coding: str = ""
    length: int = 0
    status: int = 0


NONE = Fault()


@dataclass(frozen=True, slots=True)
class Flap:
    """Strikes `share` of all requests with one of `faults`, `most` times altogether. One seed, one story."""

    faults: Sequence[Fault]
    share: float
    seed: int
    most: int = 1_000_000


class Over(Exception):
    """This connection has come to its end."""


class FaultProxy:
    """`idle_s` closes kept connections on which nothing is asked for so long. `struck` holds what was done, in order."""

    def __init__(self, upstream: str, idle_s: float | None = None) -> None:
        address = urlsplit(upstream)
        self.upstream = (str(address.hostname), int(address.port or 0))
        self.idle_s = idle_s
        self.port = 0
        self.connections = 0
        self.requests = 0
        self.struck: list[Fault] = []
        self._script: deque[Fault] = deque()
        self._flap = Flap((), 0, 0)
        self._chance = random.Random(0)  # noqa: S311  # chance that can be repeated
        self._visits: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop

    # ── for tests, from their own thread
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._visits)

    def script(self, *faults: Fault) -> None:
        """The next requests meet these, in order."""
        self._script.extend(faults)

    def flap(self, flap: Flap) -> None:
        self._flap = flap
        self._chance = random.Random(flap.seed)  # noqa: S311  # as above

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """As if the provider's machine were up and nobody listened: kept connections are reset, new ones refused."""
        self.run(self._stop())
        try:
            yield
        finally:
            self.run(self._listen())

    @contextlib.contextmanager
    def shut(self) -> Iterator[None]:
        """New connections are refused; each that is kept ends with its next answer, so that no answer is cut."""
        self.run(self._shut())
        try:
            yield
        finally:
            self.run(self._listen())

    def run(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(STOP_TIMEOUT_S)

    @contextlib.contextmanager
    def running(self) -> Iterator["FaultProxy"]:
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._loop.run_forever, name="fault_proxy", daemon=True)
        thread.start()
        try:
            self.run(self._listen())
            yield self
        finally:
            self.run(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(STOP_TIMEOUT_S)
            self._loop.close()

    # ── on the proxy's loop
    async def _listen(self) -> None:
        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(Watched(), self._take)

        self._server = await self._loop.create_server(protocol, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _stop(self) -> None:
        await self._shut()
        await asyncio.sleep(0)  # a task that is cancelled before its first step would close nothing
        visits = list(self._visits)
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)

    @property
    def listens(self) -> bool:
        return self._server is not None and self._server.is_serving()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, Watched)
        self.connections += 1
        task = self._loop.create_task(Visit(self, reader, writer).run())
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    def at_the_door(self) -> Fault:
        """A fault that is meant for the connection itself."""
        return self.next_fault() if self._script and self._script[0].place == "accept" else NONE

    def next_fault(self) -> Fault:
        flap, fault = self._flap, NONE
        if self._script:
            fault = self._script.popleft()
        elif len(self.struck) < flap.most and self._chance.random() < flap.share:
            fault = self._chance.choice(flap.faults)
        if fault != NONE:
            self.struck.append(fault)
        return fault


class Watched(asyncio.StreamReader):
    """Knows at once that the other end is gone, also while nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: BaseException) -> None:
        super().set_exception(exc)  # type: ignore[arg-type]  # wider than the stubs say
        self.gone.set()


class Answer:
    """Where the provider's answer ends."""

    def __init__(self) -> None:
        self.is_done = self.keeps_open = False
        self.parser = httptools.HttpResponseParser(self)

    def on_message_complete(self) -> None:
        self.is_done = True
        self.keeps_open = self.parser.should_keep_alive()


class Visit:
    """One connection of the gateway's, with the one to the provider behind it."""

    def __init__(self, proxy: FaultProxy, reader: Watched, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self) -> None:
        try:
            await self._maybe_strike(self._proxy.at_the_door())
            while True:
                await self._serve_one()
        except asyncio.CancelledError:
            self._reset()
        except (Over, OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the way in which all of them end
        finally:
            await self._leave()

    async def _leave(self) -> None:
        writers = [self._writer, *([self._upstream[1]] if self._upstream is not None else [])]
        for writer in writers:
            writer.close()
        for writer in writers:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve_one(self) -> None:
        async with asyncio.timeout(self._proxy.idle_s):
            head = await self._reader.readuntil(HEAD_END)
        length = _length.search(head)
        request = head + await self._reader.readexactly(int(length[2]) if length is not None else 0)
        self._proxy.requests += 1
        is_last = not self._proxy.listens
        fault = self._proxy.next_fault()
        await self._maybe_strike(fault if fault.place in {"accept", "request"} else NONE)
        if fault.status:
            self._writer.write(_refused(fault.status))
        else:
            await self._pass_through(request, fault)
        if is_last:
            raise Over

    async def _pass_through(self, request: bytes, fault: Fault) -> None:
        if self._upstream is None:
            self._upstream = await asyncio.open_connection(*self._proxy.upstream)
        self._upstream[1].write(request)
        await self._while_there(self._relay(self._upstream[0], fault))

    async def _while_there(self, relay: Coroutine[Any, Any, None]) -> None:
        """The provider sees the gateway leave, as if nothing stood between them."""
        passing, gone = asyncio.ensure_future(relay), asyncio.ensure_future(self._reader.gone.wait())
        try:
            await asyncio.wait({passing, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not passing.done():
                raise Over
            await passing
        finally:
            passing.cancel()
            gone.cancel()

    async def _relay(self, source: asyncio.StreamReader, fault: Fault) -> None:
        answer = Answer()
        head = await source.readuntil(HEAD_END)
        answer.parser.feed_data(head)
        await self._pass(_lying(head, fault), fault, "head", 0)
        passed = 0
        while not answer.is_done:
            piece = await source.read(PIECE_BYTES)
            if not piece:
                raise Over
            answer.parser.feed_data(piece)
            await self._pass(piece, fault, "body", passed)
            passed += len(piece)
        if fault.length or not answer.keeps_open:
            raise Over

    async def _pass(self, data: bytes, fault: Fault, place: str, passed: int) -> None:
        """What comes before the fault arrives; the fault strikes in the middle of `data`, or lies elsewhere."""
        strikes = fault.act is not None and fault.place == place and fault.after < passed + len(data)
        self._writer.write(data[: fault.after - passed] if strikes else data)
        await self._writer.drain()
        if strikes:
            await self._maybe_strike(fault)

    async def _maybe_strike(self, fault: Fault) -> None:
        if fault.act is None:
            return
        if fault.act == "stall":
            async with asyncio.timeout(LONGEST_STALL_S):
                await self._reader.gone.wait()
        elif fault.act == "reset":
            self._reset()
        raise Over

    def _reset(self) -> None:
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._writer.transport.abort()


def _refused(status: int) -> bytes:
    body = refusal(status).body or b""
    head = f"HTTP/1.1 {status} Refused\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _lying(head: bytes, fault: Fault) -> bytes:
    if fault.length:
        head = _length.sub(lambda found: found[1] + b"%d" % (int(found[2]) + fault.length), head)
    if fault.coding:
        head = _coding.sub(b"", head).removesuffix(b"\r\n") + b"content-encoding: " + fault.coding.encode() + HEAD_END
    return head


@contextlib.contextmanager
def fault_proxy(upstream: str, *, idle_s: float | None = None) -> Iterator[FaultProxy]:
    """A proxy in front of the provider at `upstream`, in a thread of its own."""
    with FaultProxy(upstream, idle_s).running() as proxy:
        yield proxy
