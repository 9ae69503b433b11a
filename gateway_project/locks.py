"""Only one at a time: a lock file for SQLite, an advisory lock in the database for PostgreSQL. Both end with their process."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import DatabaseError, Error, connection
from django.db.backends.base.base import BaseDatabaseWrapper

BOOTSTRAP_LOCK = 7_115_002
BACKGROUND_LOCK = 7_115_003
INSTANCE_LOCK = 7_115_004

# A machine that vanished says no goodbye: the server asks after 10 s of silence and frees its locks 15 s later. By default it is two hours.
NOTICE_THE_DEAD = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"


LOOK_AGAIN_S = 0.5

TAKE = "SELECT pg_try_advisory_lock(%s)"
SHARE = "SELECT pg_try_advisory_lock_shared(%s)"
UNLOCK = "SELECT pg_advisory_unlock(%s)"
UNLOCK_ALL = "SELECT pg_advisory_unlock_all()"
ALIVE = "SELECT %s IS NOT NULL"

log = logging.getLogger("tallygate.serve")


def take_file_lock(path: Path) -> int | None:
    """The open descriptor that holds the lock until it is closed, or None when another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def bootstrap_lock(home: Path) -> Iterator[None]:
    """Waits for its turn: two starts must not migrate at once."""
    if connection.vendor != "postgresql":
        descriptor = os.open(home / "bootstrap.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
        return
    holder = connection.copy()
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [BOOTSTRAP_LOCK])
    try:
        yield
    finally:
        holder.close()


class SessionLock:
    """An advisory lock of PostgreSQL, held as long as its connection lives. Belongs to the thread that takes it.

    The connection is the lock's own: Celery closes those of its thread whenever a worker or a task begins.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._holder: BaseDatabaseWrapper | None = None

    def take(self) -> bool:
        """Whether nobody else has it, alone or shared."""
        return self._ask(TAKE)

    def share(self) -> bool:
        """Whether nobody else has it alone."""
        return self._ask(SHARE)

    def make_room(self) -> None:
        """What was taken alone is now held only by what was shared."""
        self._ask(UNLOCK)

    def is_held(self) -> bool:
        """False once the connection is gone, and with it the lock."""
        try:
            return self._holder is not None and self._ask(ALIVE)
        except DatabaseError:
            return False

    def release(self) -> None:
        """Free at once: what a connection that is only closed has held, the server frees a moment later."""
        holder, self._holder = self._holder, None
        if holder is None:
            return
        with suppress(Error), holder.cursor() as cursor:
            cursor.execute(UNLOCK_ALL)
        holder.close()

    def _ask(self, query: str) -> bool:
        try:
            if self._holder is None:
                self._holder = connection.copy()
                with self._holder.cursor() as cursor:
                    cursor.execute(NOTICE_THE_DEAD)
            with self._holder.cursor() as cursor:
                cursor.execute(query, [self._number])
                return bool(cursor.fetchone() == (True,))
        except DatabaseError:
            self.release()
            raise


def join_the_others(lock: SessionLock, patience_s: float) -> bool:
    """Shares the lock for good, after waiting for the others that do to end. Whether none is left."""
    waiting, deadline = threading.Event(), time.monotonic() + patience_s
    is_alone = lock.take()
    if not is_alone:
        log.warning("another instance uses this database, and REDIS_URL is not set", extra={"fields": {"waiting_s": patience_s}})
    while not is_alone and time.monotonic() < deadline:
        waiting.wait(LOOK_AGAIN_S)
        is_alone = lock.take()
    while not lock.share():
        waiting.wait(LOOK_AGAIN_S)
    if is_alone:
        lock.make_room()
    return is_alone
