"""Holds and purses: whatever happens in whatever order, what is held is what open holds say, and each settles once."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from billing.budget_book import BudgetRow
from billing.holds import Hold, Purse
from billing.limits import Applying

BORN = datetime(2026, 3, 1, tzinfo=UTC)
AMOUNTS = st.integers(0, 60)


def purse(number: int = 1, share: int = 0, mode: str = "hard", amount: int = 100) -> Purse:
    made = Purse(Applying(BudgetRow(number, "key", "key-a", amount, "", "UTC", BORN, mode), BORN.timestamp(), None))
    made.share = share
    return made


class Wallet(RuleBasedStateMachine):
    """Three purses and any number of holds over some of them."""

    holds: Bundle[Hold] = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.purses = [purse(number, 100, amount=10**9) for number in range(3)]
        self.open: list[Hold] = []
        self.settled = [0, 0, 0]

    @rule(target=holds, chosen=st.sets(st.integers(0, 2), min_size=1), amount=AMOUNTS)
    def hold(self, chosen: set[int], amount: int) -> "Hold | MultipleResults[Hold]":
        purses = [self.purses[number] for number in chosen]
        before = [one.held for one in self.purses]
        hold = Hold.opened(purses, amount)
        fits = all(one.share - held - one.unposted >= amount for one, held in zip(self.purses, before, strict=True) if one in purses)
        assert (hold is not None) == fits
        if hold is None:
            assert [one.held for one in self.purses] == before
            return multiple()
        self.open.append(hold)
        return hold

    @rule(hold=holds, more=AMOUNTS)
    def extend(self, hold: Hold, more: int) -> None:
        before = [one.held for one in self.purses]
        fits = hold.is_open and all(one.free >= more for one in hold.purses)
        assert hold.extend(more) == fits
        grown = [more * (fits and one in hold.purses) for one in self.purses]
        assert [one.held for one in self.purses] == [held + more for held, more in zip(before, grown, strict=True)]

    @rule(hold=holds, less=AMOUNTS)
    def shrink(self, hold: Hold, less: int) -> None:
        hold.shrink(min(less, hold.amount))

    @rule(hold=holds, actual=st.integers(0, 200))
    def settle(self, hold: Hold, actual: int) -> None:
        for number, one in enumerate(self.purses):
            self.settled[number] += actual * (hold.is_open and one in hold.purses)
        hold.settle(actual)
        self.open = [one for one in self.open if one is not hold]

    @rule(hold=consumes(holds))
    def release(self, hold: Hold) -> None:
        hold.release()
        hold.release()
        self.open = [one for one in self.open if one is not hold]

    @rule(number=st.integers(0, 2), amount=AMOUNTS)
    def take(self, number: int, amount: int) -> None:
        self.purses[number].share += amount

    @rule(number=st.integers(0, 2))
    def give_back(self, number: int) -> None:
        one = self.purses[number]
        free, share = one.free, one.share
        assert one.empty() == max(0, free)
        assert (one.share, one.free) == (share - max(0, free), min(0, free))

    @rule(number=st.integers(0, 2))
    def post(self, number: int) -> None:
        one = self.purses[number]
        taken = min(one.share, one.unposted)
        one.share, one.drained = one.share - taken, one.settled

    @invariant()
    def held_is_what_open_holds_say(self) -> None:
        assert [one.held for one in self.purses] == [sum(hold.amount for hold in self.open if one in hold.purses) for one in self.purses]

    @invariant()
    def settled_is_what_was_settled(self) -> None:
        assert [one.settled for one in self.purses] == self.settled


TestWallet = Wallet.TestCase
TestWallet.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


ENDS: list[Callable[[Hold], None]] = [lambda hold: hold.settle(7), lambda hold: hold.release()]


@pytest.mark.parametrize("second", ENDS)
def test_hold_ends_once(second: Callable[[Hold], None]) -> None:
    one = purse(share=100)
    hold = Hold.opened([one], 50)
    assert hold is not None
    hold.settle(30)
    second(hold)
    assert (one.held, one.settled, hold.extend(1)) == (0, 30, False)


@pytest.mark.parametrize(
    ("mode", "free", "held", "left", "others", "is_given"),
    [
        ("hard", 10, 0, 0, 0, True),
        ("hard", 10, 1, 0, 0, False),
        ("hard", 0, 0, 0, 0, False),
        ("hard", 10, 0, 1, 0, False),
        ("hard", 10, 0, 0, 1, False),
        ("strict", 10, 0, 0, 0, False),
    ],
)
def test_last_money_goes_to_one_call_of_a_hard_budget(mode: str, free: int, held: int, left: int, others: int, is_given: bool) -> None:
    one = purse(share=free + held, mode=mode)
    one.held, one.left, one.others_share = held, left, others
    hold = Hold.last([one], 50)
    assert (hold is not None, one.held) == (is_given, held + 10 * is_given)


# R23
def test_call_that_takes_the_last_money_of_one_budget_holds_its_whole_cost_in_the_others() -> None:
    nearly_spent, full = purse(1, 10), purse(2, 1000)
    hold = Hold.last([nearly_spent, full], 50)
    assert hold is not None
    assert (nearly_spent.held, full.held) == (10, 50)
    hold.settle(70)
    assert (nearly_spent.free, full.free) == (-60, 930)


@pytest.mark.parametrize(("mode", "amount", "may"), [("hard", 60, True), ("strict", 60, False), ("strict", 50, True), ("hard", 1, True)])
def test_money_that_is_held_may_come_back_and_money_spent_does_not(mode: str, amount: int, may: bool) -> None:
    one = purse(share=50, mode=mode)
    one.posted, one.held = 40, 50
    one.settled, one.drained = 15, 5
    assert one.may_get(amount) is may
    one.posted = 90
    assert one.may_get(amount) is False


def test_ending_hold_wakes_who_waits() -> None:
    one = purse(share=10)
    hold = Hold.opened([one], 10)
    woken: list[int] = []
    one.waiters.add(lambda: woken.append(one.free))
    assert hold is not None
    hold.settle(4)
    assert woken == [6]
