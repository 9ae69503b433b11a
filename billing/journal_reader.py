"""A journal folder from the reading side: which lines are new, which attempts are open, and whether its process still lives."""

import contextlib
import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Complete lines of one file, without their ends; `end` is the offset behind them."""

    name: str
    end: int
    lines: list[bytes]


@dataclass(slots=True)
class Reader:
    """Where we are in a folder: how far each file is posted, and the opening lines of attempts that nobody closed yet."""

    folder: Path
    _done: dict[str, int] = field(default_factory=dict)
    _open: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    _granted: dict[str, tuple[str, int]] = field(default_factory=dict)

    def files(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob("*.log"))

    def next_block(self) -> Block | None:
        """The oldest lines that are not posted. A file comes after all of the one before: a close must not overtake its opening."""
        for path in self.files():
            start = self._done.get(path.name, 0)
            lines, size = _complete_lines(path, start)
            if lines:
                return Block(path.name, start + size, lines)
        return None

    def posted(
        self, block: Block, opened: Iterable[tuple[str, bytes]], closed: Iterable[str], extended: Iterable[tuple[str, int]] = ()
    ) -> None:
        self._done[block.name] = block.end
        for attempt_id, line in opened:
            self._open[attempt_id] = (block.name, line)
        for attempt_id, output_tokens in extended:
            if attempt_id in self._open:
                self._granted[attempt_id] = (block.name, output_tokens)
        for attempt_id in closed:
            self._open.pop(attempt_id, None)
            self._granted.pop(attempt_id, None)

    def openings(self) -> list[tuple[bytes, int]]:
        """The lines of attempts without an end, oldest first, each with what its output grant was extended to (0: never)."""
        return [(line, self._granted.get(attempt_id, ("", 0))[1]) for attempt_id, (_, line) in self._open.items()]

    def torn_files(self) -> list[str]:
        return [path.name for path in self.files() if path.stat().st_size > self._done.get(path.name, 0)]

    def delete_finished(self) -> None:
        """Deletes files that are posted to their end and tell nothing of an open attempt. The newest stays: it is being written."""
        needed = {name for name, _ in (*self._open.values(), *self._granted.values())}
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


def _complete_lines(path: Path, start: int) -> tuple[list[bytes], int]:
    with path.open("rb") as file:
        file.seek(start)
        block = file.read(READ_BYTES)
        while b"\n" not in block and (more := file.read(READ_BYTES)):
            block += more
    size = block.rfind(b"\n") + 1
    return block[:size].split(b"\n")[:-1], size


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
