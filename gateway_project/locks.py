"""Only one at a time: a lock file for SQLite, an advisory lock in the database for PostgreSQL. Both end with their process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

BOOTSTRAP_LOCK = 7_115_002
BACKGROUND_LOCK = 7_115_003


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


def take_background_lock() -> BaseDatabaseWrapper | None:
    """The PostgreSQL connection that holds the lock until it is closed, or None when another process has it.

    A connection of its own: Celery closes those of its thread whenever a worker or a task begins.
    """
    holder = connection.copy()
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [BACKGROUND_LOCK])
        row = cursor.fetchone()
    if row and row[0]:
        return holder
    holder.close()
    return None
