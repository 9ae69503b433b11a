"""Append-only local file of attempts: what was opened before a byte went upstream, what was closed when its end was known.

Lines go to the kernel with one `write(2)`: before a request leaves (`commit`), or when the event loop's turn is over. So a killed process
loses nothing that it told a provider. Every 20 ms they are synced to disk, so a power cut loses at most that. Files lie in
`journal/<instance>/NNNNNNNN.log`, the folder is flocked by its process; `drain.py` reads them.

A line is `o <attempt id> <json>` with an Opened, `x <attempt id> <tokens>` when its output grant was extended, `f <attempt id>` when it
ended without a charge, or `c <request id> <json>` with an Entry. An opening and its extensions hold all that is needed to post an estimate
when the process dies before the close.
"""

import asyncio
import fcntl
import logging
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from audit.requests import ReadSummary, RequestSummary
from billing.disk_sync import Later, disk_sync

logger = logging.getLogger(__name__)

ROTATE_BYTES = 8 * 1024 * 1024


class Posting(msgspec.Struct, array_like=True, gc=False):
    """One ledger entry to be: what an attempt cost. `at` is epoch seconds."""

    attempt_id: str
    at: float
    amount_nano: int
    is_unpriced: bool
    is_estimated: bool
    provider: str
    model: str
    price_version: str = ""


class Entry(msgspec.Struct, array_like=True, gc=False):
    """A call with its postings and the budget windows (budget id, start as epoch seconds) that they count against."""

    summary: RequestSummary
    postings: list[Posting] = []
    windows: list[tuple[int, float]] = []


class Closing(msgspec.Struct, array_like=True, gc=False):
    """An Entry as it is read: what nobody looks into is left as the JSON that it is."""

    summary: ReadSummary
    postings: list[Posting] = []
    windows: msgspec.Raw = msgspec.Raw(b"[]")


class Opened(msgspec.Struct, array_like=True, gc=False):
    """An attempt about to be sent: who, where to, and how much it may take. Kept small, for it is written on every call and seldom read."""

    request_id: str
    received_at: float
    endpoint: str
    is_stream: bool
    request_bytes: int
    input_tokens: int
    output_tokens: int
    route: str
    provider: str
    deployment_id: str
    deployment_name: str
    model: str
    organisation_id: str
    team_id: str
    team_name: str
    user_id: str
    user_name: str
    key_id: str
    key_name: str
    cost_centre: str
    client_ip: str
    windows: list[tuple[int, float]]


_encoder = msgspec.json.Encoder()


def at_once(work: Callable[[], None]) -> None:
    work()


class Journal:
    """This process's journal. Used on the event loop: one encode a line, at most one write, no wait for the disk.

    `soon` runs what it is given when the loop's turn is over: what happens in one turn is put on record by one write. `later` runs it after
    so many seconds.
    """

    def __init__(self, root: Path, soon: Callable[[Callable[[], None]], object] = at_once, later: Later | None = None) -> None:
        self.folder = root / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{secrets.token_hex(3)}"
        self.folder.mkdir(parents=True, mode=0o700)
        self._lock = _locked(self.folder / "lock")
        self._number = 0
        self._size = 0
        self._file = self._next_file()
        self._is_torn = False
        self._soon = soon
        self._late: list[bytes] = []
        self._is_late_due = False
        self._sync = disk_sync(self._file, later)

    def open(self, attempt_id: str, opened: Opened) -> None:
        """The attempt is on record once `commit` has returned; it must not be sent before."""
        self._write_later(b"o " + attempt_id.encode() + b" " + _encoder.encode(opened) + b"\n")

    def commit(self) -> None:
        """Puts on record whatever is not yet. Raises OSError when the disk does not take it: it is tried again with what comes next."""
        if self._late:
            self._write()

    def extend(self, attempt_id: str, output_tokens: int) -> None:
        """The attempt may make this many tokens in all. Raises OSError when the disk does not take it: then it may not."""
        self._write(b"x %b %d\n" % (attempt_id.encode(), output_tokens))

    async def flush(self) -> None:
        """Returns when all that was committed is on the disk. Raises OSError when it does not get there."""
        descriptor = os.dup(self._file)  # before a thread gets to it, the file may be full, and closed
        await asyncio.shield(asyncio.to_thread(_sync_and_close, descriptor))

    def free(self, attempt_id: str) -> None:
        """The attempt has ended and costs nothing, whatever becomes of its call."""
        self._write_later(b"f " + attempt_id.encode() + b"\n")

    def close(self, request_id: str, entry: Entry) -> None:
        """What happened has happened: a line that the disk does not take is kept and written with the next one."""
        self._write_later(b"c " + request_id.encode() + b" " + _encoder.encode(entry) + b"\n")

    def _write_later(self, line: bytes) -> None:
        self._late.append(line)
        if not self._is_late_due:
            self._is_late_due = True
            self._soon(self._write_late)

    def _write_late(self) -> None:
        self._is_late_due = False
        try:
            self.commit()
        except OSError as error:
            waiting = {"errno": error.errno, "lines": len(self._late)}
            logger.error("journal could not be written; it is tried again", extra={"fields": waiting})

    def stop(self) -> None:
        """Syncs and lets go of the folder; what is not drained yet is adopted by the next process."""
        self._write_late()  # a close that never gets to disk leaves its opening, which is posted as an estimate
        self._sync.stop()
        os.close(self._lock)

    def _write(self, line: bytes = b"") -> None:
        """What is late, and this line after it. Raises OSError; of what is late, only that is kept which did not get there."""
        if self._size >= ROTATE_BYTES:
            self._rotate()
        if self._late:
            line = b"".join(self._late) + line
        if not line:
            return
        torn = int(self._is_torn)
        line = b"\n" * torn + line  # so that what a failed write left behind does not swallow this one
        self._is_torn = True
        written = 0
        try:
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            self._forget_late(written - torn)
            raise
        self._late.clear()
        self._is_torn = False
        self._size += len(line)
        self._sync.written()

    def _forget_late(self, written: int) -> None:
        """Of what is late, so many bytes are in the file."""
        while self._late and written >= len(self._late[0]):
            written -= len(self._late.pop(0))

    def _rotate(self) -> None:
        """Without a new file (too many open, disk full) the old one goes on."""
        self._size = 0
        try:
            following = self._next_file()
        except OSError as error:
            logger.error("journal could not start a new file", extra={"fields": {"errno": error.errno}})
            return
        self._file = following
        self._sync.follow(following)

    def _next_file(self) -> int:
        self._number += 1
        return os.open(self.folder / f"{self._number:08d}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _sync_and_close(descriptor: int) -> None:
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    """A lock file that is held from the moment it has its name: no adopter ever finds it free while this process lives."""
    unnamed = path.with_suffix(".new")
    descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unnamed.rename(path)
    return descriptor
