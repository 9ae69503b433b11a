"""Hears of changes and swaps the snapshot: at once for changes made in this process, within a second for others', reloading all now and then.

The newest audit event's id is the configuration's version. A load that fails leaves the last good snapshot in place.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import DatabaseError, close_old_connections

from audit import notice, trail
from billing.loading import load_budgets, load_prices
from keys.loading import load_keys
from proxy.plane import Plane
from proxy.snapshot import Snapshot
from routing.loading import load_routes

logger = logging.getLogger(__name__)

POLL_S = 1.0
COALESCE_S = 0.2
RELOAD_ALL_S = 60.0


class Refresher:
    """Keeps a plane's snapshot fresh from a thread; the event loop only ever sees the finished swap."""

    def __init__(self, plane: Plane, master_key: str) -> None:
        self.plane = plane
        self._master_key = master_key
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Loads the first snapshot; the plane is ready once this returns."""
        await self._refresh(force=True)
        self._unsubscribe = notice.subscribe(self.hear)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def hear(self) -> None:
        """Called on commit by whatever thread changed something."""
        self._loop.call_soon_threadsafe(self._changed.set)

    async def _run(self) -> None:
        last_full = self._loop.time()
        while True:
            try:
                await asyncio.wait_for(self._changed.wait(), POLL_S)
                await asyncio.sleep(COALESCE_S)
            except TimeoutError:
                pass
            self._changed.clear()
            due = self._loop.time() - last_full > RELOAD_ALL_S
            await self._refresh(force=due)
            last_full = self._loop.time() if due else last_full

    async def _refresh(self, *, force: bool) -> None:
        try:
            snapshot = await asyncio.to_thread(self._load, force)
        except DatabaseError as error:
            logger.error("configuration could not be read; the last good one stays", extra={"fields": {"error": type(error).__name__}})
            return
        if snapshot is not None:
            self.plane.tallies.merge(snapshot.budgets.posted)
            self.plane.snapshot = snapshot
        self.plane.is_ready = True

    def _load(self, force: bool) -> Snapshot | None:
        close_old_connections()
        try:
            version = trail.version()
            if not force and version == self.plane.snapshot.version:
                return None
            return Snapshot(load_keys(self._master_key, datetime.now(UTC)), load_prices(), load_budgets(), load_routes(), version)
        finally:
            close_old_connections()
