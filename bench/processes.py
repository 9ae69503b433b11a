"""What a process tree has used so far, and where processes run."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_STOP_TIMEOUT_S = 20


def cores() -> tuple[int, int]:
    """One core for what is measured, another for the rest; the same one twice on a machine with one core."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pin_to(*allowed: int) -> Callable[[], None]:
    return lambda: os.sched_setaffinity(0, set(allowed))


def tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from tree(int(child))


def cpu_s(pid: int) -> float:
    """User and system time of the living tree."""
    total = 0.0
    for member in tree(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) * _TICK_S
    return total


def pss_mb(pid: int) -> float:
    """Memory of the tree, pages shared with others counted by their share."""
    total = 0
    for member in tree(pid):
        lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


@contextmanager
def running(
    command: Sequence[str], *, core: int | tuple[int, ...], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A pinned child whose output goes to `log`; ended, by its id, whatever happens."""
    allowed = core if isinstance(core, tuple) else (core,)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, preexec_fn=pin_to(*allowed)
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
