"""The reckoning finds what is wrong: each kind of fault, put in by hand, is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.answers import FIRST_GRANT, HIDDEN_TOKENS, INPUT_NANO, OUTPUT_NANO, Part
from tests.chaos.book import Book, Line, WindowRow
from tests.chaos.load import FIRST_BYTES, Call
from tests.chaos.report import Report, Run, report
from tests.chaos.scopes import Key
from tests.chaos.verdict import Account, accounts, bound, strangers, windows
from tests.fakes.bill import BillRow

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
QUICK = Part("chaos-quick", 1)
HIDDEN = Part("chaos-hidden", 1, excess_tokens=HIDDEN_TOKENS - FIRST_GRANT)
COST = 100 * INPUT_NANO + 10 * OUTPUT_NANO
EXCESS = (HIDDEN_TOKENS - FIRST_GRANT) * OUTPUT_NANO
GOOD = Run("sqlite", 1, 1, 1.0, 1, 1.0, {"served": 1}, [])


def made(number: int = 0, part: Part = QUICK, place: int = 0) -> Call:
    return Call(number, Key("alice", "blue"), part, place)


def row(call: Call, output_tokens: int = 10) -> BillRow:
    return BillRow(f"fake_{call.number}", call.part.model, {"input_tokens": 100, "output_tokens": output_tokens}, True, call.marker)


def line(call: Call, amount: int = COST, kind: str = "base", *, is_estimated: bool = False, after_s: float = 0.0) -> Line:
    scopes = {"key": "key-alice", "team": "blue", "organisation": "acme", "global": ""}
    at = EPOCH + timedelta(seconds=after_s)
    request_id = f"req_{call.number}"
    upstream_id = f"req_fake_{call.number}"
    return Line(request_id, f"{request_id}.1", kind, amount, is_estimated, scopes, None, at, FIRST_BYTES + call.number, 1000.0, upstream_id)


def window_row(limit: int, scope: str = "key", scope_id: str = "key-alice") -> WindowRow:
    return WindowRow(1, scope, scope_id, limit, "hard", "10s", EPOCH, EPOCH, COST, 0)


def told(bill: list[BillRow], lines: list[Line], limit: int = 10**12, calls: int = 4, part: Part = QUICK) -> Report:
    book = Book(lines, [window_row(limit)])
    found = accounts([made(number, part) for number in range(calls)], bill, book)
    return report(GOOD, found, windows(found, book.windows))


def test_books_that_agree_show_no_violation() -> None:
    found = told([row(made())], [line(made())])
    assert (found.violations, found.matched_attempts, found.billed_nano, found.posted_nano) == ([], 1, COST, COST)


def test_bill_without_an_entry_is_under_counted() -> None:
    found = told([row(made())], [])
    assert found.under_nano == COST
    assert found.violations == [f"under-counted: call-0 (chaos-quick): billed {COST}, in the ledger 0"]


def test_second_attempt_that_nobody_posted_is_under_counted() -> None:
    again = replace(row(made()), call_id="fake_again")
    assert told([row(made()), again], [line(made())]).under_nano == COST


def test_under_count_is_not_hidden_by_an_over_count_elsewhere() -> None:
    found = told([row(made(0)), row(made(1))], [line(made(1), 5 * COST, is_estimated=True)])
    assert (found.under_nano, found.over_nano, found.over_marked_nano) == (COST, 4 * COST, 4 * COST)
    assert len(found.violations) == 1


def test_over_count_with_a_mark_is_a_figure_and_without_one_a_violation() -> None:
    assert told([row(made())], [line(made(), 2 * COST, is_estimated=True)]).violations == []
    violations = told([row(made())], [line(made(), 2 * COST)]).violations
    assert [text.split(":")[0] for text in violations] == ["attempt req_0.1", "over-counted without a mark"]


def test_attempts_that_make_up_for_each_other_are_told_apart() -> None:
    second = replace(line(made(), COST - 1), attempt_id="req_0.2", upstream_id="req_fake_again")
    found = told([row(made()), replace(row(made()), call_id="fake_again")], [line(made(), COST + 1), second])
    assert (found.matched_attempts, len(found.violations)) == (2, 2)


def test_share_of_a_lost_process_is_no_call() -> None:
    stand_in = replace(line(made(), 7, "reap"), request_bytes=None)
    assert strangers(Book([line(made()), stand_in], [])) == 7


@pytest.mark.parametrize(("limit", "violations"), [(2 * COST, 0), (COST + 1, 0), (COST - 1, 1), (0, 1)])
def test_window_may_be_passed_by_its_last_call_at_most(limit: int, violations: int) -> None:
    lines = [line(made(0)), line(made(1), after_s=5)]
    assert len(told([row(made(0)), row(made(1))], lines, limit).violations) == violations


def test_window_counts_what_was_made_in_its_time_and_scope() -> None:
    lines = [line(made(0)), line(made(1), after_s=9.9), line(made(2), after_s=10), line(made(3), after_s=-0.1)]
    found = accounts([made(number) for number in range(4)], [row(made(number)) for number in range(4)], Book(lines, []))
    rows = [window_row(0), window_row(0, "team", "blue"), window_row(0, "team", "green"), window_row(0, "global", "")]
    assert [one.billed for one in windows(found, rows)] == [2 * COST, 2 * COST, 0, 2 * COST]


def hidden(number: int, *, after_s: float = 0.0, place: int = 0, kind: str = "base") -> Account:
    call = made(number, HIDDEN, place)
    return Account(call, [row(call, HIDDEN_TOKENS)], [line(call, kind=kind, is_estimated=kind == "reap", after_s=after_s)])


def test_bound_is_the_excess_in_flight_at_one_time_in_each_process() -> None:
    assert bound([hidden(0), hidden(1, after_s=0.5), hidden(2, after_s=5)], is_hard=False) == 2 * EXCESS
    assert bound([hidden(0), hidden(1, after_s=5, place=1)], is_hard=False) == 2 * EXCESS


def test_bound_counts_all_that_dead_processes_made_unseen() -> None:
    assert bound([hidden(0, kind="reap"), hidden(1, kind="reap", after_s=8)], is_hard=False) == 2 * EXCESS


def test_what_a_dead_process_made_beyond_its_grant_is_told_apart() -> None:
    call = made(0, HIDDEN)
    reaped = line(call, 100 * INPUT_NANO + FIRST_GRANT * OUTPUT_NANO, "reap", is_estimated=True)
    found = told([row(call, HIDDEN_TOKENS)], [reaped], part=HIDDEN)
    assert (found.under_nano, found.unseen_nano, found.violations) == (0, EXCESS, [])


def test_run_in_which_nothing_happened_proves_nothing() -> None:
    idle = report(replace(GOOD, kills=0, outcomes={}), [], [])
    assert idle.violations == ["no call was served", "nobody was killed"]


def test_report_reads_as_text_and_as_json() -> None:
    found = told([row(made())], [line(made())], limit=COST - 1)
    assert "under-counted     $0.000000" in found.as_text()
    assert "1 passed by their true cost" in found.as_text()
    assert '"overshoot": 1' in found.as_json()
