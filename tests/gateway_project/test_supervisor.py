"""Several workers behind one socket: who is replaced, who is told to stop, and what callers notice of it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.gateway_project.running import ASK, MASTER, ROOT, Serving, Site, until
from tests.proxy.raw_http import PATIENCE_S, dial, exchange, get, read_to_end

# A worker: answers with its process id, holds /endless open, and obeys the line.
WORKER = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from gateway_project.server import ServerLimits, build_server
from gateway_project.supervisor import follow
from tests.proxy.raw_http import Chatty, answer

class Known(Chatty):
    async def __call__(self, scope, receive, send):
        if scope.get("path") == "/pid":
            await answer(send, b"%d" % os.getpid())
        else:
            await super().__call__(scope, receive, send)

listener, line = (socket.socket(fileno=int(number)) for number in sys.argv[3:])
server = build_server(Known(), host="127.0.0.1", port=0, limits=ServerLimits(drain_s=60))
follow(server, line)
server.run(sockets=[listener])
"""
SUPERVISOR = """
import socket, sys, threading
sys.path.insert(0, sys.argv[1])
from gateway_project.supervisor import Supervisor

def tell():
    supervisor.is_up.wait()
    print("up", flush=True)

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
supervisor = Supervisor([sys.executable, "-c", sys.argv[2], sys.argv[1]], 2, listener, stop_s=60)
threading.Thread(target=tell, daemon=True).start()
sys.exit(not supervisor.run())
"""


class Supervising:
    def __init__(self, worker: str) -> None:
        command = [sys.executable, "-c", SUPERVISOR, str(ROOT), worker]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        self.first_word = self.process.stdout.readline().strip()

    def pid(self) -> int:
        """Of a worker that takes a call."""
        return int(exchange(self.port, get("/pid")).rpartition(b"\r\n")[2])

    def pids(self) -> set[int]:
        """Of both workers, once each has taken a call."""
        first = {self.pid()}
        other: set[int] = until(lambda: {self.pid()} - first)
        return first | other

    def is_refused(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) != 0

    def endless(self) -> socket.socket:
        client = dial(self.port)
        client.sendall(get("/endless"))
        assert client.recv(65536)
        return client


@pytest.fixture
def supervising() -> Iterator[Supervising]:
    running = Supervising(WORKER)
    yield running
    running.process.kill()
    running.process.communicate()


def test_all_workers_answer_at_one_address(supervising: Supervising) -> None:
    assert len(supervising.pids()) == 2


def test_caller_who_comes_while_every_worker_is_dead_is_answered_by_their_successors(supervising: Supervising) -> None:
    dead = supervising.pids()
    for pid in dead:
        os.kill(pid, signal.SIGKILL)
    assert supervising.pid() not in dead


def test_stop_ends_idle_workers_and_the_supervisor_with_0(supervising: Supervising) -> None:
    supervising.process.send_signal(signal.SIGTERM)
    assert supervising.process.wait(PATIENCE_S) == 0
    assert supervising.is_refused()


def test_stop_lets_calls_go_on_and_a_second_one_breaks_them_off(supervising: Supervising) -> None:
    with supervising.endless() as client:
        supervising.process.send_signal(signal.SIGTERM)
        until(supervising.is_refused)
        assert client.recv(65536)
        supervising.process.send_signal(signal.SIGINT)
        read_to_end(client)
    assert supervising.process.wait(PATIENCE_S) == 0


def test_stop_that_a_worker_hears_from_two_sides_lets_calls_go_on(supervising: Supervising) -> None:
    pids = supervising.pids()
    with supervising.endless() as client:
        for pid in [supervising.process.pid, *pids]:
            os.kill(pid, signal.SIGTERM)
        until(supervising.is_refused)
        assert [client.recv(65536) for _ in range(100)]
        supervising.process.send_signal(signal.SIGTERM)
        read_to_end(client)
    assert supervising.process.wait(PATIENCE_S) == 0


def test_workers_leave_when_the_supervisor_is_killed(supervising: Supervising) -> None:
    supervising.process.kill()
    until(supervising.is_refused)


def test_start_ends_when_a_worker_cannot_come_up() -> None:
    running = Supervising("raise SystemExit(7)")
    running.process.communicate(timeout=PATIENCE_S)
    assert (running.first_word, running.process.returncode) == ("", 1)


# ── the real thing ────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("workers") / "home") as site:
        yield site


@pytest.fixture
def serving(site: Site) -> Iterator[Serving]:
    running = site.serve("--workers", "2", "--no-background")
    yield running
    running.stop()


@pytest.mark.services
def test_start_with_workers_prints_what_one_process_prints(site: Site, serving: Serving) -> None:
    assert len(serving.workers()) == 2
    assert serving.lines[-1].startswith(f"Tallygate answers at {serving.url} ")
    assert "sk-" not in "".join(serving.lines)
    assert {serving.get("/health/readiness"), serving.ask()} == {200}


@pytest.mark.services
def test_call_of_a_killed_worker_is_posted_by_the_others(site: Site, serving: Serving) -> None:
    stalled = ASK | {"model": "demo-stall", "stream": True}
    headers = {"x-api-key": MASTER}
    with httpx.Client(timeout=PATIENCE_S) as client, client.stream("POST", f"{serving.url}/v1/messages", json=stalled, headers=headers):
        for pid in serving.workers():
            os.kill(pid, signal.SIGKILL)
        assert until(lambda: site.count("SELECT count(*) FROM billing_ledgerentry WHERE kind = 'reap'")) == 1
    assert serving.ask() == 200


@pytest.mark.services
def test_stop_of_workers_is_clean(site: Site) -> None:
    running = site.serve("--workers", "2")
    running.hear("background work started")
    code, told = running.stop()
    assert code == 0
    assert (told.count("Application shutdown complete"), told.count('"level": "error"')) == (2, 0)


@pytest.mark.services
def test_workers_without_redis_are_refused(site: Site, tmp_path: Path) -> None:
    code, told = site.serve("--workers", "2", REDIS_URL="").stop()
    assert code == 1
    assert told.endswith("Set REDIS_URL, or leave out --workers\n")
