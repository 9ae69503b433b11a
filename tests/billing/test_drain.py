import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.models import Sum

from audit.models import RequestRecord
from billing import disk_sync, posting
from billing import drain as drain_module
from billing import journal as journal_module
from billing.drain import Drainer
from billing.journal import Journal
from billing.models import Budget, LedgerEntry, Window
from tests.billing.lines import AT, ESTIMATE, closing, opening

ROOT = Path(__file__).parent.parent.parent
START = AT - 60

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(disk_sync, "SYNC_EVERY_S", 0)
    return tmp_path


@pytest.fixture
def journal(root: Path) -> Iterator[Journal]:
    """The journal of a process that lives as long as the test."""
    journal = Journal(root)
    yield journal
    journal.stop()


@pytest.fixture
def drainer(root: Path, journal: Journal) -> Drainer:
    return Drainer(root, journal.folder)


@pytest.fixture
def budget() -> Budget:
    return Budget.objects.create(scope="global", amount_nano=10**12, period="day")


def died(root: Path, *lines: bytes) -> Path:
    """The journal folder of a process that is gone, with whole lines in files of one line each."""
    journal = Journal(root)
    journal.stop()
    for number, line in enumerate(lines, 2):
        (journal.folder / f"{number:08d}.log").write_bytes(line)
    return journal.folder


def line_of(root: Path, *, opened: str = "", closed: str = "", amounts: tuple[int, ...] = ()) -> bytes:
    """The bytes that a journal writes for an attempt opened or a call closed."""
    scribe = Journal(root / "scribe")
    if opened:
        scribe.open(opened, opening(opened.split(".")[0]))
    else:
        scribe.close(closed, closing(closed, list(amounts)))
    scribe.stop()
    return next(scribe.folder.glob("*.log")).read_bytes()


def ledger() -> dict[str, tuple[str, int]]:
    return {entry.attempt_id: (entry.kind, entry.amount_nano) for entry in LedgerEntry.objects.all()}


def test_closing_becomes_record_entry_and_window(journal: Journal, drainer: Drainer, budget: Budget) -> None:
    journal.close("req_1", closing("req_1", [30, 12], [(budget.pk, START)]))
    assert drainer.drain_once() == 1
    assert ledger() == {"req_1.1": ("base", 30), "req_1.2": ("base", 12)}
    assert Window.objects.values_list("budget", "starts_at", "posted_nano").get() == (budget.pk, datetime.fromtimestamp(START, UTC), 42)
    record = RequestRecord.objects.get(received_at=datetime.fromtimestamp(AT, UTC))
    assert (record.id, record.cost_nano, record.first_byte_ms, record.is_stream) == ("req_1", 42, 12.5, True)
    assert (record.tags, record.tools, record.attempts[1]["id"]) == (["ci", "größe"], [], "req_1.2")
    assert record.price_lines[0]["unit_pico"] == 3_000_000


def test_entry_names_who_pays_and_for_what(journal: Journal, drainer: Drainer) -> None:
    journal.close("req_1", closing("req_1", [30]))
    drainer.drain_once()
    entry = LedgerEntry.objects.get(at=datetime.fromtimestamp(AT, UTC))
    assert (entry.request_id, entry.organisation_id, entry.team_id, entry.user_id) == ("req_1", "org-1", "team-1", "user-1")
    assert (entry.key_id, entry.cost_centre, entry.route, entry.provider) == ("key-1", "CC-7", "claude-sonnet", "demo")
    assert (entry.model, entry.price_version, entry.is_estimated) == ("demo-sonnet", "demo:sonnet", False)


def test_journal_read_again_from_the_start_posts_nothing_twice(root: Path, journal: Journal, budget: Budget) -> None:
    for _ in range(2):
        journal.close("req_1", closing("req_1", [30], [(budget.pk, START)]))
        assert Drainer(root, journal.folder).drain_once() > 0
    assert ledger() == {"req_1.1": ("base", 30)}
    assert Window.objects.get().posted_nano == 30


def test_line_that_comes_twice_in_one_batch_counts_once(journal: Journal, drainer: Drainer, budget: Budget) -> None:
    for _ in range(2):
        journal.close("req_1", closing("req_1", [30], [(budget.pk, START)]))
    assert drainer.drain_once() == 2
    assert ledger() == {"req_1.1": ("base", 30)}
    assert Window.objects.get().posted_nano == 30


