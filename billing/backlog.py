"""How far the ledger is behind the journals of this machine: calls that are closed there and not posted yet."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from billing.journal import Closing
from billing.models import LedgerEntry

# Of each journal its end is looked at: what is older was posted long ago, or there is more waiting than anybody needs counted.
TAIL_BYTES = 512 * 1024
IDS_AT_ONCE = 500
CLOSED = b"c "
REJECTED = "rejected.log"

_decoder = msgspec.json.Decoder(Closing)


@dataclass(frozen=True, slots=True)
class Backlog:
    """`waiting` attempts since `oldest`, in `octets` of journals by `folders` processes; `set_aside` octets that nobody could post."""

    folders: int = 0
    octets: int = 0
    waiting: int = 0
    oldest: datetime | None = None
    set_aside: int = 0


def backlog(root: Path) -> Backlog:
    folders = sorted(lock.parent for lock in root.glob("*/lock"))
    octets = 0
    closed: dict[str, float] = {}
    for folder in folders:
        files = sorted(folder.glob("*.log"))
        octets += sum(map(_size, files))
        if files:
            closed.update(_closed(files[-1]))
    posted = _posted(list(closed))
    waiting = {attempt: at for attempt, at in closed.items() if attempt not in posted}
    oldest = datetime.fromtimestamp(min(waiting.values()), UTC) if waiting else None
    return Backlog(len(folders), octets, len(waiting), oldest, _size(root / REJECTED))


def _size(path: Path) -> int:
    """A file that is gone by now was posted."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _closed(path: Path) -> dict[str, float]:
    """Attempts that the end of a journal charges for, and when."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, _size(path) - TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    found: dict[str, float] = {}
    for line in lines:
        if line.startswith(CLOSED):
            found.update(_charges(line.split(b" ", 2)[-1]))
    return found


def _charges(entry: bytes) -> dict[str, float]:
    try:
        return {posting.attempt_id: posting.at for posting in _decoder.decode(entry).postings}
    except msgspec.DecodeError:  # the drainer sets it aside
        return {}


def _posted(attempts: list[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(attempts), IDS_AT_ONCE):
        part = attempts[start : start + IDS_AT_ONCE]
        found.update(LedgerEntry.objects.filter(attempt_id__in=part, kind__in=("base", "reap")).values_list("attempt_id", flat=True))
    return found
