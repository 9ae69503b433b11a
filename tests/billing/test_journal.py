import asyncio
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from billing import journal as journal_module
from billing.journal import Entry, Journal, Opened
from billing.journal_reader import take_lock
from tests.billing.lines import closing, opening


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path)
    yield journal
    journal.stop()


class FullDisk:
    """`os.write` that takes `room` bytes once and refuses the rest, until it is given way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room, self.write, self.is_full = room, os.write, False
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: bytes) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "no space")
        self.is_full = True
        return self.write(descriptor, data[: self.room])


class Writes:
    """Counts those of `os.write`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.write = 0, os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: bytes) -> int:
        self.count += 1
        return self.write(descriptor, data)


def lines(journal: Journal) -> list[bytes]:
    return b"".join(path.read_bytes() for path in sorted(journal.folder.glob("*.log"))).splitlines()


@pytest.fixture
def due() -> list[Callable[[], None]]:
    """What is to happen when the event loop's turn is over."""
    return []


@pytest.fixture
def turning(tmp_path: Path, due: list[Callable[[], None]]) -> Iterator[Journal]:
    """A journal of an event loop whose turns end when the test says so."""
    journal = Journal(tmp_path, due.append)
    yield journal
    journal.stop()


def test_opening_is_in_the_file_when_commit_returns(turning: Journal) -> None:
    turning.open("req_1.1", opening("req_1", [(7, 1.5)]))
    turning.commit()
    kind, attempt, content = lines(turning)[0].split(b" ", 2)
    assert (kind, attempt) == (b"o", b"req_1.1")
    assert msgspec.json.decode(content, type=Opened) == opening("req_1", [(7, 1.5)])


def test_closing_reads_back_equal(journal: Journal) -> None:
    journal.close("req_1", closing("req_1", [5, 6], [(7, 1.5)]))
    assert msgspec.json.decode(lines(journal)[0].split(b" ", 2)[2], type=Entry) == closing("req_1", [5, 6], [(7, 1.5)])


