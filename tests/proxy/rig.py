"""The data plane on a real socket in front of the fake provider, with a snapshot of plain data: no database anywhere."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from billing.bank import Bank
from billing.budget_book import BudgetBook, BudgetRow, WindowKey
from billing.catalogue import catalogue
from billing.holds import Purse
from billing.journal import Entry, Journal
from billing.snapshot import PriceBook
from keys.snapshot import Caller, KeySnapshot
from proxy.app import DataPlane
from proxy.asgi import Receive, Scope, Send
from proxy.guard import Guard
from proxy.limits import Limits
from proxy.plane import Plane
from proxy.snapshot import Snapshot
from proxy.upstream import Upstream
from routing.snapshot import DeploymentSnapshot, RouteSnapshot, RouteTable, Target
from tests.fakes.provider import DEFAULT_KEY, FakeProvider
from tests.fakes.serving import serve_in_thread
from tests.lines import whole_lines
from tests.proxy.treasury import MemoryTreasury

ALICE, BOB, CHARLIE = "sk-alice", "sk-bob", "sk-charlie"


def caller(name: str, **changes: object) -> Caller:
    known = Caller(key_id=f"key-{name}", key_name=name, user_id=f"user-{name}", user_name=name, team_id="team-blue", team_name="Blue")
    return replace(known, **changes)  # type: ignore[arg-type]  # tests name real fields


@dataclass
class Gateway:
    """A running data plane. `url` is set while it serves."""

    home: Path
    limits: Limits = field(default_factory=Limits)
    url: str = ""
    plane: Plane | None = None
    callers: dict[str, Caller] = field(default_factory=dict)
    treasury: MemoryTreasury = field(default_factory=MemoryTreasury)
    closed: threading.Condition = field(default_factory=threading.Condition)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        assert self.plane is not None
        await Guard(DataPlane(self.plane))(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        loop = asyncio.get_running_loop()
        journal = Journal(self.home / "journal", loop.call_soon, loop.call_later)
        upstream = Upstream(journal.commit, ("127.0.0.0/8",))
        self.plane = Plane(journal, upstream, Bank(self.treasury), limits=self.limits, is_ready=True)
        self.plane.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.plane.stop()
        await send({"type": "lifespan.shutdown.complete"})

    def know(self, token: str, who: Caller) -> None:
        """Adds a token; the change is in force for the next call."""
        assert self.plane is not None
        self.callers = {**self.callers, hashlib.sha256(token.encode()).hexdigest(): who}
        self.plane.snapshot = replace(self.plane.snapshot, keys=KeySnapshot(self.callers))

    def route(self, name: str, *deployments: DeploymentSnapshot) -> None:
        assert self.plane is not None
        routes = {**self.plane.snapshot.routes.exact, **{family.name: family for _, family in self.plane.snapshot.routes.families}}
        routes[name] = RouteSnapshot(name, tuple(Target(one, order=number) for number, one in enumerate(deployments)))
        self.plane.snapshot = replace(self.plane.snapshot, routes=RouteTable.of(list(routes.values())))

    def budget(self, *rows: BudgetRow, posted: Mapping[WindowKey, int] | None = None) -> None:
        """Puts these budgets in force, with what the database has posted."""
        assert self.plane is not None
        self.treasury.book = book = BudgetBook.of(list(rows))
        self.treasury.posted.update(posted or {})
        self.plane.snapshot = replace(self.plane.snapshot, budgets=book)
        self.treasury.give_back(self.plane.bank.use(book))

    def purses(self) -> list[Purse]:
        assert self.plane is not None
        return list(self.plane.bank.purses.values())

    def lines(self, kind: str) -> list[Entry]:
        assert self.plane is not None
        found = []
        for path in sorted(self.plane.journal.folder.glob("*.log")):
            for line in whole_lines(path):
                if line.startswith(kind.encode() + b" "):
                    found.append(msgspec.json.decode(line.split(b" ", 2)[2], type=Entry))
        return found

    def closings(self, number: int = 1, timeout_s: float = 10) -> list[Entry]:
        """The closed calls on record, once there are `number` of them."""
        end = time.monotonic() + timeout_s
        while len(found := self.lines("c")) < number and time.monotonic() < end:
            threading.Event().wait(0.01)
        assert len(found) >= number, f"{len(found)} calls closed, {number} expected"
        return found


@dataclass
class Rig:
    """The gateway, the fake behind it, and the deployment that joins them."""

    gateway: Gateway
    fake: FakeProvider
    deployment: DeploymentSnapshot

    @property
    def url(self) -> str:
        return self.gateway.url


@contextmanager
def running(home: Path, limits: Limits, **options: Any) -> Iterator[Rig]:
    """A rig of its own; `options` are uvicorn's for the gateway."""
    fake = FakeProvider(bill=None)
    gateway = Gateway(home, limits)
    with serve_in_thread(fake) as upstream, serve_in_thread(gateway, lifespan="on", **options) as url:
        gateway.url = url
        deployment = DeploymentSnapshot("dep-1", "fake", "anthropic", "*", base_url=upstream, secret=DEFAULT_KEY)
        assert gateway.plane is not None
        gateway.plane.snapshot = Snapshot(prices=PriceBook(catalogue=catalogue))
        gateway.route("claude-*", deployment)
        gateway.route("fake-*", deployment)
        gateway.route("claude-sonnet", replace(deployment, id="dep-2", name="sonnet", model="claude-sonnet-4-5-20250929"))
        gateway.know(ALICE, caller("alice"))
        yield Rig(gateway, fake, deployment)
