"""Hears of changes and swaps the snapshot. A change made in this process is in force when its transaction's commit returns; one made
elsewhere within a second or so, by polling.

The newest audit event's id is the configuration's version. A load that fails leaves the last good snapshot in place.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from django.db import DatabaseError, close_old_connections

from audit import notice, trail
from billing.budget_book import BudgetBook
from billing.loading import load_budgets, load_prices
from keys.loading import DEFAULT_PARALLEL, load_directory, load_keys
from proxy.plane import Plane
from proxy.snapshot import Snapshot
from routing.loading import load_routes
from routing.renewal import Renewal

logger = logging.getLogger(__name__)

POLL_S = 1.0
RELOAD_ALL_S = 60.0


class Refresher:
    """Keeps a plane's snapshot fresh from other threads; the event loop only ever sees the finished swap."""

    def __init__(
        self, plane: Plane, master_key: str, budgets_changed: Callable[[BudgetBook], None], default_parallel: int = DEFAULT_PARALLEL
    ) -> None:
        self.plane = plane
        self._default_parallel = default_parallel
        self._budgets_changed = budgets_changed
        self._master_key = master_key
        self._renewal = Renewal()
        self._loading = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Loads the first snapshot; the plane is ready once this returns."""
        await asyncio.to_thread(self._refresh, force=True)
        self._unsubscribe = notice.subscribe(self._refresh)
        self._task = asyncio.create_task(self._poll())
        self._renewal.start(lambda: self._refresh_apart(True))

    async def stop(self) -> None:
        self._unsubscribe()
        await asyncio.to_thread(self._renewal.stop)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _poll(self) -> None:
        last_full = self._loop.time()
        while True:
            await asyncio.sleep(POLL_S)
            due = self._loop.time() - last_full > RELOAD_ALL_S
            await asyncio.to_thread(self._refresh_apart, due)
            last_full = self._loop.time() if due else last_full

    def _refresh_apart(self, force: bool) -> None:
        """In a thread of our own, which must not keep a database connection that went stale."""
        close_old_connections()
        try:
            self._refresh(force=force)
        finally:
            close_old_connections()

    def _refresh(self, *, force: bool = False) -> None:
        """Loads what is newer than the snapshot and swaps it in. Called on commit by whatever thread changed something."""
        with self._loading:
            try:
                version = trail.version()
                if not force and version == self.plane.snapshot.version:
                    return
                keys = load_keys(self._master_key, datetime.now(UTC), self._default_parallel)
                if self.plane.signed_tokens is not None:
                    keys = replace(keys, directory=load_directory())
                snapshot = Snapshot(keys, load_prices(), load_budgets(), load_routes(self._renewal), version)
            except DatabaseError as error:
                logger.error("configuration could not be read; the last good one stays", extra={"fields": {"error": type(error).__name__}})
                self.plane.has_database = False
                return
            except Exception:
                # A row that nobody foresaw must not keep this process from hearing of all later changes.
                logger.exception("configuration could not be understood; the last good one stays")
                return
            self.plane.snapshot, self.plane.has_database = snapshot, True
        self._budgets_changed(snapshot.budgets)
        self.plane.is_ready = True
