"""A journal folder from the reading side: which lines are new, which attempts are open, and whether its process still lives."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

READ_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Complete lines of one file, without their ends; `end` is the offset behind them, `is_last` whether there was nothing after them."""

    name: str
    end: int
    lines: list[bytes]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Notes:
    """What a block tells of attempts: lines that open, ids of calls that are closed and of attempts freed, and what grants became."""

    opened: list[bytes]
    closed: set[bytes]
    freed: list[bytes]
    extended: list[tuple[bytes, int]]


@dataclass(slots=True)
class _Attempt:
    """Where an attempt that has no end yet was opened, and to what its output grant was extended (0: never)."""

    opened_in: str
    line: bytes
    extended_in: str = ""
    granted: int = 0


@dataclass(slots=True)
class Reader:
    """Where we are in a folder: how far each file is posted, and the attempts that nobody closed yet, by their calls."""

    folder: Path
    _done: dict[str, int] = field(default_factory=dict)
    _open: dict[bytes, dict[bytes, _Attempt]] = field(default_factory=dict)

    def files(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob("*.log"))

    def next_block(self) -> Block | None:
        """The oldest lines that are not posted. A file comes after all of the one before: a close must not overtake its opening."""
        files = self.files()
        for path in files:
            start = self._done.get(path.name, 0)
            lines, size, is_end = _complete_lines(path, start)
            if lines:
                return Block(path.name, start + size, lines, is_end and path == files[-1])
        return None

    def posted(self, block: Block, notes: Notes) -> None:
        """Nothing of the block is asked for again. An attempt ends when it is freed, and all of a call when that is closed."""
        self._done[block.name] = block.end
        for line in notes.opened:
            attempt_id = line[2 : line.find(b" ", 2)]
            call = _call_of(attempt_id)
            if call not in notes.closed:
                self._open.setdefault(call, {})[attempt_id] = _Attempt(block.name, line)
        for attempt_id, output_tokens in notes.extended:
            if (attempt := self._open.get(_call_of(attempt_id), {}).get(attempt_id)) is not None:
                attempt.extended_in, attempt.granted = block.name, output_tokens
        for attempt_id in notes.freed:
            self._free(attempt_id)
        for call in notes.closed:
            self._open.pop(call, None)

    def _free(self, attempt_id: bytes) -> None:
        call = _call_of(attempt_id)
        if attempts := self._open.get(call):
            attempts.pop(attempt_id, None)
            if not attempts:
                del self._open[call]

    def openings(self) -> list[tuple[bytes, int]]:
        """The lines of attempts without an end, oldest first, each with what its output grant was extended to (0: never)."""
        return [(attempt.line, attempt.granted) for attempt in self._attempts()]

    def _attempts(self) -> Iterator[_Attempt]:
        return chain.from_iterable(attempts.values() for attempts in self._open.values())

    def torn_files(self) -> list[str]:
        return [path.name for path in self.files() if path.stat().st_size > self._done.get(path.name, 0)]

    def delete_finished(self) -> None:
        """Deletes files that are posted to their end and tell nothing of an open attempt. The newest stays: it is being written."""
        needed = {name for attempt in self._attempts() for name in (attempt.opened_in, attempt.extended_in)}
        for path in self.files()[:-1]:
            if path.name not in needed and self._done.get(path.name, 0) >= path.stat().st_size:
                path.unlink()
                self._done.pop(path.name, None)

    def delete(self) -> None:
        """Removes the folder. Its lock goes last: whatever is left after a crash in here is found and posted (to no effect) again."""
        for path in self.files():
            path.unlink()
        (self.folder / "lock").unlink()
        with contextlib.suppress(OSError):  # somebody put another file there
            self.folder.rmdir()


def _call_of(attempt_id: bytes) -> bytes:
    """Attempts are numbered: `<call>.<number>`."""
    return attempt_id.rpartition(b".")[0]


def _complete_lines(path: Path, start: int) -> tuple[list[bytes], int, bool]:
    """The lines, their size, and whether the file ended there."""
    with path.open("rb") as file:
        file.seek(start)
        block = more = file.read(READ_BYTES)
        while b"\n" not in block and (more := file.read(READ_BYTES)):
            block += more
    size = block.rfind(b"\n") + 1
    return block[:size].split(b"\n")[:-1], size, len(more) < READ_BYTES


def take_lock(path: Path) -> int | None:
    """The descriptor of a dead process's lock, ours until it is closed; None when the process lives or another adopter was faster."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink == 0:  # adopted and deleted between our open and our lock
        os.close(descriptor)
        return None
    return descriptor
