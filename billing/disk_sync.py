"""Brings a file to the disk, milliseconds after it was written to, while the event loop goes on.

A thread of Python does it anywhere (`ByThread`). But after each wait for the disk it wants the interpreter's lock, and a busy loop, which
lets go of that for the moment of a system call, then wakes the thread each time, in vain: before it is awake the loop has the lock again.
On Linux a thread of the C library's own does it (`ByLibrary`, aio_fsync of POSIX): 2 % less CPU a call.
"""

import ctypes
import errno
import logging
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger(__name__)

SYNC_EVERY_S = 0.02
LOOK_AGAIN_S = 0.002
TRY_AGAIN_S = 1.0
# POSIX's aiocb on 64-bit Linux, of which two fields are ours: the file, and that nobody is to be told. glibc and musl agree on these.
_BLOCK_BYTES = 512
_DESCRIPTOR_AT, _NOTIFY_AT, _NOTIFY_NOBODY = 0, 44, 1

Later = Callable[[float, Callable[[], None]], object]


class DiskSync(Protocol):
    """Of the file that it was made with; closes it in the end."""

    def written(self) -> None:
        """The file has grown."""

    def follow(self, descriptor: int) -> None:
        """From now on this file grows; the one before is brought to the disk once more, and closed."""

    def stop(self) -> None:
        """Returns when all that was written is on the disk, and closes all."""


def disk_sync(descriptor: int, later: Later | None) -> DiskSync:
    """`later` is an event loop's `call_later`; without a loop, or such a library, it takes a thread."""
    library = _library() if later is not None else None
    return ByThread(descriptor) if later is None or library is None else ByLibrary(descriptor, later, library)


def _library() -> ctypes.PyDLL | None:
    """With the interpreter's lock kept: its functions wait for nothing."""
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    library = ctypes.PyDLL(None, use_errno=True)
    return library if hasattr(library, "aio_fsync") else None


def _note(error: OSError) -> None:
    logger.error("journal could not be synced to disk", extra={"fields": {"errno": error.errno}})


def _end(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            _note(error)
        os.close(descriptor)


class ByThread:
    def __init__(self, descriptor: int) -> None:
        self._file = descriptor
        self._full: list[int] = []
        self._unsynced = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def written(self) -> None:
        if not self._unsynced.is_set():
            self._unsynced.set()

    def follow(self, descriptor: int) -> None:
        full, self._file = self._file, descriptor
        self._full.append(full)

    def stop(self) -> None:
        self._is_stopping = True
        self._unsynced.set()
        self._thread.join()
        _end([*self._full, self._file])

    def _run(self) -> None:
        while not self._is_stopping:
            self._unsynced.wait()
            time.sleep(SYNC_EVERY_S)
            self._unsynced.clear()
            self._sync()

    def _sync(self) -> None:
        try:
            while self._full:
                os.fdatasync(self._full[0])  # the event loop adds to the end meanwhile
                os.close(self._full.pop(0))
            os.fdatasync(self._file)
        except OSError as error:
            _note(error)


class ByLibrary:
    """One file at a time: begun by a timer of the event loop, looked after by the next one."""

    def __init__(self, descriptor: int, later: Later, library: ctypes.PyDLL) -> None:
        self._file = descriptor
        self._full: list[int] = []
        self._later = later
        self._library = library
        self._block = ctypes.create_string_buffer(_BLOCK_BYTES)
        self._under_way: int | None = None
        self._is_dirty = self._is_awake = self._is_stopped = False

    def written(self) -> None:
        self._is_dirty = True
        if not self._is_awake:
            self._is_awake = True
            self._later(SYNC_EVERY_S, self._go_on)

    def follow(self, descriptor: int) -> None:
        full, self._file = self._file, descriptor
        self._full.append(full)

    def stop(self) -> None:
        self._is_stopped = True
        while not self._is_idle():
            time.sleep(LOOK_AGAIN_S)
        _end([*self._full, self._file])

    def _go_on(self) -> None:
        if self._is_stopped:
            return
        if not self._is_idle():
            self._later(LOOK_AGAIN_S, self._go_on)
        elif self._full:
            self._begin(self._full[0], LOOK_AGAIN_S)
        elif self._is_dirty:
            self._is_dirty = False
            self._begin(self._file, SYNC_EVERY_S)
        else:
            self._is_awake = False

    def _begin(self, descriptor: int, following_s: float) -> None:
        struct.pack_into("i", self._block, _DESCRIPTOR_AT, descriptor)
        struct.pack_into("i", self._block, _NOTIFY_AT, _NOTIFY_NOBODY)
        if self._library.aio_fsync(os.O_DSYNC, self._block):
            self._is_dirty, following_s = True, TRY_AGAIN_S
            _note(OSError(ctypes.get_errno(), "aio_fsync"))
        else:
            self._under_way = descriptor
        self._later(following_s, self._go_on)

    def _is_idle(self) -> bool:
        """Whether nothing is under way any more; a full file is closed then."""
        if self._under_way is None:
            return True
        code = self._library.aio_error(self._block)
        if code == errno.EINPROGRESS:
            return False
        self._library.aio_return(self._block)
        if code:
            _note(OSError(code, "aio_fsync"))
        if self._under_way in self._full:
            self._full.remove(self._under_way)
            os.close(self._under_way)
        self._under_way = None
        return True
