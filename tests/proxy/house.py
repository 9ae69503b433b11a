"""Gateways started once and lent to many tests, each with a fresh fake provider, fresh routes and an empty journal."""

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import pytest

from billing.bank import Bank
from billing.rates import Rates
from proxy.limits import Limits
from proxy.plane import Plane
from proxy.snapshot import Snapshot
from routing.health import Health
from routing.sticky import Sticky
from tests.fakes.provider import FakeProvider
from tests.fakes.serving import App, Receive, Scope, Send, serve_in_thread
from tests.proxy.rig import Rig, running
from tests.proxy.treasury import MemoryTreasury

PATIENCE_S = 10


@dataclass
class Switch:
    """An upstream address behind which the application can be changed."""

    app: App

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class Flat:
    """One gateway with what it started from."""

    rig: Rig
    switch: Switch
    snapshot: Snapshot

    def tidy(self) -> Rig:
        """As new, once no call is under way any more."""
        gateway = self.rig.gateway
        plane = gateway.plane
        assert plane is not None
        end = time.monotonic() + PATIENCE_S
        while plane.live and time.monotonic() < end:
            threading.Event().wait(0.005)
        assert not plane.live, "a call of an earlier test still runs"
        _finish_turn(plane)
        gateway.treasury = MemoryTreasury()
        plane.snapshot, plane.bank, plane.rates = self.snapshot, Bank(gateway.treasury), Rates()
        plane.health, plane.sticky = Health(), Sticky()
        for path in plane.journal.folder.glob("*.log"):
            os.truncate(path, 0)
        self.switch.app = fake = FakeProvider()
        return replace(self.rig, fake=fake)


def _finish_turn(plane: Plane) -> None:
    """A call leaves `live` a moment before its line is in the journal, in the same turn of the loop. Kept connections are hung up."""
    turned = threading.Event()

    def turn() -> None:
        plane.upstream.close()
        turned.set()

    assert plane._sweeper is not None
    plane._sweeper.get_loop().call_soon_threadsafe(turn)
    assert turned.wait(PATIENCE_S)


class House:
    def __init__(self, homes: pytest.TempPathFactory) -> None:
        self._homes = homes
        self._flats: dict[Limits, Flat] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()

    def rig(self, limits: Limits) -> Rig:
        """The gateway with these limits, tidied."""
        if limits not in self._flats:
            self._flats[limits] = self._move_in(limits)
        return self._flats[limits].tidy()

    def _move_in(self, limits: Limits) -> Flat:
        rig = self._open.enter_context(running(self._homes.mktemp("gateway"), limits))
        switch = Switch(rig.fake)
        upstream = self._open.enter_context(serve_in_thread(switch))
        deployment = replace(rig.deployment, base_url=upstream)
        rig.gateway.route("claude-*", deployment)
        rig.gateway.route("fake-*", deployment)
        assert rig.gateway.plane is not None
        return Flat(replace(rig, deployment=deployment), switch, rig.gateway.plane.snapshot)
