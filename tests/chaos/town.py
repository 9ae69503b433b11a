"""Where money is tested with real processes: a provider with a bill, a home, a database, and servers on them."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
from cryptography.fernet import Fernet

from tests.chaos.book import Book, read_book
from tests.chaos.scopes import Cast, Key
from tests.fakes.bill import BillRow, read_bill
from tests.gateway_project.running import BOUND_S, ROOT, Serving, database, free_port, own_environment, until

# Given, so that servers with homes of their own can read the same rows.
SECRETS = {
    "TALLYGATE_MASTER_KEY": "sk-master-for-chaos",
    "TALLYGATE_SECRET_KEYS": Fernet.generate_key().decode(),
    "TALLYGATE_DJANGO_SECRET": "for-chaos-" * 6,
}
LEASE_S = 5.0
ALONE = "--no-background"
REAP = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "gateway_project.settings"
django.setup()
from billing.shares import reap_lost
print(reap_lost())
"""


@dataclass(frozen=True, slots=True)
class Town:
    home: Path
    environment: dict[str, str]
    bill: Path
    upstream: str
    servers: list[Serving] = field(default_factory=list)

    @property
    def is_shared(self) -> bool:
        """Whether several servers may serve here."""
        return "DATABASE_URL" in self.environment

    def run(self, *words: str, told: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = own_environment(self.home, self.environment)
        return subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, input=told, capture_output=True, timeout=BOUND_S)

    def serve(self, *words: str, port: int = 0, home: Path | None = None) -> Serving:
        self.servers.append(begun := Serving(home or self.home, *words, port=port, **self.environment))
        return begun

    @contextmanager
    def serving(self, *words: str, count: int = 1) -> Iterator[list[Serving]]:
        """Servers that end in order with the block."""
        servers = [self.serve(*words) for _ in range(count)]
        yield servers
        for server in servers:
            server.stop()

    def clear(self) -> None:
        """Nobody lives on, however a test ends."""
        while self.servers:
            self.servers.pop().kill()

    def book(self) -> Book:
        return read_book(self.home, self.environment.get("DATABASE_URL", ""))

    def billed(self) -> list[BillRow]:
        return read_bill(self.bill)

    def reap(self) -> int:
        """What background work does every few seconds: gives up servers that were silent for longer than the lease. How many."""
        told = self.run("-c", REAP)
        assert told.returncode == 0, told.stderr[-2000:]
        return int(told.stdout)

    def disorder(self) -> list[str]:
        """What does not add up once every server has ended."""
        checked = self.run("manage.py", "money", "check")
        told = (checked.stdout + checked.stderr[-2000:]).decode().splitlines()
        book = self.book()
        return [
            *(f"money check: {line}" for line in told if checked.returncode),
            *(f"a journal is left: {lock.parent.name}" for lock in self.home.glob("journal/*/lock")),
            *(f"{row.allotted_nano} is still allotted in {row.scope} {row.scope_id}" for row in book.windows if row.allotted_nano),
        ]


def call(server: Serving, key: Key, model: str = "chaos-quick", timeout_s: float = BOUND_S, **fields: object) -> httpx.Response:
    headers = {"x-api-key": key.token, "anthropic-version": "2023-06-01"}
    asked = {"model": model, "max_tokens": 1000, "messages": [{"role": "user", "content": "hello"}], **fields}
    return httpx.post(f"{server.url}/v1/messages", json=asked, headers=headers, timeout=timeout_s)


@contextmanager
def streaming(server: Serving, key: Key, model: str) -> Iterator[Iterator[str]]:
    """The pieces of a stream under way; the caller leaves with the block."""
    asked = {"model": model, "max_tokens": 16_000, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"x-api-key": key.token, "anthropic-version": "2023-06-01"}
    with httpx.stream("POST", f"{server.url}/v1/messages", json=asked, headers=headers, timeout=BOUND_S) as answer:
        yield answer.iter_text()


def code(answer: httpx.Response) -> str:
    """The error's code, or the status of an answer."""
    return answer.headers.get("x-tallygate-error-code") or str(answer.status_code)


@contextmanager
def town(kind: str, cast: Cast, **stores: str) -> Iterator[Town]:
    """`kind` is sqlite or postgres; `stores` are addresses of servers other than those of the environment."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallygate-chaos-")))
        environment = SECRETS | {"TALLYGATE_LEASE_S": str(LEASE_S), "TALLYGATE_EGRESS_ALLOW": "127.0.0.0/8"}
        if kind == "postgres":
            environment["DATABASE_URL"] = stores.get("database_url") or stack.enter_context(database())
            environment["REDIS_URL"] = stores.get("redis_url") or os.environ["REDIS_URL"]
        bill = folder / "bill.jsonl"
        built = Town(folder / "home", environment, bill, stack.enter_context(provider(bill)))
        stack.callback(built.clear)
        built.serve(ALONE).stop()
        _plant(built, cast)
        yield built


def _plant(built: Town, cast: Cast) -> None:
    planted = built.run("-m", "tests.chaos.seed", built.upstream, told=msgspec.json.encode(cast))
    if planted.returncode:
        raise RuntimeError(f"the rows could not be made: {planted.stderr[-2000:].decode()}")


@contextmanager
def provider(bill: Path) -> Iterator[str]:
    """The address of a provider that writes this bill."""
    bill.touch()
    port = free_port()
    command: Sequence[str] = [sys.executable, "-m", "tests.chaos.provider", "--port", str(port), "--bill", str(bill)]
    with bill.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        until(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(BOUND_S)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v1/models").status_code > 0
    except httpx.TransportError:
        return False
