"""How far the ledger is behind the journals of this machine."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing.backlog import REJECTED, Backlog, backlog
from billing.drain import Drainer
from billing.journal import Journal
from tests.billing.lines import AT, closing, opening

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def journal(root: Path) -> Iterator[Journal]:
    made = Journal(root)
    yield made
    made.stop()


def test_closed_attempts_wait_until_they_are_posted(root: Path, journal: Journal) -> None:
    journal.close("req_1", closing("req_1", [30, 12]))
    journal.close("req_2", closing("req_2", [5], at=AT + 60))
    found = backlog(root)
    assert (found.folders, found.waiting, found.oldest) == (1, 3, datetime.fromtimestamp(AT, UTC))
    Drainer(root, journal.folder).drain_once()
    assert backlog(root).waiting == 0


def test_call_under_way_does_not_wait(root: Path, journal: Journal) -> None:
    journal.open("req_1.1", opening("req_1"))
    found = backlog(root)
    assert (found.waiting, found.oldest) == (0, None)
    assert found.octets > 0


def test_line_that_cannot_be_read_does_not_wait(root: Path, journal: Journal) -> None:
    (journal.folder / "00000001.log").write_bytes(b'c req_1 {"no":"entry"}\nc req_2\n')
    assert backlog(root).waiting == 0


def test_what_nobody_could_post_is_told(root: Path) -> None:
    root.mkdir()
    (root / REJECTED).write_bytes(b"c odd\n")
    assert backlog(root) == Backlog(set_aside=6)


def test_machine_without_journals_has_no_backlog(root: Path) -> None:
    assert backlog(root) == Backlog()
