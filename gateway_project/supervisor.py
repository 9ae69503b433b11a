"""`serve --workers N`: a process that listens, starts N workers on its socket, starts one anew when it dies, and passes on a stop.

All workers accept from one inherited socket rather than each from its own (SO_REUSEPORT): what waits in its queue when a worker dies is
taken by the next one instead of being reset, and a busy worker accepts less. A worker is this process's own command line again, in a
fresh interpreter. A line, a pair of sockets, joins the two: a byte from the worker says that it answers calls, a byte to it that it shall
stop, another that it shall hurry; the line's end says that the supervisor is gone, and the worker drains.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway_project.server import GatewayServer

READY, STOP = b"+", b"-"
LOOK_AGAIN_S = 0.05
SHORTEST_WAIT_S = 0.1
LONGEST_WAIT_S = 15.0
# For a worker after its drain: to post its journal and leave.
MARGIN_S = 30.0

log = logging.getLogger("tallygate.serve")


@dataclass(slots=True)
class Place:
    """One of N, and the process in it."""

    number: int
    process: Process | None = None
    line: socket.socket | None = None
    is_ready: bool = False


class Supervisor:
    """`command` is a worker's command line less its descriptors; `stop_s` how long its orderly end may take."""

    def __init__(self, command: Sequence[str], workers: int, listener: socket.socket, *, stop_s: float) -> None:
        self.command = command
        self.places = [Place(number) for number in range(1, workers + 1)]
        self.listener = listener
        self.stop_s = stop_s
        self.is_up = threading.Event()
        self.has_failed = False
        self._stop = asyncio.Event()
        self._kill_at = 0.0

    def run(self) -> bool:
        """Returns after a stop: whether all workers had come up, if that was waited for."""
        asyncio.run(self._run())
        return not self.has_failed

    def stop(self) -> None:
        """The first time workers drain, the second time they break off what is left."""
        left_s = 0.0 if self._stop.is_set() else self.stop_s
        self._kill_at = time.monotonic() + left_s + MARGIN_S
        self._stop.set()
        # Ours would go on queueing callers that nobody takes any more. The workers keep theirs as long as they listen.
        self.listener.close()
        for place in self.places:
            _say_stop(place)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        lives = {asyncio.create_task(self._fill(place)) for place in self.places}
        await self._stop.wait()
        late = lives
        while late and time.monotonic() < self._kill_at:
            _, late = await asyncio.wait(late, timeout=LOOK_AGAIN_S)
        if late:
            log.error("workers that do not end are killed", extra={"fields": {"workers": len(late)}})
            for place in self.places:
                _kill(place)
        await asyncio.gather(*lives)

    async def _fill(self, place: Place) -> None:
        """A process in its place, and another when it died. One that never answered comes back ever more slowly."""
        wait_s = SHORTEST_WAIT_S
        while not self._stop.is_set():
            code = await self._live(place)
            if self._stop.is_set():
                return
            if not self.is_up.is_set():
                self.has_failed = True
                self.stop()
                return
            wait_s = SHORTEST_WAIT_S if place.is_ready else min(LONGEST_WAIT_S, 2 * wait_s)
            log.error("a worker has ended; another is started", extra={"fields": {"worker": place.number, "exit": code, "in_s": wait_s}})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait_s)

    async def _live(self, place: Place) -> int:
        """One process from its start to its end, whose code this returns."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                descriptors = (self.listener.fileno(), theirs.fileno())
                words = [*self.command, "--worker", *map(str, descriptors)]
                # A group of its own: Ctrl-C in a terminal is for us, and we pass it on.
                process = await asyncio.create_subprocess_exec(*words, pass_fds=descriptors, stdin=DEVNULL, process_group=0)
            place.process, place.line, place.is_ready = process, ours, False
            if self._stop.is_set():
                _say_stop(place)
            hearing = asyncio.create_task(self._hear(place, ours))
            code = await process.wait()
            await hearing
            place.process = place.line = None
        return code

    async def _hear(self, place: Place, line: socket.socket) -> None:
        line.setblocking(False)
        place.is_ready = await asyncio.get_running_loop().sock_recv(line, 1) == READY
        if all(each.is_ready for each in self.places):
            self.is_up.set()


def _say_stop(place: Place) -> None:
    # It may have ended before we were told.
    with contextlib.suppress(OSError):
        if place.line is not None:
            place.line.send(STOP)


def _kill(place: Place) -> None:
    with contextlib.suppress(ProcessLookupError):
        if place.process is not None:
            place.process.kill()


def follow(server: GatewayServer, line: socket.socket) -> None:
    """The worker's end of the line, in two threads."""
    server.is_led = True
    for end in (_report, _obey):
        threading.Thread(target=end, args=(server, line), name="line", daemon=True).start()


def _report(server: GatewayServer, line: socket.socket) -> None:
    waiting = threading.Event()
    while not server.started:
        waiting.wait(LOOK_AGAIN_S)
    with contextlib.suppress(OSError):
        line.sendall(READY)


def _obey(server: GatewayServer, line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        if line.recv(1):
            server.stop()
            while line.recv(1):
                server.hurry()
    # Nobody starts workers any more, and whoever starts the gateway anew needs the port: no grace.
    server.config.limits = replace(server.config.limits, grace_s=0.0)
    server.stop()
