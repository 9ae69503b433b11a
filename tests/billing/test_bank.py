"""The bank: what waits, what is refused at once, and what a treasury that does not answer means."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from billing.bank import Bank, Exceeded, Moved, TreasuryClosed
from billing.budget_book import BudgetBook, BudgetRow
from billing.holds import Hold, Purse
from billing.limits import Applying
from tests.proxy.treasury import MemoryTreasury

BORN = datetime(2026, 3, 1, tzinfo=UTC)
START = BORN.timestamp()
KEY = (1, START)
Scene = Callable[[Bank, list[Purse], MemoryTreasury], Awaitable[None]]


def row(amount: int = 100, number: int = 1, mode: str = "hard") -> BudgetRow:
    return BudgetRow(number, "key", "key-a", amount, "", "UTC", BORN, mode)


def play(scene: Scene, *rows: BudgetRow, wait_s: float = 5.0, step: int = 10**18) -> None:
    async def run() -> None:
        treasury = MemoryTreasury(BudgetBook.of(list(rows)), step=step)
        bank = Bank(treasury, wait_s=wait_s)
        await scene(bank, bank.purses_of(Applying(one, START, None) for one in rows), treasury)

    asyncio.run(run())


def test_first_call_fills_its_purses_and_the_next_asks_nobody() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        await bank.hold(purses, 10)
        assert bank.try_hold(purses, 10) is not None
        assert [wish.key[0] for wish in treasury.wishes] == [1, 2]
        assert [purse.held for purse in purses] == [20, 20]

    play(scene, row(), row(number=2))


def test_soft_budget_has_no_purse() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        assert purses == []

    play(scene, row(mode="soft"))


def test_spent_budget_refuses_without_a_wait() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        treasury.posted[KEY] = 100
        for _ in range(3):
            with pytest.raises(Exceeded):
                await bank.hold(purses, 10)
        assert len(treasury.wishes) == 1

    play(scene, row(), wait_s=3600)


# R23
def test_refusal_of_one_budget_leaves_no_hold_in_the_others() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        treasury.posted[2, START] = 100
        with pytest.raises(Exceeded) as refused:
            await bank.hold(purses, 10)
        assert refused.value.purse is purses[1]
        assert [purse.held for purse in purses] == [0, 0]

    play(scene, row(), row(number=2))


def test_call_waits_for_money_that_another_call_holds() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        first = await bank.hold(purses, 90)
        waiting = asyncio.create_task(bank.hold(purses, 90))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        first.settle(5)
        assert isinstance(await waiting, Hold)

    play(scene, row(), wait_s=3600)


def test_wait_ends_with_a_refusal_that_says_the_money_is_held() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        await bank.hold(purses, 90)
        with pytest.raises(Exceeded) as refused:
            await bank.hold(purses, 90)
        assert refused.value.purse.may_get(90)

    play(scene, row(), wait_s=0.01)


@pytest.mark.parametrize(("mode", "admitted"), [("hard", 1), ("strict", 0)])
def test_room_for_less_than_one_call_admits_one_at_a_time_in_hard_mode(mode: str, admitted: int) -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        calls = [asyncio.create_task(bank.hold(purses, 150)) for _ in range(20)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(one, Hold) for one in done].count(True) == admitted

    play(scene, row(mode=mode), wait_s=0.05)


def test_of_many_calls_at_once_as_many_as_fit_are_admitted() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        calls = [asyncio.create_task(bank.hold(purses, 30)) for _ in range(200)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(one, Hold) for one in done].count(True) == 3
        assert purses[0].held == 90

    play(scene, row(), wait_s=0.05, step=30)


def test_money_of_other_processes_is_waited_for() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        treasury.others[KEY] = 95
        waiting = asyncio.create_task(bank.hold(purses, 50))
        await asyncio.sleep(0.01)
        treasury.others[KEY] = 0
        purses[0].wake()
        assert isinstance(await waiting, Hold)

    play(scene, row(), wait_s=3600)


def test_treasury_that_is_closed_refuses_only_who_needs_it() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        await bank.hold(purses, 10)
        treasury.is_open = False
        assert bank.try_hold(purses, 50) is not None
        with pytest.raises(TreasuryClosed):
            await bank.hold(purses, 50)
        treasury.is_open = True
        purses[0].held = 0
        assert isinstance(await bank.hold(purses, 50), Hold)

    play(scene, row(), step=60)


def test_treasury_that_never_answers_refuses_in_time_and_its_late_answer_is_kept() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        answer, ask = asyncio.Event(), treasury.take

        async def slowly(wish: object) -> object:
            await answer.wait()
            return await ask(wish)  # type: ignore[arg-type]  # handed through

        bank._treasury.take = slowly  # type: ignore[assignment,method-assign]  # a slow one
        with pytest.raises(TreasuryClosed):
            await bank.hold(purses, 10)
        answer.set()
        await asyncio.gather(*bank._filling.values())
        assert bank.try_hold(purses, 10) is not None

    play(scene, row(), wait_s=0.01)


def test_wait_that_ends_while_the_treasury_is_asked_once_more_is_a_refusal_and_no_outage() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        ask = treasury.take

        async def only_once(wish: object) -> object:
            if treasury.wishes:
                await asyncio.Event().wait()
            return await ask(wish)  # type: ignore[arg-type]  # handed through

        bank._treasury.take = only_once  # type: ignore[assignment,method-assign]  # answers once
        treasury.others[KEY] = 95
        with pytest.raises(Exceeded):
            await bank.hold(purses, 50)

    play(scene, row(), wait_s=0.4)


def test_lease_that_has_run_out_admits_nothing_and_extends_nothing() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        hold = await bank.hold(purses, 10)
        bank.leased_until = 0.0
        assert bank.try_hold(purses, 10) is None
        with pytest.raises(TreasuryClosed):
            await bank.hold(purses, 10)
        assert not await bank.extend(hold, 1000)

    play(scene, row())


def test_hold_is_extended_from_the_treasury_until_nothing_is_left() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        hold = await bank.hold(purses, 30)
        assert [await bank.extend(hold, 30) for _ in range(3)] == [True, True, False]
        assert (hold.amount, purses[0].held) == (90, 90)

    play(scene, row(), wait_s=0.01, step=30)


def test_posted_money_leaves_the_purse_as_free_as_it_was() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        (await bank.hold(purses, 30)).settle(20)
        bank.posted([Moved(KEY, 20, 20)])
        assert (purses[0].share, purses[0].unposted, purses[0].free, purses[0].spent) == (80, 0, 80, 20)

    play(scene, row())


# R28
def test_raised_budget_lets_waiting_calls_through_and_lowered_one_sends_its_money_home() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        await bank.hold(purses, 30)
        home = bank.use(BudgetBook.of([row(10)]))
        assert (home, purses[0].share, purses[0].free) == ({KEY: 70}, 30, 0)
        treasury.give_back(home)
        treasury.book = BudgetBook.of([row(1000)])
        bank.use(treasury.book)
        assert isinstance(await bank.hold(purses, 500), Hold)

    play(scene, row())


def test_process_that_was_given_up_starts_from_empty_purses_and_ends_its_calls_on_the_old_ones() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        hold = await bank.hold(purses, 30)
        bank.start_over()
        assert (bank.purses, bank.forget_lost()) == ({}, False)
        hold.settle(20)
        bank.posted([Moved(KEY, 20, 0)])
        assert bank.forget_lost()

    play(scene, row())


def test_lowered_limit_is_kept_with_money_that_calls_under_way_give_back() -> None:
    async def scene(bank: Bank, purses: list[Purse], treasury: MemoryTreasury) -> None:
        hold = await bank.hold(purses, 80)
        treasury.book = BudgetBook.of([row(30, mode="strict")])
        treasury.give_back(bank.use(treasury.book))
        hold.settle(25)
        assert purses[0].free > 0
        assert bank.try_hold(purses, 10) is None
        with pytest.raises(Exceeded):
            await bank.hold(purses, 10)

    play(scene, row(mode="strict"), wait_s=0.01)