def test_more_than_a_batch_adds_up(journal: Journal, drainer: Drainer, budget: Budget) -> None:
    for number in range(1203):
        journal.close(f"req_{number}", closing(f"req_{number}", [number], [(budget.pk, START)]))
    assert drainer.drain_once() == 1203
    assert LedgerEntry.objects.aggregate(Sum("amount_nano")) == {"amount_nano__sum": 1202 * 1203 // 2}
    assert Window.objects.get().posted_nano == 1202 * 1203 // 2


def test_call_under_way_is_not_posted(journal: Journal, drainer: Drainer) -> None:
    journal.open("req_1.1", opening("req_1"))
    drainer.drain_once()
    assert ledger() == {}


def test_journal_of_a_living_process_is_left_alone(root: Path, journal: Journal) -> None:
    journal.close("req_1", closing("req_1", [30]))
    assert Drainer(root, None).drain_once() == 0
    assert journal.folder.is_dir()


def test_call_of_a_dead_process_is_posted_at_its_estimate(root: Path, budget: Budget) -> None:
    dead = Journal(root)
    dead.open("req_1.1", opening("req_1", [(budget.pk, START)]))
    dead.close("req_2", closing("req_2", [30], [(budget.pk, START)]))
    dead.stop()
    Drainer(root, None).drain_once()
    assert ledger() == {"req_1.1": ("reap", ESTIMATE), "req_2.1": ("base", 30)}
    assert Window.objects.get().posted_nano == ESTIMATE + 30
    record = RequestRecord.objects.get(pk="req_1")
    assert (record.outcome, record.cost_nano, record.is_estimated) == ("interrupted", ESTIMATE, True)
    assert not dead.folder.exists()


def test_lost_call_with_two_attempts_has_one_record_with_both_costs(root: Path) -> None:
    died(root, line_of(root, opened="req_1.1"), line_of(root, opened="req_1.2"))
    Drainer(root, None).drain_once()
    assert ledger() == {"req_1.1": ("reap", ESTIMATE), "req_1.2": ("reap", ESTIMATE)}
    record = RequestRecord.objects.get()
    assert (record.cost_nano, [note["id"] for note in record.attempts]) == (2 * ESTIMATE, ["req_1.1", "req_1.2"])


def test_opening_whose_call_is_settled_is_not_charged(root: Path) -> None:
    died(root, line_of(root, closed="req_1", amounts=()))
    Drainer(root, None).drain_once()
    died(root, line_of(root, opened="req_1.1"))
    Drainer(root, None).drain_once()
    assert ledger() == {}


def test_close_in_a_later_file_ends_the_opening(root: Path) -> None:
    died(root, line_of(root, opened="req_1.1"), line_of(root, opened="req_2.1"), line_of(root, closed="req_1", amounts=(30,)))
    Drainer(root, None).drain_once()
    assert ledger() == {"req_1.1": ("base", 30), "req_2.1": ("reap", ESTIMATE)}


def test_close_never_overtakes_its_opening_in_a_long_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.journal_reader.READ_BYTES", 40)
    died(root, line_of(root, opened="req_2.1") + line_of(root, opened="req_1.1"), line_of(root, closed="req_1", amounts=(30,)))
    assert Drainer(root, None).drain_once() == 3
    assert ledger() == {"req_1.1": ("base", 30), "req_2.1": ("reap", ESTIMATE)}


def test_posted_files_are_deleted_but_the_newest_and_those_with_calls_under_way(
    journal: Journal, drainer: Drainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "ROTATE_BYTES", 100)
    journal.close("req_1", closing("req_1", [1]))
    journal.open("req_2.1", opening("req_2"))
    journal.close("req_3", closing("req_3", [3]))
    journal.open("req_4.1", opening("req_4"))
    drainer.drain_once()
    assert sorted(path.name for path in journal.folder.glob("*.log")) == ["00000002.log", "00000004.log"]
    journal.close("req_2", closing("req_2", [2]))
    drainer.drain_once()
    assert sorted(path.name for path in journal.folder.glob("*.log")) == ["00000004.log", "00000005.log"]


def test_torn_last_line_is_ignored(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = died(root, line_of(root, closed="req_1", amounts=(30,)), line_of(root, closed="req_2", amounts=(9,))[:-10])
    Drainer(root, None).drain_once()
    assert ledger() == {"req_1.1": ("base", 30)}
    assert "torn" in caplog.text
    assert not folder.exists()


@pytest.mark.parametrize("odd", [b"what\n", b"c req_9 [[\n", b"c req_9 []\n", b"c \xff\xff\n", b"o \n", b"o req_9.1 {}\n", b"x y z\n"])
def test_unreadable_line_is_set_aside_and_the_rest_is_posted(root: Path, odd: bytes, caplog: pytest.LogCaptureFixture) -> None:
    died(root, line_of(root, closed="req_1", amounts=(1,)) + odd + line_of(root, closed="req_2", amounts=(2,)))
    Drainer(root, None).drain_once()
    assert ledger() == {"req_1.1": ("base", 1), "req_2.1": ("base", 2)}
    assert (root / "rejected.log").read_bytes() == odd
    assert "kept apart" in caplog.text


def test_entry_that_no_database_takes_is_set_aside_and_the_rest_is_posted(root: Path, journal: Journal, drainer: Drainer) -> None:
    journal.close("req_1", closing("req_1", [2**63]))
    journal.close("req_2", closing("req_2", [2]))
    drainer.drain_once()
    assert ledger() == {"req_2.1": ("base", 2)}
    assert (root / "rejected.log").read_bytes().startswith(b"c req_1 ")


def test_of_many_entries_only_those_that_no_database_takes_are_set_aside(root: Path, journal: Journal, drainer: Drainer) -> None:
    for number in range(9):
        journal.close(f"req_{number}", closing(f"req_{number}", [2**63 if number in {2, 7} else number]))
    drainer.drain_once()
    assert ledger() == {f"req_{number}.1": ("base", number) for number in (0, 1, 3, 4, 5, 6, 8)}
    assert [line[:8] for line in (root / "rejected.log").read_bytes().splitlines()] == [b"c req_2 ", b"c req_7 "]


def test_what_is_written_while_a_batch_is_posted_waits_for_the_next_time(
    journal: Journal, drainer: Drainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter([2, 3])

    def post_while_calls_go_on(closings: list[bytes], **more: Any) -> None:
        posting.post_closings(closings, **more)
        number = next(numbers)
        journal.close(f"req_{number}", closing(f"req_{number}", [number]))

    monkeypatch.setattr(drain_module, "post_closings", post_while_calls_go_on)
    journal.close("req_1", closing("req_1", [1]))
    assert drainer._try(is_adopting=False, is_all=False) == 1
    assert ledger() == {"req_1.1": ("base", 1)}
    assert drainer._try(is_adopting=False, is_all=False) == 1
    assert ledger() == {"req_1.1": ("base", 1), "req_2.1": ("base", 2)}


def test_texts_that_a_database_may_refuse_do_not_keep_the_money_out(root: Path, journal: Journal, drainer: Drainer) -> None:
    entry = closing("req_1", [30])
    entry.summary.route = "x" * 5000
    entry.summary.end_user = "a\0b"
    entry.summary.tags = ["\0"]
    entry.postings[0].price_version = "v" * 100
    journal.close("req_1", entry)
    drainer.drain_once()
    assert ledger() == {"req_1.1": ("base", 30)}
    assert not (root / "rejected.log").exists()


# R38
def test_nothing_is_lost_while_the_database_is_away(journal: Journal, drainer: Drainer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("away")

    journal.close("req_1", closing("req_1", [30]))
    with monkeypatch.context() as away:
        away.setattr(drain_module, "post_closings", fail)
        assert drainer.drain_once() == 0
    assert drainer.drain_once() == 1
    assert ledger() == {"req_1.1": ("base", 30)}


def test_batch_that_fails_half_way_leaves_nothing_behind(
    journal: Journal, drainer: Drainer, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("away")

    journal.close("req_1", closing("req_1", [30], [(budget.pk, START)]))
    with monkeypatch.context() as away:
        away.setattr(posting, "post_windows", fail)
        drainer.drain_once()
    assert (ledger(), RequestRecord.objects.count()) == ({}, 0)
    drainer.drain_once()
    assert Window.objects.get().posted_nano == 30


def test_budget_that_was_removed_meanwhile_is_passed_over(journal: Journal, drainer: Drainer, budget: Budget) -> None:
    journal.close("req_1", closing("req_1", [30], [(budget.pk, START), (budget.pk + 1, START)]))
    drainer.drain_once()
    assert Window.objects.values_list("budget", "posted_nano").get() == (budget.pk, 30)


def test_journal_whose_posting_fails_at_its_lost_calls_is_posted_once_later(
    root: Path, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("away")

    with_outage: dict[str, Callable[..., None]] = {"base": posting.post_closings, "reap": away}
    dead = Journal(root)
    dead.close("req_1", closing("req_1", [30], [(budget.pk, START)]))
    dead.open("req_2.1", opening("req_2", [(budget.pk, START)]))
    dead.stop()
    with monkeypatch.context() as outage:
        outage.setattr(drain_module, "post_closings", lambda closings, kind, **more: with_outage[kind](closings, kind, **more))
        Drainer(root, None).drain_once()
    assert (ledger(), dead.folder.exists()) == ({"req_1.1": ("base", 30)}, True)
    Drainer(root, None).drain_once()
    assert ledger() == {"req_1.1": ("base", 30), "req_2.1": ("reap", ESTIMATE)}
    assert (Window.objects.get().posted_nano, dead.folder.exists()) == (30 + ESTIMATE, False)


@pytest.mark.django_db(transaction=True)
def test_stopped_drainer_has_posted_everything_and_leaves_no_journal(root: Path) -> None:
    journal = Journal(root)
    drainer = Drainer(root, journal.folder)
    drainer.start()
    journal.open("req_1.1", opening("req_1"))
    journal.close("req_1", closing("req_1", [30]))
    journal.stop()
    drainer.stop(30)
    assert ledger() == {"req_1.1": ("base", 30)}
    assert not journal.folder.exists()


@pytest.mark.django_db(transaction=True)
def test_drainer_tries_again_until_the_database_is_back(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries, post, posted = iter([OperationalError("away"), OSError("odd")]), posting.post_closings, threading.Event()

    def fail_at_first(*arguments: Any, **more: Any) -> None:
        for error in tries:
            raise error
        post(*arguments, **more)
        posted.set()

    monkeypatch.setattr(drain_module, "post_closings", fail_at_first)
    monkeypatch.setattr(drain_module, "RETRY_S", 0.01)
    journal = Journal(root)
    journal.close("req_1", closing("req_1", [30]))
    drainer = Drainer(root, journal.folder)
    drainer.start()
    assert posted.wait(30)
    journal.stop()
    drainer.stop(30)
    assert ledger() == {"req_1.1": ("base", 30)}
    assert caplog.record_tuples[:2] == [(drain_module.__name__, logging.ERROR, "ledger could not be written; the journal keeps it")] * 2


# R5
@pytest.mark.django_db(transaction=True)
def test_two_adopters_of_one_journal_post_it_once(root: Path, budget: Budget) -> None:
    dead = Journal(root)
    for number in range(200):
        dead.close(f"req_{number}", closing(f"req_{number}", [1], [(budget.pk, START)]))
    dead.open("req_lost.1", opening("req_lost", [(budget.pk, START)]))
    dead.stop()
    barrier = threading.Barrier(2)

    def adopt() -> None:
        barrier.wait()
        Drainer(root, None).drain_once()
        connection.close()

    threads = [threading.Thread(target=adopt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert LedgerEntry.objects.aggregate(Sum("amount_nano")) == {"amount_nano__sum": 200 + ESTIMATE}
    assert Window.objects.get().posted_nano == 200 + ESTIMATE
    assert not dead.folder.exists()


ENDLESS_CALLS = """
import os
import sys
from pathlib import Path
from typing import Any
from billing import journal
from tests.billing.lines import closing, opening
journal.ROTATE_BYTES = 20_000
book = journal.Journal(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    book.open(f"req_{number}.1", opening(f"req_{number}"))
    os.write(1, b"opened %d\\n" % number)
    if number % 3:
        book.close(f"req_{number}", closing(f"req_{number}", [number]))
        os.write(1, b"closed %d\\n" % number)
"""


# R6
def test_killed_process_loses_no_line(root: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ENDLESS_CALLS, str(root)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline().split() for _ in range(500)]
    os.kill(process.pid, signal.SIGKILL)
    rest = [line.split() for line in process.communicate()[0].splitlines()]
    closed = {int(number) for word, number in told + rest if word == "closed"}
    opened = {int(number) for word, number in told + rest if word == "opened"}
    Drainer(root, None).drain_once()
    found = ledger()
    # The process may have died between a line and telling of it: at most the last call is further than we heard.
    assert {f"req_{number}.1": ("base", number) for number in closed}.items() <= found.items()
    lost = {f"req_{number}.1": ("reap", ESTIMATE) for number in opened - closed - {max(opened)}}
    assert lost.items() <= found.items()
    assert len(opened) <= len(found) <= len(opened) + 1
    assert LedgerEntry.objects.count() == len(found)
