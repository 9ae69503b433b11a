"""Files are brought to the disk in time and in order, by a thread of Python or by the C library."""

import asyncio
import errno
import os
import struct
import sys
import time
from collections.abc import Callable
from ctypes import Array, c_char
from pathlib import Path

import pytest

from billing import disk_sync
from billing.disk_sync import ByLibrary, ByThread

LATE_S = 10
NOT_SYNCED = "journal could not be synced to disk"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_sync, "SYNC_EVERY_S", 0)


def new_file(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT)


class Library:
    """Plays the C library: a sync that was begun is over when the test says so."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.code, self.refuses = errno.EINPROGRESS, False

    def aio_fsync(self, how: int, block: Array[c_char]) -> int:
        assert how == os.O_DSYNC
        if self.refuses:
            return -1
        self.begun.append(struct.unpack_from("i", block, 0)[0])
        self.code = errno.EINPROGRESS
        return 0

    def aio_error(self, _: Array[c_char]) -> int:
        return self.code

    def aio_return(self, _: Array[c_char]) -> int:
        return 0


class Clock:
    """An event loop's timers, run by the test."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, after_s: float, work: Callable[[], None]) -> None:
        self.due.append((after_s, work))

    def ring(self) -> float:
        """Runs the one timer there is; returns after how many seconds it was to ring."""
        [(after_s, work)] = self.due
        self.due.clear()
        work()
        return after_s


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def by_library(descriptor: int) -> tuple[ByLibrary, Library, Clock]:
    library, clock = Library(), Clock()
    return ByLibrary(descriptor, clock.later, library), library, clock  # type: ignore[arg-type]  # has what is asked of it


def test_file_is_synced_once_for_all_that_was_written_in_between(tmp_path: Path) -> None:
    file = new_file(tmp_path / "file")
    sync, library, clock = by_library(file)
    for _ in range(3):
        sync.written()
    assert (clock.ring(), library.begun) == (disk_sync.SYNC_EVERY_S, [file])
    library.code = 0
    assert (clock.ring(), library.begun, clock.due) == (disk_sync.SYNC_EVERY_S, [file], [])
    sync.written()
    assert (clock.ring(), library.begun) == (disk_sync.SYNC_EVERY_S, [file, file])
    library.code = 0
    sync.stop()
    assert not is_open(file)


def test_what_is_written_while_a_sync_goes_on_waits_for_the_next_one(tmp_path: Path) -> None:
    file = new_file(tmp_path / "file")
    sync, library, clock = by_library(file)
    sync.written()
    clock.ring()
    sync.written()
    assert (clock.ring(), library.begun) == (disk_sync.SYNC_EVERY_S, [file])
    assert (clock.ring(), library.begun) == (disk_sync.LOOK_AGAIN_S, [file])
    library.code = 0
    assert (clock.ring(), library.begun) == (disk_sync.LOOK_AGAIN_S, [file, file])
    library.code = 0
    sync.stop()


def test_library_syncs_a_full_file_before_it_closes_it(tmp_path: Path) -> None:
    first, second = new_file(tmp_path / "first"), new_file(tmp_path / "second")
    sync, library, clock = by_library(first)
    sync.follow(second)
    sync.written()
    clock.ring()
    assert (library.begun, is_open(first)) == ([first], True)
    clock.ring()
    assert (library.begun, is_open(first)) == ([first], True)
    library.code = 0
    clock.ring()
    assert (library.begun, is_open(first), is_open(second)) == ([first, second], False, True)
    library.code = 0
    clock.ring()
    assert clock.due == []
    sync.stop()
    assert not is_open(second)


def test_stop_waits_for_the_sync_that_goes_on_and_closes_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [new_file(tmp_path / name) for name in ("first", "second")]
    sync, library, clock = by_library(files[0])
    sync.written()
    clock.ring()
    sync.follow(files[1])
    monkeypatch.setattr(time, "sleep", lambda _: setattr(library, "code", 0))
    sync.stop()
    assert [is_open(file) for file in files] == [False, False]
    clock.ring()
    assert library.begun == files[:1]


def test_sync_that_could_not_be_begun_is_begun_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = new_file(tmp_path / "file")
    sync, library, clock = by_library(file)
    library.refuses = True
    sync.written()
    clock.ring()
    assert (library.begun, [record.message for record in caplog.records]) == ([], [NOT_SYNCED])
    library.refuses = False
    assert (clock.ring(), library.begun) == (disk_sync.TRY_AGAIN_S, [file])
    library.code = 0
    sync.stop()


def test_thread_syncs_every_full_file_before_it_closes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: None) -> None:
    files = [new_file(tmp_path / name) for name in ("first", "second", "third")]
    happened: list[tuple[str, int]] = []
    sync, close = os.fdatasync, os.close

    def note_sync(descriptor: int) -> None:
        happened.append(("sync", descriptor))
        sync(descriptor)

    def note_close(descriptor: int) -> None:
        happened.append(("close", descriptor))
        close(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", note_sync)
        patch.setattr(os, "close", note_close)
        by_thread = ByThread(files[0])
        by_thread.follow(files[1])
        by_thread.written()
        by_thread.follow(files[2])
        by_thread.stop()
    for file in files:
        assert ("sync", file) in happened
        assert happened.index(("sync", file)) < happened.index(("close", file))
        assert ("sync", file) not in happened[happened.index(("close", file)) :]


def can_ask_the_library() -> bool:
    return disk_sync._library() is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a thread does it")
def test_on_linux_the_library_does_it() -> None:
    assert can_ask_the_library()


@pytest.mark.parametrize("with_loop", [True, False])
def test_sync_that_fails_is_told(with_loop: bool, monkeypatch: pytest.MonkeyPatch, at_once: None) -> None:
    """A pipe cannot be synced: that it is told shows that the real thread, and the real library, were at it."""

    async def run() -> OSError:
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[OSError] = asyncio.Queue()
        monkeypatch.setattr(disk_sync, "_note", lambda error: loop.call_soon_threadsafe(told.put_nowait, error))
        reading, writing = os.pipe()
        sync = disk_sync.disk_sync(writing, loop.call_later if with_loop else None)
        assert isinstance(sync, ByLibrary if with_loop and can_ask_the_library() else ByThread)
        sync.written()
        error = await asyncio.wait_for(told.get(), LATE_S)
        sync.stop()
        os.close(reading)
        return error

    assert asyncio.run(run()).errno == errno.EINVAL
