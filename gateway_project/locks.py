"""Only one at a time: a lock file for SQLite, an advisory lock in the database for PostgreSQL. Both end with their process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

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
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [BOOTSTRAP_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [BOOTSTRAP_LOCK])


def is_background_ours() -> bool:
    """Takes the session lock of background work on this thread's PostgreSQL connection; it lasts as long as the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [BACKGROUND_LOCK])
        row = cursor.fetchone()
    return bool(row and row[0])
