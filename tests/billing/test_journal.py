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
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setattr(journal_module, "SYNC_EVERY_S", 0)
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


def test_opening_is_in_the_file_when_open_returns(journal: Journal) -> None:
    journal.open("req_1.1", opening("req_1", [(7, 1.5)]))
    kind, attempt, content = lines(journal)[0].split(b" ", 2)
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


def test_attempt_that_is_not_on_record_is_not_opened(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        FullDisk(patch, 10)
        journal.open("req_1.1", opening("req_1"))
    journal.open("req_2.1", opening("req_2"))
    assert lines(journal)[0] == b"o req_1.1 "
    assert lines(journal)[1].startswith(b"o req_2.1 [")


def test_closing_that_the_disk_refused_is_written_before_the_next_line(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        FullDisk(patch, 10)
        journal.close("req_1", closing("req_1", [5]))
        journal.close("req_2", closing("req_2", [6]))
    journal.open("req_3.1", opening("req_3"))
    assert [line.split(b" ")[1] for line in lines(journal)[1:]] == [b"req_1", b"req_2", b"req_3.1"]


def test_calls_that_end_in_one_turn_are_closed_by_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    due: list[Callable[[], None]] = []
    journal = Journal(tmp_path, due.append)
    writes = Writes(monkeypatch)
    for number in range(3):
        journal.close(f"req_{number}", closing(f"req_{number}", [number]))
    journal.free("req_3.1")
    assert (writes.count, len(due)) == (0, 1)
    due.pop()()
    assert (writes.count, [line.split(b" ")[1] for line in lines(journal)]) == (1, [b"req_0", b"req_1", b"req_2", b"req_3.1"])
    journal.close("req_4", closing("req_4", [4]))
    assert len(due) == 1
    journal.stop()
    assert lines(journal)[-1].startswith(b"c req_4 ")


def test_opening_takes_along_what_waits_for_the_end_of_the_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    due: list[Callable[[], None]] = []
    journal = Journal(tmp_path, due.append)
    writes = Writes(monkeypatch)
    journal.close("req_1", closing("req_1", [5]))
    journal.open("req_2.1", opening("req_2"))
    assert [line[:7] for line in lines(journal)] == [b"c req_1", b"o req_2"]
    due.pop()()
    assert (writes.count, len(lines(journal))) == (1, 2)
    journal.stop()


@pytest.mark.parametrize("room", [0, 1, 200, 10_000])
def test_closings_of_which_the_disk_took_a_part_are_written_once(tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    due: list[Callable[[], None]] = []
    journal = Journal(tmp_path, due.append)
    for number in range(40):
        journal.close(f"req_{number}", closing(f"req_{number}", [number]))
    with monkeypatch.context() as patch:
        FullDisk(patch, room)
        due.pop()()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        FullDisk(patch, room)
        journal.open("req_40.1", opening("req_40"))
    journal.stop()
    whole = [line for line in lines(journal) if line.startswith(b"c ") and line.endswith(b"]")]
    assert [line.split(b" ")[1] for line in whole] == [b"req_%d" % number for number in range(40)]


def test_every_full_file_is_synced_before_it_is_closed(journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT) for name in ("first", "second"))
    arriving, happened = [[second], []], []

    def sync(descriptor: int) -> None:
        happened.append(("sync", descriptor))
        journal._full += arriving.pop(0) if arriving else []  # another file is full while this one is synced

    journal._full = [first]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", sync)
        patch.setattr(os, "close", lambda descriptor: happened.append(("close", descriptor)))
        journal._sync()
    assert happened[:4] == [("sync", first), ("close", first), ("sync", second), ("close", second)]
    assert happened[4:] == [("sync", journal._file)]
    os.close(first)
    os.close(second)
