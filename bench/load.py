"""The load: raw sockets, prebuilt requests, as many calls as the other side takes.

A process of its own: `python -m bench.load '{"kind": "calls", ...}'` prints one line of JSON.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import msgspec
import uvloop

from bench import processes
from bench.bodies import SIZES, http_request, request_body
from bench.upstream import STAMP

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_WARM_UP_S = 0.5
_BUSY_STARTS_PER_S = 100
_IDLE_STARTS_PER_S = 500
_START_TIMEOUT_S = 60.0


class Order(msgspec.Struct):
    """What to send where; `pid` is the process whose cost is read, 0 for none."""

    kind: str
    host: str
    port: int
    key: str
    pid: int
    model: str
    size: str
    connections: int
    seconds: float

    def request(self) -> bytes:
        body = request_body(self.model, SIZES[self.size], stream=self.kind != "calls")
        return http_request(f"{self.host}:{self.port}", self.key, body)


class LoadFailed(Exception):
    """The target did not answer as a working one does."""


@dataclass(slots=True)
class Tally:
    request: bytes
    streams: int = 0
    calls: int = 0
    started: int = 0
    is_counting: bool = False
    errors: list[str] = field(default_factory=list)
    waits_ns: list[int] = field(default_factory=list)
    delays_ns: list[int] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)  # every stream has begun, or one has failed

    def start(self, wait_ns: int) -> None:
        self.waits_ns.append(wait_ns)
        self.started += 1
        if self.started == self.streams:
            self.ready.set()

    def fail(self, reason: str) -> None:
        self.ready.set()
        if len(self.errors) < 5:
            self.errors.append(reason)


class Caller(asyncio.Protocol):
    """One keep-alive connection that asks again as soon as it is answered."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.fail("the connection was closed")

    def _ask(self) -> None:
        self._asked = time.perf_counter_ns()
        self._transport.write(self._tally.request)

    def data_received(self, data: bytes) -> None:
        data = self._held + data if self._held else data
        end = data.find(b"\r\n\r\n")
        found = _LENGTH.search(data, 0, end)
        is_whole = len(data) >= end + 4 + int(found[1]) if found else data.endswith(b"\r\n0\r\n\r\n")
        if end < 0 or not is_whole:
            self._held = data
            return
        self._held = b""
        tally = self._tally
        tally.calls += 1
        if tally.is_counting:
            tally.waits_ns.append(time.perf_counter_ns() - self._asked)
        if not data.startswith(b"HTTP/1.1 200"):
            tally.fail(data[: data.find(b"\r\n")].decode("latin-1"))
        self._ask()


class Listener(asyncio.Protocol):
    """One stream, read to see how late its stamped deltas come."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._is_started = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._asked = time.perf_counter_ns()
        cast(asyncio.Transport, transport).write(self._tally.request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.fail("a stream was closed")

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter_ns()
        for stamp in STAMP.findall(data):
            if not self._is_started:
                self._is_started = True
                self._tally.start(now - self._asked)
            if self._tally.is_counting:
                self._tally.calls += 1
                self._tally.delays_ns.append(now - int(stamp))
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200"):
            self._tally.fail(data[: data.find(b"\r\n")].decode("latin-1"))


def _share(values_ns: list[int], part: float) -> float:
    ordered = sorted(values_ns) or [0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] / 1e6


def _check(tally: Tally) -> None:
    if tally.errors:
        raise LoadFailed(tally.errors[0])


async def _connect(order: Order, tally: Tally, kind: type[Caller] | type[Listener], pause_s: float) -> list[asyncio.BaseTransport]:
    loop = asyncio.get_running_loop()
    opened: list[asyncio.BaseTransport] = []
    for _ in range(order.connections):
        transport, _protocol = await loop.create_connection(lambda: kind(tally), order.host, order.port)
        opened.append(transport)
        await asyncio.sleep(pause_s)
    return opened


async def _window(order: Order, tally: Tally) -> dict[str, float]:
    """Counts for the ordered time; CPU of the target in it."""
    calls, cpu, began = tally.calls, processes.cpu_s(order.pid) if order.pid else 0.0, time.perf_counter()
    tally.is_counting = True
    await asyncio.sleep(order.seconds)
    tally.is_counting = False
    spent = (processes.cpu_s(order.pid) if order.pid else 0.0) - cpu
    count = tally.calls - calls
    _check(tally)
    return {"per_s": count / (time.perf_counter() - began), "cpu_us": spent / max(1, count) * 1e6}


async def calls(order: Order) -> dict[str, float]:
    tally = Tally(order.request())
    opened = await _connect(order, tally, Caller, 0.0)
    await asyncio.sleep(_WARM_UP_S)
    tally.waits_ns.clear()
    result = await _window(order, tally)
    for transport in opened:
        transport.close()
    return {**result, "p50_ms": _share(tally.waits_ns, 0.5), "p99_ms": _share(tally.waits_ns, 0.99)}


async def _open_streams(order: Order, tally: Tally, per_s: int) -> list[asyncio.BaseTransport]:
    opened = await _connect(order, tally, Listener, 1 / per_s)
    async with asyncio.timeout(_START_TIMEOUT_S):
        await tally.ready.wait()
    _check(tally)
    return opened


async def streams(order: Order) -> dict[str, float]:
    tally = Tally(order.request(), streams=order.connections)
    opened = await _open_streams(order, tally, _BUSY_STARTS_PER_S)
    await asyncio.sleep(_WARM_UP_S)
    result = await _window(order, tally)
    for transport in opened:
        transport.close()
    first = {"first_p50_ms": _share(tally.waits_ns, 0.5), "first_p99_ms": _share(tally.waits_ns, 0.99)}
    return {**result, **first, "delay_p50_ms": _share(tally.delays_ns, 0.5), "delay_p99_ms": _share(tally.delays_ns, 0.99)}


async def idle(order: Order) -> dict[str, float]:
    """Memory that open, silent streams add to a target that has just been started."""
    before = processes.pss_mb(order.pid)
    tally = Tally(order.request(), streams=order.connections)
    opened = await _open_streams(order, tally, _IDLE_STARTS_PER_S)
    await asyncio.sleep(order.seconds)
    after = processes.pss_mb(order.pid)
    for transport in opened:
        transport.close()
    return {"before_mb": before, "added_mb": after - before}


def main() -> int:
    order = msgspec.json.decode(sys.argv[1], type=Order)
    kinds = {"calls": calls, "streams": streams, "idle": idle}
    try:
        print(json.dumps(uvloop.run(kinds[order.kind](order))))
    except (LoadFailed, OSError, TimeoutError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
