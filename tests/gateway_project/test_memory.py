"""Which memory is worth laying together in large pages."""

import sys
from pathlib import Path

from gateway_project.memory import regions_in_use

SMAPS = """\
55d0a0000000-55d0a0200000 r--p 00000000 fe:00 260386                     /usr/bin/python3.11
Size:               2048 kB
Rss:                2048 kB
55d0a0200000-55d0a0a00000 rw-p 00000000 00:00 0                          [heap]
Size:               8192 kB
Rss:                8000 kB
Pss:                8000 kB
7f0000000000-7f0000400000 rw-p 00000000 00:00 0 
Size:               4096 kB
Rss:                3072 kB
7f0000400000-7f0000c00000 rw-p 00000000 00:00 0 
Size:               8192 kB
Rss:                 100 kB
7f0001000000-7f0001400000 rw-s 00000000 00:01 1030                       /dev/zero (deleted)
Size:               4096 kB
Rss:                4096 kB
7ffc00000000-7ffc00200000 rw-p 00000000 00:00 0                          [stack]
Size:               2048 kB
Rss:                2048 kB
VmFlags: rd wr mr mw me gd ac
"""  # noqa: W291 - as Linux writes it


def test_only_filled_regions_of_its_own_are_laid_together() -> None:
    assert list(regions_in_use(SMAPS)) == [(0x55D0A0200000, 0x55D0A0A00000), (0x7F0000000000, 0x7F0000400000)]


def test_what_this_process_has_filled_is_found() -> None:
    filled = b"x" * 64 * 1024 * 1024
    regions = list(regions_in_use(Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace")))
    middle = id(filled) + sys.getsizeof(filled) // 2
    assert any(start <= middle < end for start, end in regions)
