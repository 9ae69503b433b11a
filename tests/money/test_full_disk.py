"""A disk that is really full, journal and database on it: calls are refused, nothing is lost, and room is all that it takes to go on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.scopes import Cast, Key, Limit
from tests.chaos.town import ALONE, call, code, town
from tests.gateway_project.running import until

BOB = Key("bob", "blue")
PLENTY = 10**12
SIZE = "32m"
REFUSALS = {"journal_unavailable", "budget_unavailable"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", tmp_path], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a file system can be mounted by root only")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(os.statvfs(disk).f_bsize))
    yield
    ballast.unlink()


# R92
def test_full_disk_refuses_calls_and_loses_nothing(disk: Path) -> None:
    with town("sqlite", Cast((BOB,), (Limit("key", "bob", PLENTY),))) as built:
        shutil.copytree(built.home, disk / "home")
        place = replace(built, home=disk / "home")
        ended: list[str] = []

        def ask() -> str:
            ended.append(code(call(server, BOB)))
            return ended[-1]

        with place.serving(ALONE) as (server,):
            assert ask() == "200"
            with full(disk):
                until(lambda: ask() in REFUSALS)  # the last page may have room for a line
                for _ in range(20):  # what the server frees meanwhile may be room for another
                    ask()
            until(lambda: ask() == "200")
        assert set(ended) <= {"200", *REFUSALS}
        assert place.disorder() == []
        assert len(place.book().lines) == len(place.billed()) == ended.count("200")
        assert not any(line.is_estimated for line in place.book().lines)
