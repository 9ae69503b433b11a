from datetime import UTC, datetime

import pytest

from billing.budget_book import BudgetBook, BudgetRow
from billing.limits import Exceeded, Tallies, first_exceeded
from keys.snapshot import Caller

BORN = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 3, 14, tzinfo=UTC).timestamp()
DAY = 86400.0
ALICE = Caller(key_id="key-a", key_name="laptop", user_id="user-a", team_id="team-1", organisation_id="org-1")


def row(
    number: int, scope: str = "key", scope_id: str = "key-a", *, amount: int = 100, period: str = "day", is_hard: bool = True
) -> BudgetRow:
    return BudgetRow(number, scope, scope_id, amount, period, "UTC", BORN, is_hard)


def book_of(*rows: BudgetRow) -> BudgetBook:
    return BudgetBook.of(list(rows), {})


def ids(tallies: Tallies, caller: Caller, book: BudgetBook, now: float = NOW) -> list[int]:
    return [one.row.id for one in tallies.applying(caller, book, now)]


EVERYONE = [
    row(1),
    row(2, "user", "user-a"),
    row(3, "team", "team-1"),
    row(4, "organisation", "org-1"),
    row(5, "global", ""),
    row(6, "key", "key-b"),
    row(7, "team", "team-2"),
    row(8, "user", ""),
]


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (ALICE, [1, 2, 3, 4, 5]),
        (Caller(key_id="key-b", key_name="b"), [6, 5]),
        (Caller(key_id="key-c", key_name="c", team_id="team-2"), [7, 5]),
        (Caller(key_id="", key_name=""), [5]),
    ],
)
def test_budgets_of_every_scope_apply(caller: Caller, expected: list[int]) -> None:
    assert ids(Tallies(), caller, book_of(*EVERYONE)) == expected


def test_two_budgets_of_one_scope_both_apply() -> None:
    assert ids(Tallies(), ALICE, book_of(row(1), row(2, period="month"))) == [1, 2]


def test_window_is_that_of_the_moment() -> None:
    [one] = Tallies().applying(ALICE, book_of(row(1)), NOW)
    assert (one.key, one.end) == ((1, MIDNIGHT), MIDNIGHT + DAY)


def test_budget_without_reset_has_one_window_without_end() -> None:
    [one] = Tallies().applying(ALICE, book_of(row(1, period="")), NOW)
    assert (one.start, one.end) == (BORN.timestamp(), None)


@pytest.mark.parametrize(
    ("now", "start"),
    [(MIDNIGHT, MIDNIGHT), (MIDNIGHT + DAY - 0.001, MIDNIGHT), (MIDNIGHT + DAY, MIDNIGHT + DAY), (MIDNIGHT - 0.001, MIDNIGHT - DAY)],
)
def test_answer_kept_for_a_caller_holds_for_its_window_only(now: float, start: float) -> None:
    tallies, book = Tallies(), book_of(row(1), row(2, period=""))
    first = tallies.applying(ALICE, book, NOW)
    assert tallies.applying(ALICE, book, NOW + 1) is first
    assert tallies.applying(ALICE, book, now)[0].start == start


def test_new_book_is_in_force_at_once() -> None:
    tallies = Tallies()
    assert ids(tallies, ALICE, book_of(row(1))) == [1]
    assert ids(tallies, ALICE, book_of()) == []


def test_callers_with_one_key_id_do_not_share_an_answer() -> None:
    tallies, book = Tallies(), book_of(row(1, "user", "user-a"), row(2, "user", "user-b"))
    assert ids(tallies, Caller(key_id="", key_name="", user_id="user-a"), book) == [1]
    assert ids(tallies, Caller(key_id="", key_name="", user_id="user-b"), book) == [2]


def test_memory_of_callers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.limits.MEMO_SIZE", 10)
    tallies, book = Tallies(), book_of(row(1))
    for number in range(100):
        tallies.applying(Caller(key_id=f"key-{number}", key_name=""), book, NOW)
    assert len(tallies._applying) <= 11


@pytest.mark.parametrize(("spent", "is_refused"), [(0, False), (99, False), (100, True), (101, True)])
def test_hard_budget_refuses_once_it_is_spent(spent: int, is_refused: bool) -> None:
    tallies, book = Tallies(), book_of(row(1))
    applying = tallies.applying(ALICE, book, NOW)
    tallies.add([one.key for one in applying], spent)
    assert (first_exceeded(applying, tallies) is not None) is is_refused


def test_refusal_says_what_is_spent_and_when_it_resets() -> None:
    tallies = Tallies()
    applying = tallies.applying(ALICE, book_of(row(1), row(2, "team", "team-1", amount=50)), NOW)
    tallies.add([one.key for one in applying], 60)
    assert first_exceeded(applying, tallies) == Exceeded("team", 50, 60, MIDNIGHT + DAY)


def test_soft_budget_refuses_nothing() -> None:
    tallies = Tallies()
    applying = tallies.applying(ALICE, book_of(row(1, amount=0, is_hard=False)), NOW)
    assert first_exceeded(applying, tallies) is None


def test_budget_of_nothing_refuses_the_first_call() -> None:
    tallies = Tallies()
    assert first_exceeded(tallies.applying(ALICE, book_of(row(1, amount=0)), NOW), tallies) is not None


@pytest.mark.parametrize(("ours", "theirs", "known"), [(10, 30, 30), (30, 10, 30), (0, 5, 5)])
def test_the_larger_of_memory_and_database_counts(ours: int, theirs: int, known: int) -> None:
    tallies = Tallies()
    tallies.add([(1, MIDNIGHT)], ours)
    tallies.merge({(1, MIDNIGHT): theirs})
    assert tallies.posted((1, MIDNIGHT)) == known


def test_windows_before_those_of_the_database_are_forgotten() -> None:
    tallies = Tallies()
    tallies.add([(1, MIDNIGHT - DAY), (1, MIDNIGHT), (2, MIDNIGHT - DAY)], 5)
    tallies.merge({(1, MIDNIGHT): 3})
    assert [tallies.posted(key) for key in ((1, MIDNIGHT - DAY), (1, MIDNIGHT), (2, MIDNIGHT - DAY))] == [0, 5, 5]
