"""Append-only local file of attempts: what was opened before a byte went upstream, what was closed when its end was known.

One line is one `write(2)` straight to the kernel, so a killed process loses nothing; a thread syncs to disk every 20 ms, so a power cut
loses at most that. Files lie in `journal/<instance>/NNNNNNNN.log`, the folder is flocked by its process; `drain.py` reads them.

A line is `o <attempt id> <json>` or `c <request id> <json>`; the JSON is an Entry. An opening line is complete in itself: it is
what gets posted when the process dies before the close.
"""

import fcntl
import os
import secrets
import threading
import time
from pathlib import Path

import msgspec

from audit.requests import RequestSummary

ROTATE_BYTES = 8 * 1024 * 1024
SYNC_EVERY_S = 0.02


class Posting(msgspec.Struct, array_like=True):
    """One ledger entry to be: what an attempt cost. `at` is epoch seconds."""

    attempt_id: str
    at: float
    amount_nano: int
    is_unpriced: bool
    is_estimated: bool
    provider: str
    model: str
    price_version: str = ""


class Entry(msgspec.Struct, array_like=True):
    """A call with its postings and the budget windows (budget id, start as epoch seconds) that they count against."""

    summary: RequestSummary
    postings: list[Posting] = []
    windows: list[tuple[int, float]] = []


_encoder = msgspec.json.Encoder()


class Journal:
    """This process's journal. `open` and `close` are called on the event loop: one encode and one write each, no wait for the disk."""

    def __init__(self, root: Path) -> None:
        self.folder = root / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{secrets.token_hex(3)}"
        self.folder.mkdir(parents=True, mode=0o700)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._number = 0
        self._size = 0
        self._file = self._next_file()
        self._full: list[int] = []
        self._unsynced = threading.Event()
        self._stopping = False
        self._syncer = threading.Thread(target=self._sync_forever, name="journal-sync", daemon=True)
        self._syncer.start()

    def open(self, attempt_id: str, entry: Entry) -> None:
        self._write(b"o " + attempt_id.encode() + b" " + _encoder.encode(entry) + b"\n")

    def close(self, request_id: str, entry: Entry) -> None:
        self._write(b"c " + request_id.encode() + b" " + _encoder.encode(entry) + b"\n")

    def stop(self) -> None:
        """Syncs and lets go of the folder; what is not drained yet is adopted by the next process."""
        self._stopping = True
        self._unsynced.set()
        self._syncer.join()
        os.close(self._file)
        os.close(self._lock)

    def _write(self, line: bytes) -> None:
        if self._size >= ROTATE_BYTES:
            self._full.append(self._file)
            self._file = self._next_file()
        written = os.write(self._file, line)
        while written < len(line):
            written += os.write(self._file, line[written:])
        self._size += len(line)
        if not self._unsynced.is_set():
            self._unsynced.set()

    def _next_file(self) -> int:
        self._number += 1
        self._size = 0
        return os.open(self.folder / f"{self._number:08d}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _sync_forever(self) -> None:
        while not self._stopping:
            self._unsynced.wait()
            time.sleep(SYNC_EVERY_S)
            self._unsynced.clear()
            while self._full:
                full = self._full.pop()
                os.fdatasync(full)
                os.close(full)
            os.fdatasync(self._file)