def test_lock_is_held_until_the_journal_stops(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert take_lock(journal.folder / "lock") is None
    journal.stop()
    lock = take_lock(journal.folder / "lock")
    assert lock is not None
    os.close(lock)


def test_lock_of_a_journal_that_another_adopter_just_deleted_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    path.touch()
    lock = fcntl.flock

    def lock_later(descriptor: int, how: int) -> None:
        path.unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", lock_later)
    assert take_lock(path) is None


def test_full_file_is_followed_by_another(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "ROTATE_BYTES", 100)
    for number in range(3):
        journal.open(f"req_{number}.1", opening(f"req_{number}"))
    assert len(list(journal.folder.glob("*.log"))) == 3
    assert len(lines(journal)) == 3


def test_old_file_goes_on_when_a_new_one_cannot_be_made(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "ROTATE_BYTES", 100)
    journal.open("req_1.1", opening("req_1"))
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_next_file", lambda: os.open(journal.folder / "missing" / "file", os.O_WRONLY))
        journal.open("req_2.1", opening("req_2"))
    assert [line.split(b" ")[1] for line in lines(journal)] == [b"req_1.1", b"req_2.1"]


def test_commit_says_when_an_opening_is_not_on_record_and_tries_again(turning: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    turning.open("req_1.1", opening("req_1"))
    with monkeypatch.context() as patch:
        FullDisk(patch, 10)
        for _ in range(2):
            with pytest.raises(OSError, match="no space"):
                turning.commit()
    turning.open("req_2.1", opening("req_2"))
    turning.commit()
    assert lines(turning)[0] == b"o req_1.1 "
    assert [line[:11] for line in lines(turning)[1:]] == [b"o req_1.1 [", b"o req_2.1 ["]


def test_calls_that_begin_in_one_turn_are_put_on_record_by_one_write(turning: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes(monkeypatch)
    for number in range(3):
        turning.open(f"req_{number}.1", opening(f"req_{number}"))
    assert (writes.count, lines(turning)) == (0, [])
    for _ in range(3):
        turning.commit()
    assert (writes.count, [line[:9] for line in lines(turning)]) == (1, [b"o req_0.1", b"o req_1.1", b"o req_2.1"])


def test_opening_that_nobody_commits_is_written_when_the_turn_is_over(turning: Journal, due: list[Callable[[], None]]) -> None:
    turning.open("req_1.1", opening("req_1"))
    due.pop()()
    assert lines(turning)[0].startswith(b"o req_1.1 [")


def test_attempt_that_ended_in_the_turn_of_its_opening_ends_after_it(turning: Journal) -> None:
    turning.open("req_1.1", opening("req_1"))
    turning.free("req_1.1")
    turning.extend("req_2.1", 5)
    assert [line[:9] for line in lines(turning)] == [b"o req_1.1", b"f req_1.1", b"x req_2.1"]


def test_committed_lines_are_on_the_disk_when_flush_returns(turning: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, int]] = []
    sync = os.fdatasync

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced.append((os.fstat(descriptor).st_ino, os.fstat(descriptor).st_size))

    turning.open("req_1.1", opening("req_1"))
    turning.commit()
    [file] = turning.folder.glob("*.log")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", note)
        asyncio.run(turning.flush())
    assert (file.stat().st_ino, file.stat().st_size) in synced


def test_closing_that_the_disk_refused_is_written_before_the_next_line(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        FullDisk(patch, 10)
        journal.close("req_1", closing("req_1", [5]))
        journal.close("req_2", closing("req_2", [6]))
    journal.open("req_3.1", opening("req_3"))
    assert [line.split(b" ")[1] for line in lines(journal)[1:]] == [b"req_1", b"req_2", b"req_3.1"]


def test_calls_that_end_in_one_turn_are_closed_by_one_write(
    turning: Journal, due: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = Writes(monkeypatch)
    for number in range(3):
        turning.close(f"req_{number}", closing(f"req_{number}", [number]))
    turning.free("req_3.1")
    assert (writes.count, len(due)) == (0, 1)
    due.pop()()
    assert (writes.count, [line.split(b" ")[1] for line in lines(turning)]) == (1, [b"req_0", b"req_1", b"req_2", b"req_3.1"])
    turning.close("req_4", closing("req_4", [4]))
    assert len(due) == 1


def test_journal_that_stops_writes_what_waited_for_the_end_of_the_turn(tmp_path: Path, due: list[Callable[[], None]]) -> None:
    journal = Journal(tmp_path, due.append)
    journal.open("req_1.1", opening("req_1"))
    journal.close("req_1", closing("req_1", [4]))
    journal.stop()
    assert [line[:7] for line in lines(journal)] == [b"o req_1", b"c req_1"]


def test_commit_takes_along_what_waits_for_the_end_of_the_turn(
    turning: Journal, due: list[Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = Writes(monkeypatch)
    turning.close("req_1", closing("req_1", [5]))
    turning.open("req_2.1", opening("req_2"))
    turning.commit()
    assert [line[:7] for line in lines(turning)] == [b"c req_1", b"o req_2"]
    due.pop()()
    assert (writes.count, len(lines(turning))) == (1, 2)


@pytest.mark.parametrize("room", [0, 1, 200, 10_000])
def test_closings_of_which_the_disk_took_a_part_are_written_once(
    turning: Journal, due: list[Callable[[], None]], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        turning.close(f"req_{number}", closing(f"req_{number}", [number]))
    with monkeypatch.context() as patch:
        FullDisk(patch, room)
        due.pop()()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        FullDisk(patch, room)
        turning.extend("req_40.1", 5)
    turning.commit()
    whole = [line for line in lines(turning) if line.startswith(b"c ") and line.endswith(b"]")]
    assert [line.split(b" ")[1] for line in whole] == [b"req_%d" % number for number in range(40)]
