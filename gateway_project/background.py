"""Background work inside `serve`: begins after the server listens, in one process only, and ends within STOP_S."""

import logging
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway_project.locks import take_background_lock

STOP_S = 2.0
LOOK_AGAIN_S = 0.05
TRY_AGAIN_S = 10.0

log = logging.getLogger("tallygate.background")


class Background:
    """`start()` returns at once: the import of Celery and the start of its worker happen in a thread, after `is_ready()`."""

    def __init__(self, is_ready: Callable[[], bool]) -> None:
        self.is_ready = is_ready
        self.running = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Whether everything ended in time; what did not is idempotent and is done again by the next start."""
        self._stop.set()
        if self._thread.ident:
            self._thread.join(STOP_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self.is_ready():
            if self._stop.wait(LOOK_AGAIN_S):
                return
        holder = None
        while connection.vendor == "postgresql" and (holder := self._lock()) is None:
            if self._stop.wait(TRY_AGAIN_S):
                return
        # Imported here, in the thread: Celery's worker costs a quarter of a second that nobody should wait for.
        embedded: Any = import_module("gateway_project.embedded").Embedded()
        embedded.start()
        embedded.worker.ready.wait(STOP_S)
        self.running.set()
        log.info("background work started")
        self._stop.wait()
        embedded.stop()
        if holder:
            holder.close()

    def _lock(self) -> BaseDatabaseWrapper | None:
        try:
            return take_background_lock()
        except DatabaseError:
            log.warning("background work cannot reach the database; trying again")
            return None
