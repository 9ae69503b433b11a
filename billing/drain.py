"""Journal → ledger entries, request records and window totals, in batches off the path of calls. Idempotent by attempt and request id.

A batch is one transaction, and nothing is forgotten before it is committed. The folder of a process that died is adopted: closings are
posted, and calls that were opened and never closed are posted at their estimate as `reap`. A line that cannot be posted is set aside.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
from django.db import DataError, Error, IntegrityError, close_old_connections, connection

from billing.journal import Entry, Opened
from billing.journal_reader import Block, Notes, Reader, take_lock
from billing.loading import load_prices
from billing.models import LedgerEntry
from billing.posting import Tell, post_closings, settled, tell_nobody, tidied
from billing.recovery import estimated, merged
from billing.shares import retire
from billing.snapshot import PriceBook

logger = logging.getLogger(__name__)

BATCH = 2000
# After many lines it waits longer: posting two thousand calls at once costs a fifth less a call than posting five hundred.
MANY_LINES = 1000
BUSY_S = 1.0
IDLE_S = 0.5
ADOPT_EVERY_S = 5.0
RETRY_S = 0.5
MAX_DIGITS = 10
MAX_RETRY_S = 8.0
REJECTED = "rejected.log"
# What a single odd entry raises, and not the database's absence.
UNPOSTABLE = (DataError, IntegrityError, ValueError, OverflowError, RecursionError, msgspec.DecodeError)

# A call's id, the line or lines that tell of it, and its entry as JSON.
Call = tuple[bytes, bytes, bytes]

_decoder = msgspec.json.Decoder(Entry)
_encode = msgspec.json.Encoder().encode
_opened_decoder = msgspec.json.Decoder(Opened)


class Drainer:
    """Drains this process's journal from a thread, and adopts those of dead processes. `own` is None to adopt only.

    `tell` hears what was moved from the shares of this process, as `post` says.
    """

    def __init__(self, root: Path, own: Path | None, tell: Tell = tell_nobody) -> None:
        self._root = root
        self._tell = tell
        self._set_aside_before: set[int] = set()
        self._own = Reader(own) if own else None
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

    def drain_once(self) -> int:
        """Posts everything there is: own lines and those of dead processes. Returns how many lines it read; 0 when the database is away."""
        _let_go_of_connection()
        lines = self._try(is_adopting=True, is_all=True)
        _let_go_of_connection()
        return lines or 0

    def _run(self) -> None:
        wait_s, failures = 0.0, 0
        adopt_at = time.monotonic() + ADOPT_EVERY_S
        while not self._stopping.wait(wait_s):
            is_adopting = time.monotonic() >= adopt_at
            lines = self._try(is_adopting=is_adopting, is_all=False)
            if lines is None:
                wait_s = min(MAX_RETRY_S, RETRY_S * 2**failures)
                failures = min(failures + 1, 10)
                _let_go_of_connection()
                continue
            wait_s, failures = BUSY_S if lines > MANY_LINES else IDLE_S, 0
            if is_adopting:
                adopt_at = time.monotonic() + ADOPT_EVERY_S
        self._try(is_adopting=True, is_all=True)  # our own journal too, if its writer has let go of it
        connection.close()

    def _try(self, *, is_adopting: bool, is_all: bool) -> int | None:
        """How many lines were read, or None when they could not be posted: the journal still has them."""
        try:
            lines = self._drain(self._own, is_all=is_all) if self._own else 0
            return lines + (self._adopt_all() if is_adopting else 0)
        except (Error, OSError) as error:
            logger.error("ledger could not be written; the journal keeps it", extra={"fields": {"error": type(error).__name__}})
            return None

    def _adopt_all(self) -> int:
        """A folder that cannot be read keeps nobody from the others."""
        lines = 0
        unreadable: OSError | None = None
        for lock in sorted(self._root.glob("*/lock")):
            try:
                lines += self._adopt(Reader(lock.parent))
            except OSError as error:
                unreadable = error
        if unreadable is not None:
            raise unreadable
        return lines

    def _adopt(self, reader: Reader) -> int:
        """Posts the journal of a process that is gone, sends its shares home and removes its folder; nothing when the process lives."""
        lock = take_lock(reader.folder / "lock")
        if lock is None:
            return 0
        try:
            lines = self._drain(reader, is_all=True)
            self._reap(reader)
            retire(reader.folder.name)
            reader.delete()
        finally:
            os.close(lock)
        return lines

    def _drain(self, reader: Reader, *, is_all: bool) -> int:
        """Unless it is to be all, what is written meanwhile waits for the next time: a few lines cost half as much as many."""
        total, is_over = 0, False
        while not is_over and (block := reader.next_block()) is not None:
            self._post_block(reader, block)
            total += len(block.lines)
            is_over = block.is_last and not is_all
        if total:
            reader.delete_finished()
        return total

    def _post_block(self, reader: Reader, block: Block) -> None:
        opened: list[bytes] = []
        closed: list[Call] = []
        freed: list[bytes] = []
        extended: list[tuple[bytes, int]] = []
        odd: list[bytes] = []
        for line in block.lines:
            kind = line[:2]
            if kind == b"o ":
                opened.append(line)
            elif kind == b"c ":
                closed.append(_call(line))
            elif kind == b"f ":
                freed.append(line[2:])
            elif kind == b"x " and (extension := _extension(line)) is not None:
                extended.append(extension)
            elif line:
                odd.append(line)
        refused = self._post_calls(closed, LedgerEntry.Kind.BASE, reader)
        self._set_aside(odd + [line for _, line, _ in refused])
        ended = {request_id for request_id, _, _ in closed} - {request_id for request_id, _, _ in refused}
        reader.posted(block, Notes(opened, ended, freed, extended))

    def _reap(self, reader: Reader) -> None:
        """Posts what was opened and never closed. A call that has its record is settled, whatever lines of it are left."""
        if torn := reader.torn_files():
            logger.warning("a torn last line is ignored", extra={"fields": {"journal": reader.folder.name, "files": torn}})
        lines = reader.openings()
        prices = load_prices() if lines else PriceBook()
        openings = [(line, _estimate(line, granted, prices)) for line, granted in lines]
        lost = merged((line, entry) for line, entry in openings if entry is not None)
        known = settled([entry.summary.id for _, entry in lost])
        calls = [(entry.summary.id.encode(), line, _encode(entry)) for line, entry in lost if entry.summary.id not in known]
        refused = self._post_calls(calls, LedgerEntry.Kind.REAP, reader)
        self._set_aside([line for line, entry in openings if entry is None] + [line for _, line, _ in refused])
        if posted := len(calls) - len(refused):
            logger.warning("calls whose end nobody saw were posted at their estimate", extra={"fields": {"calls": posted}})

    def _set_aside(self, lines: Sequence[bytes]) -> None:
        """Keeps lines that cannot be posted where a person can look at them; once, however often their folder is read."""
        lines = [line for line in lines if hash(line) not in self._set_aside_before]
        if not lines:
            return
        logger.error("journal lines cannot be posted; they are kept apart", extra={"fields": {"lines": len(lines), "file": REJECTED}})
        descriptor = os.open(self._root / REJECTED, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
        self._set_aside_before.update(map(hash, lines))

    def _post_calls(self, calls: Sequence[Call], kind: str, reader: Reader) -> list[Call]:
        """Returns those that cannot be posted."""
        tell = self._tell if reader is self._own else tell_nobody
        poster = partial(post_closings, kind=kind, instance_id=reader.folder.name, tell=tell)
        parts = (calls[start : start + BATCH] for start in range(0, len(calls), BATCH))
        return [call for part in parts for call in _refused(part, poster)]


def _refused(calls: Sequence[Call], poster: Callable[[Sequence[bytes]], None]) -> Sequence[Call]:
    """Posts what can be. A batch that the database does not take is halved until the odd one is alone, which is tried once more, tidied."""
    try:
        poster([closing for _, _, closing in calls])
    except UNPOSTABLE:
        if len(calls) == 1:
            return () if _is_posted_tidied(calls[0], poster) else calls
    else:
        return ()
    middle = len(calls) // 2
    return [*_refused(calls[:middle], poster), *_refused(calls[middle:], poster)]


def _is_posted_tidied(call: Call, poster: Callable[[Sequence[bytes]], None]) -> bool:
    try:
        poster([_encode(tidied(_decoder.decode(call[2])))])
    except UNPOSTABLE:
        return False
    return True


def _let_go_of_connection() -> None:
    """Closes one that is broken or of no more use, unless the caller's transaction runs on it."""
    if not connection.in_atomic_block:
        close_old_connections()


def _call(line: bytes) -> Call:
    request_id, _, closing = line[2:].partition(b" ")
    return request_id, line, closing


def _extension(line: bytes) -> tuple[bytes, int] | None:
    attempt_id, _, tokens = line[2:].partition(b" ")
    return (attempt_id, int(tokens)) if tokens.isdigit() and len(tokens) < MAX_DIGITS else None


def _estimate(line: bytes, granted: int, prices: PriceBook) -> Entry | None:
    _, attempt_id, content = [*line.split(b" ", 2), b"", b""][:3]
    try:
        return estimated(attempt_id.decode(), _opened_decoder.decode(content), granted, prices)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
