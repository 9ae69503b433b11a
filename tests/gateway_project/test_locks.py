"""Who may go on when several processes want the same: locks on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from gateway_project.background import Background
from gateway_project.locks import BACKGROUND_LOCK, INSTANCE_LOCK, SessionLock, join_the_others

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

BOUND_S = 60
CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_locks
WHERE locktype = 'advisory' AND objid = %s AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def cut(number: int) -> int:
    """Ends the connections that hold a lock, as a failover does. How many."""
    with connection.cursor() as cursor:
        cursor.execute(CUT, [number])
        return int(cursor.fetchone()[0])


def join_and_leave(lock: SessionLock) -> bool:
    is_alone = join_the_others(lock, BOUND_S)
    lock.release()
    return is_alone


def test_lock_is_held_by_one_and_free_again_when_it_is_released() -> None:
    mine, other = SessionLock(BACKGROUND_LOCK), SessionLock(BACKGROUND_LOCK)
    assert (mine.take(), other.take(), mine.is_held()) == (True, False, True)
    mine.release()
    assert (other.take(), mine.is_held()) == (True, False)
    other.release()


def test_lock_whose_connection_was_cut_is_known_to_be_lost() -> None:
    lock = SessionLock(BACKGROUND_LOCK)
    assert lock.take()
    assert cut(BACKGROUND_LOCK) == 1
    assert not lock.is_held()
    assert lock.take()
    lock.release()


def test_first_instance_is_alone_and_the_others_are_not() -> None:
    first, second, third = SessionLock(INSTANCE_LOCK), SessionLock(INSTANCE_LOCK), SessionLock(INSTANCE_LOCK)
    assert [join_the_others(lock, 0) for lock in (first, second)] == [True, False]
    first.release()
    assert not join_the_others(third, 0)
    second.release()
    third.release()


def test_instance_that_waited_long_enough_is_alone_at_last() -> None:
    first, second = SessionLock(INSTANCE_LOCK), SessionLock(INSTANCE_LOCK)
    assert join_the_others(first, 0)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(join_and_leave, second)
        assert cut(INSTANCE_LOCK) == 1
        assert waiting.result()
    first.release()


def test_background_work_that_lost_its_lock_begins_again_under_a_new_one() -> None:
    background = Background(lambda: True, try_again_s=0.05)
    background.start()
    assert background.running.wait(BOUND_S)
    background.running.clear()
    assert cut(BACKGROUND_LOCK) == 1
    assert background.running.wait(BOUND_S)
    assert background.stop()
