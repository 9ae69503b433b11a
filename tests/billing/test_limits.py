from datetime import UTC, datetime

import pytest

from billing.budget_book import BudgetBook, BudgetRow
from billing.limits import BudgetFinder, Spender

BORN = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 3, 14, tzinfo=UTC).timestamp()
DAY = 86400.0
ALICE = Spender("key-a", "user-a", "team-1", "org-1")


def row(number: int, scope: str = "key", scope_id: str = "key-a", *, period: str = "day", model: str = "") -> BudgetRow:
    return BudgetRow(number, scope, scope_id, 100, period, "UTC", BORN, model=model)


def book_of(*rows: BudgetRow) -> BudgetBook:
    return BudgetBook.of(list(rows))


def ids(finder: BudgetFinder, who: Spender, book: BudgetBook, now: float = NOW) -> list[int]:
    return [one.row.id for one in finder.applying(who, book, now)]


EVERYONE = [
    row(1),
    row(2, "user", "user-a"),
    row(3, "team", "team-1"),
    row(4, "organisation", "org-1"),
    row(5, "global", ""),
    row(6, "key", "key-b"),
    row(7, "team", "team-2"),
    row(8, "user", ""),
    row(9, "member", "team-1/user-a"),
    row(10, "member", "team-2/user-a"),
    row(11, "tag", "nightly"),
    row(12, "end_user", "customer-1"),
]


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (ALICE, [1, 2, 9, 3, 4, 5]),
        (Spender("key-b", "", "", ""), [6, 5]),
        (Spender("key-c", "", "team-2", ""), [7, 5]),
        (Spender("key-c", "user-a", "team-2", ""), [2, 10, 7, 5]),
        (Spender("", "", "", ""), [5]),
        (Spender("", "", "", "", ("daily", "nightly"), "customer-1"), [11, 12, 5]),
    ],
)
def test_budgets_of_every_scope_apply(who: Spender, expected: list[int]) -> None:
    assert ids(BudgetFinder(), who, book_of(*EVERYONE)) == expected


@pytest.mark.parametrize(
    ("model", "expected"), [("claude-opus-5-5", [1, 2, 3]), ("claude-sonnet-5-5", [1, 3]), ("gpt-6", [1]), ("claude-", [1, 3])]
)
def test_budget_of_a_model_counts_calls_for_it_only(model: str, expected: list[int]) -> None:
    book = book_of(row(1), row(2, model="claude-opus-5-5"), row(3, model="claude-*"))
    assert ids(BudgetFinder(), ALICE._replace(model=model), book) == expected


def test_two_budgets_of_one_scope_both_apply() -> None:
    assert ids(BudgetFinder(), ALICE, book_of(row(1), row(2, period="month"))) == [1, 2]


def test_window_is_that_of_the_moment() -> None:
    [one] = BudgetFinder().applying(ALICE, book_of(row(1)), NOW)
    assert (one.key, one.end) == ((1, MIDNIGHT), MIDNIGHT + DAY)


def test_budget_without_reset_has_one_window_without_end() -> None:
    [one] = BudgetFinder().applying(ALICE, book_of(row(1, period="")), NOW)
    assert (one.start, one.end) == (BORN.timestamp(), None)


@pytest.mark.parametrize(
    ("now", "start"),
    [(MIDNIGHT, MIDNIGHT), (MIDNIGHT + DAY - 0.001, MIDNIGHT), (MIDNIGHT + DAY, MIDNIGHT + DAY), (MIDNIGHT - 0.001, MIDNIGHT - DAY)],
)
def test_answer_kept_for_a_spender_holds_for_its_window_only(now: float, start: float) -> None:
    finder, book = BudgetFinder(), book_of(row(1), row(2, period=""))
    first = finder.applying(ALICE, book, NOW)
    assert finder.applying(ALICE, book, NOW + 1) is first
    assert finder.applying(ALICE, book, now)[0].start == start


def test_new_book_is_in_force_at_once() -> None:
    finder = BudgetFinder()
    assert ids(finder, ALICE, book_of(row(1))) == [1]
    assert ids(finder, ALICE, book_of()) == []


def test_spenders_that_differ_anywhere_do_not_share_an_answer() -> None:
    finder, book = BudgetFinder(), book_of(row(1, "user", "user-a"), row(2, "user", "user-b"), row(3, "tag", "nightly"))
    assert ids(finder, Spender("", "user-a", "", ""), book) == [1]
    assert ids(finder, Spender("", "user-b", "", ""), book) == [2]
    assert ids(finder, Spender("", "user-b", "", "", ("nightly",)), book) == [2, 3]


def test_memory_of_spenders_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.limits.MEMO_SIZE", 10)
    finder, book = BudgetFinder(), book_of(row(1))
    for number in range(100):
        finder.applying(Spender(f"key-{number}", "", "", ""), book, NOW)
    assert len(finder._known) <= 11


def test_book_knows_which_scopes_somebody_looks_at() -> None:
    book = book_of(row(1), row(2, "tag", "nightly"))
    assert (book.scopes, book.names_models) == (frozenset({"key", "tag"}), False)
    assert book_of(row(1, model="claude-*")).names_models
