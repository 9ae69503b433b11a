"""How the C library keeps memory between calls.

By default glibc gives a large block back to the system as soon as it is free, and asks for it again, page by page, on the next call:
with bodies of a megabyte that is half of all CPU time.
"""

import ctypes
import gc

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 64 * 1024 * 1024
LARGEST_KEPT_BLOCK = 32 * 1024 * 1024

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
