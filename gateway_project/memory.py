"""How the process keeps its memory.

By default glibc gives a large block back to the system as soon as it is free, and asks for it again, page by page, on the next call:
with bodies of a megabyte that is half of all CPU time. And memory comes in pages of 4 kB: a twentieth of a call goes into looking up
where they lie, unless Linux lays them together in pages of 2 MB.
"""

import ctypes
import gc
import threading
from collections.abc import Iterator
from pathlib import Path

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 64 * 1024 * 1024
LARGEST_KEPT_BLOCK = 32 * 1024 * 1024

MADV_COLLAPSE = 25
# Where less of a region is in use, as in the stack of a thread, large pages would take memory that nobody needs.
LEAST_USED = 0.75

GC_THRESHOLDS = (5_000, 20, 20)


def keep_freed_memory() -> None:
    """Lets the process keep up to KEPT_BYTES for the next call. Other C libraries than glibc have no such setting."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BLOCK)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def leave_alone_what_is_loaded() -> None:
    """What is loaded now stays, so the collector need not look at it again on every call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def use_large_pages() -> None:
    """Lays together what is in memory now, from a thread: it takes a third of a second. Where Linux is older than 6.1 nothing happens."""
    threading.Thread(target=_lay_together, name="large-pages", daemon=True).start()


def _lay_together() -> None:
    madvise = getattr(ctypes.CDLL(None), "madvise", None)
    try:
        regions = list(regions_in_use(Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace")))
    except OSError:
        return
    if madvise is not None:
        for start, end in regions:
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_COLLAPSE)


def regions_in_use(smaps: str) -> Iterator[tuple[int, int]]:
    """Where the regions lie that are the process's own, without a file behind them, and filled. `smaps` is what proc(5) says it is."""
    start = end = 0
    for line in smaps.splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):
            is_own = rest[0] == "rw-p" and rest[4:] in ([], ["[heap]"])
            start, end = (int(place, 16) for place in name.split("-")) if is_own else (0, 0)
        elif name == "Rss:" and start and int(rest[0]) * 1024 >= LEAST_USED * (end - start):
            yield start, end
