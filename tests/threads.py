"""The same work in several threads at once, each with database connections of its own: to PostgreSQL they are so many processes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

BOUND_S = 30
T = TypeVar("T")


def at_once(threads: int, work: Callable[[], T]) -> list[T]:
    """What each of them returned; an error of one is raised. All begin together, connected before."""
    barrier = Barrier(threads)

    def run() -> T:
        try:
            connection.ensure_connection()
            barrier.wait(BOUND_S)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return [each.result() for each in [pool.submit(run) for _ in range(threads)]]
