"""Journal → ledger entries, request records and window totals, in batches off the path of calls. Idempotent by attempt and request id.

A batch is one transaction: what it inserted first decides what is added to the windows, so lines that come twice count once.
The folder of a process that died is adopted (its lock is free): closings are posted, and openings without a closing are posted as they
stand, a marked estimate. Nothing is forgotten before it is committed; a line that cannot be read is set aside, not lost.
"""

import fcntl
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from django.db import DatabaseError, close_old_connections

from billing.journal import Entry
from billing.posting import post

logger = logging.getLogger(__name__)

BATCH = 500
READ_BYTES = 4 * 1024 * 1024
IDLE_S = 0.25
ADOPT_EVERY_S = 5.0
RETRY_S = 1.0

_decoder = msgspec.json.Decoder(Entry)


@dataclass(slots=True)
class Reader:
    """Where we are in one folder: the file, the offset, and the attempts that are open with the file that opened them."""

    folder: Path
    done: dict[str, int] = field(default_factory=dict)
    open: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))

    def lines(self) -> Iterator[tuple[Path, int, list[bytes]]]:
        """(file, offset after them, complete lines) of what is new; a last line that is torn waits or is never whole."""
        for path in self.files():
            with path.open("rb") as file:
                file.seek(self.done.get(path.name, 0))
                block = file.read(READ_BYTES)
            end = block.rfind(b"\n") + 1
            if end:
                yield path, self.done.get(path.name, 0) + end, block[:end].split(b"\n")[:-1]

    def forget_finished(self) -> None:
        """Deletes files that are posted to their end, hold no open attempt and are not being written."""
        needed = {name for name, _ in self.open.values()}
        for path in self.files()[:-1]:
            if path.name not in needed and self.done.get(path.name, 0) >= path.stat().st_size:
                path.unlink()
                self.done.pop(path.name, None)


class Drainer:
    """Drains this process's journal from a thread, and adopts those of dead processes. `own` is None to adopt only."""

    def __init__(self, root: Path, own: Path | None) -> None:
        self._root = root
        self._reader = Reader(own) if own else None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Drains what is left and ends; what does not fit in the time is adopted by the next process."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        adopted_at = time.monotonic()
        while not self._stopping.is_set():
            try:
                lines = self._drain(self._reader) if self._reader else 0
                if time.monotonic() - adopted_at > ADOPT_EVERY_S:
                    self.adopt()
                    adopted_at = time.monotonic()
            except DatabaseError as error:
                logger.error("ledger could not be written; the journal keeps it", extra={"fields": {"error": type(error).__name__}})
                close_old_connections()
                self._stopping.wait(RETRY_S)
                continue
            self._stopping.wait(IDLE_S if lines < BATCH else 0.0)
        self.drain_once()

    def drain_once(self) -> int:
        """Posts everything there is: own lines and those of dead processes. Returns how many lines it read."""
        try:
            return (self._drain(self._reader) if self._reader else 0) + self.adopt()
        except DatabaseError as error:
            logger.error("ledger could not be written; the journal keeps it", extra={"fields": {"error": type(error).__name__}})
            return 0
        finally:
            close_old_connections()

    def _drain(self, reader: Reader) -> int:
        total = 0
        while True:
            read = 0
            for path, offset, lines in reader.lines():
                self._post(reader, path, lines)
                reader.done[path.name] = offset
                read += len(lines)
            total += read
            if not read:
                break
        if total:
            reader.forget_finished()
        return total

    def _post(self, reader: Reader, path: Path, lines: list[bytes]) -> None:
        batch: list[Entry] = []
        closed: list[str] = []
        opened: list[tuple[str, bytes]] = []
        for line in lines:
            kind, name, content = (line.split(b" ", 2) + [b"", b""])[:3]
            if kind == b"o":
                opened.append((name.decode("utf-8", "replace"), content))
                continue
            entry = self._entry(line, content) if kind == b"c" else self._reject(line)
            if entry is not None:
                batch.append(entry)
                closed += [note.id for note in entry.summary.attempts]
        for start in range(0, len(batch), BATCH):
            post(batch[start : start + BATCH], kind="base")
        for attempt_id, content in opened:
            reader.open[attempt_id] = (path.name, content)
        for attempt_id in closed:
            reader.open.pop(attempt_id, None)

    def _entry(self, line: bytes, content: bytes) -> Entry | None:
        try:
            return _decoder.decode(content)
        except msgspec.DecodeError:
            return self._reject(line)

    def _reject(self, line: bytes) -> None:
        """Keeps a line that cannot be read where a person can look at it."""
        logger.error("a journal line cannot be read; it is kept in rejected.log")
        descriptor = os.open(self._root / "rejected.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line + b"\n")
        finally:
            os.close(descriptor)

    def adopt(self) -> int:
        """Posts the journals of processes that are gone, then removes their folders."""
        total = 0
        for folder in sorted(path for path in self._root.glob("*/") if not self._reader or path != self._reader.folder):
            lock = _try_lock(folder / "lock")
            if lock is None:
                continue
            try:
                total += self._adopt(folder)
            finally:
                os.close(lock)
        return total

    def _adopt(self, folder: Path) -> int:
        reader = Reader(folder)
        read = self._drain(reader)
        lost = [
            entry for attempt_id, (_, content) in reader.open.items() if (entry := self._entry(attempt_id.encode(), content)) is not None
        ]
        for start in range(0, len(lost), BATCH):
            post(lost[start : start + BATCH], kind="reap")
        if lost:
            logger.warning("calls whose end nobody saw were posted at their estimate", extra={"fields": {"calls": len(lost)}})
        shutil.rmtree(folder)
        return read


def _try_lock(path: Path) -> int | None:
    """The descriptor of a lock that was free, or None. A folder just made and not locked yet has no lock file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
