"""Background work inside `serve`: begins after the server listens, in one process only, and ends within STOP_S.

On PostgreSQL a lock says which process; when that one dies, another finds the lock free within TRY_AGAIN_S.
"""

import logging
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.db import DatabaseError, connection

from gateway_project.locks import BACKGROUND_LOCK, SessionLock

STOP_S = 2.0
LOOK_AGAIN_S = 0.05
TRY_AGAIN_S = 5.0

log = logging.getLogger("tallygate.background")


class Background:
    """`start()` returns at once: the import of Celery and the start of its worker happen in a thread, after `is_ready()`."""

    def __init__(self, is_ready: Callable[[], bool], *, try_again_s: float = TRY_AGAIN_S) -> None:
        self.is_ready = is_ready
        self.try_again_s = try_again_s
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
        lock = SessionLock(BACKGROUND_LOCK) if connection.vendor == "postgresql" else None
        while not self._stop.is_set():
            if lock is None or self._take(lock):
                self._work(lock)
            self._stop.wait(self.try_again_s)

    def _work(self, lock: SessionLock | None) -> None:
        """Returns when a stop is asked for, or when the lock is lost: somebody else may have it by now."""
        # Imported here, in the thread: Celery's worker costs a quarter of a second that nobody should wait for.
        embedded: Any = import_module("gateway_project.embedded").Embedded()
        embedded.start()
        embedded.worker.ready.wait(STOP_S)
        self.running.set()
        log.info("background work started")
        while not self._stop.wait(self.try_again_s):
            if lock is not None and not lock.is_held():
                log.warning("the database connection that stands for background work is lost; it is left to whoever gets the next one")
                break
        embedded.stop()
        self.running.clear()
        if lock is not None:
            lock.release()

    def _take(self, lock: SessionLock) -> bool:
        try:
            return lock.take()
        except DatabaseError:
            log.warning("background work cannot reach the database; trying again")
            return False
