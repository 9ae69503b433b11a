"""`tallygate serve` as real processes, alone or several on one database, for tests that look at them from outside."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import psycopg

ROOT = Path(__file__).parents[2]
BOUND_S = 60.0
FOREIGN = ("TALLYGATE_", "DJANGO_", "ANTHROPIC_", "LITELLM_", "DATABASE_URL", "REDIS_URL")
MASTER = "sk-master-for-processes"
MODEL = "claude-haiku-instant"
ASK: dict[str, Any] = {"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": "hello"}]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(look: Callable[[], Any], limit_s: float = BOUND_S) -> Any:
    """The first true value of `look`."""
    end = time.monotonic() + limit_s
    while not (found := look()) and time.monotonic() < end:
        threading.Event().wait(0.02)
    assert found, f"not within {limit_s} s"
    return found


def own_environment(home: Path, environment: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {"TALLYGATE_HOME": str(home)} | environment


class Serving:
    """One `serve`. `lines` are what it wrote to stdout up to the line that says it answers, or to its end."""

    def __init__(self, home: Path, *words: str, port: int = 0, **environment: str) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = home.parent / f"stderr-{secrets.token_hex(3)}"
        command = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(self.port), *words]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=own_environment(home, environment), stdout=subprocess.PIPE, stderr=log, text=True
            )  # our own program
        self.guard = threading.Timer(2 * BOUND_S, self.process.kill)
        self.guard.start()
        assert self.process.stdout
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line)
            if "answers at" in line:
                break

    def told(self) -> str:
        """What it wrote to stderr so far."""
        return self._log.read_text()

    def hear(self, text: str) -> None:
        until(lambda: text in self.told())

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def get(self, path: str) -> int:
        return httpx.get(self.url + path, timeout=BOUND_S).status_code

    def read(self, path: str) -> dict[str, Any]:
        return dict(httpx.get(self.url + path, headers={"authorization": f"Bearer {MASTER}"}, timeout=BOUND_S).json())

    def is_ready(self) -> bool:
        try:
            return self.get("/health/readiness") == 200
        except httpx.TransportError:
            return False

    def post(self, path: str, body: dict[str, Any], key: str = MASTER) -> httpx.Response:
        return httpx.post(self.url + path, json=body, headers={"authorization": f"Bearer {key}"}, timeout=BOUND_S)

    def ask(self, key: str = MASTER) -> int:
        return self.post("/v1/messages", ASK, key).status_code

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> tuple[int, str]:
        """Exit code and everything written to stderr."""
        self.send(signal.SIGTERM)
        return self.end()

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> tuple[int, str]:
        self.process.wait()
        self.guard.cancel()
        if self.process.stdout:
            self.process.stdout.close()
        return self.process.returncode, self.told()


class Site:
    """A database of its own on the server of DATABASE_URL, a home, and the instances that share them. Ended with the block."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {"TALLYGATE_MASTER_KEY": MASTER, "REDIS_URL": os.environ.get("REDIS_URL", "")}
        self._open = ExitStack()
        self._instances: list[Serving] = []

    def __enter__(self) -> Self:
        self.environment["DATABASE_URL"] = self._open.enter_context(database())
        return self

    def __exit__(self, *ended: object) -> None:
        self.kill_all()
        self._open.close()

    def kill_all(self) -> None:
        while self._instances:
            self._instances.pop().kill()

    def serve(self, *words: str, port: int = 0, **environment: str) -> Serving:
        running = Serving(self.home, *words, port=port, **(self.environment | environment))
        self._instances.append(running)
        return running

    def tallygate(self, *words: str) -> None:
        command = [sys.executable, str(ROOT / "manage.py"), *words]
        subprocess.run(command, env=own_environment(self.home, self.environment), check=True, capture_output=True, timeout=BOUND_S)

    def count(self, query: str) -> int:
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            row = connection.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def database() -> Iterator[str]:
    server = os.environ["DATABASE_URL"]
    name = f"site_{secrets.token_hex(4)}"
    _tell(server, f"CREATE DATABASE {name}")
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        _tell(server, f"DROP DATABASE {name} WITH (FORCE)")


def _tell(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


class Callers:
    """Threads that call one after the other until told to stop, each call where `place` says; statuses of all calls."""

    def __init__(self, call: Callable[[], int], threads: int = 3) -> None:
        self._call = call
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        self.statuses: list[int] = []
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def more(self, number: int) -> None:
        """Returns when that many more calls have ended."""
        wanted = len(self.statuses) + number
        until(lambda: len(self.statuses) >= wanted or self.errors)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.statuses.append(self._call())
            except httpx.HTTPError as error:
                self.errors.append(repr(error))
                return


def balanced(*instances: Serving) -> int:
    """One call as a balancer passes it on: to the first instance that says it is ready."""
    ready = next((one for one in instances if one.is_ready()), None)
    if ready is None:
        raise httpx.ConnectError("no instance is ready")
    return ready.ask()
