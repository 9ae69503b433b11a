"""The keeper of shares: what comes home when, what a lost connection or a lost life means, and whose clock rules."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from billing import keeper as keeper_module
from billing import shares
from billing.bank import BURST_S, TreasuryClosed, Wish
from billing.budget_book import BudgetBook, BudgetRow
from billing.holds import Purse
from billing.keeper import Keeper
from billing.limits import Applying
from billing.loading import load_budgets
from billing.models import Budget, Instance, LedgerEntry, Share, Window
from billing.posting import post
from tests.billing.lines import closing

START = datetime(2026, 3, 1, tzinfo=UTC)
LIMIT = 1000
Scene = Callable[[Keeper, Purse], Awaitable[None]]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of a database that several processes share; beats only when a test says so."""
    monkeypatch.setattr(shares, "is_one_disk", lambda: False)
    monkeypatch.setattr(keeper_module, "BEAT_S", 3600)


@pytest.fixture
def budget() -> Budget:
    return Budget.objects.create(scope="global", amount_nano=LIMIT, anchored_at=START)


def play(scene: Scene, end: float | None = None) -> None:
    book = load_budgets()

    async def run() -> None:
        keeper = Keeper("one")
        await keeper.start()
        [row] = book.by_id.values()
        [purse] = keeper.bank.purses_of([Applying(row, START.timestamp(), end)])
        try:
            await scene(keeper, purse)
        finally:
            await keeper.stop()

    asyncio.run(run())


def in_database() -> dict[str, int]:
    return dict(Share.objects.values_list("instance_id", "amount_nano"))


def test_heartbeat_renews_the_lease_and_tells_what_is_held(budget: Budget) -> None:
    async def scene(keeper: Keeper, purse: Purse) -> None:
        (await keeper.bank.hold([purse], 100)).settle(30)
        await keeper.bank.hold([purse], 200)
        keeper.bank.leased_until = 0.0
        await keeper._beat()
        assert keeper.bank.leased_until > time.monotonic() + 80
        assert await keeper._run(lambda: Share.objects.values_list("held_nano", "unposted_nano").get()) == (200, 30)

    play(scene)


def test_unused_money_goes_home_once_it_has_lain_idle(budget: Budget) -> None:
    async def scene(keeper: Keeper, purse: Purse) -> None:
        (await keeper.bank.hold([purse], 100)).release()
        await keeper._beat()
        assert await keeper._run(in_database) == {"one": 100}
        purse.used_at -= keeper_module.IDLE_S + 1
        await keeper._beat()
        assert (await keeper._run(in_database), purse.share) == ({"one": 0}, 0)

    play(scene)


def test_recalled_money_goes_home_at_once_but_what_is_held(budget: Budget) -> None:
    async def scene(keeper: Keeper, purse: Purse) -> None:
        await keeper.bank.hold([purse], 100)
        (await keeper.bank.hold([purse], LIMIT - 100)).release()
        await keeper._run(lambda: shares.enrol("two", "host"))
        assert (await keeper._run(lambda: shares.take("two", Wish(purse.key, 50, 0)))) == (0, 0, 0, LIMIT, 0, 0, purse.window_id)
        await keeper._beat()
        assert await keeper._run(in_database) == {"one": 100}

    play(scene)


def test_window_that_has_ended_is_let_go_when_its_calls_are_posted(budget: Budget) -> None:
    async def scene(keeper: Keeper, purse: Purse) -> None:
        (await keeper.bank.hold([purse], 100)).settle(40)
        await keeper._beat()
        assert await keeper._run(in_database) == {"one": 40}
        await keeper._run(lambda: post([closing("req_1", [40], [purse.key])], "base", "one", keeper.posted))
        await asyncio.sleep(0)
        await keeper._beat()
        assert (keeper.bank.purses, await keeper._run(in_database)) == ({}, {"one": 0})

    play(scene, end=START.timestamp() + 1)


def test_lowered_budget_sends_home_what_is_not_held(budget: Budget) -> None:
    async def scene(keeper: Keeper, purse: Purse) -> None:
        await keeper.bank.hold([purse], 100)
        (await keeper.bank.hold([purse], 500)).release()
        row = purse.row
        keeper.use(BudgetBook.of([BudgetRow(row.id, row.scope, row.scope_id, 50, "", "UTC", START)]))
        await asyncio.sleep(0.01)
        await keeper._beat()
        assert await keeper._run(in_database) == {"one": 100}

    play(scene)


def test_database_that_is_away_closes_the_treasury_and_shares_go_on(budget: Budget, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("away")

    async def scene(keeper: Keeper, purse: Purse) -> None:
        (await keeper.bank.hold([purse], 100)).release()
        monkeypatch.setattr(shares, "take", away)
        monkeypatch.setattr(shares, "beat", away)
        with pytest.raises(TreasuryClosed):
            await keeper._beat()
        assert keeper.bank.try_hold([purse], 100) is not None
        with pytest.raises(TreasuryClosed):
            await keeper.bank.hold([purse], 500)

    play(scene)


def test_money_lost_on_its_way_home_is_found_again(budget: Budget, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("away")

    async def scene(keeper: Keeper, purse: Purse) -> None:
        (await keeper.bank.hold([purse], 100)).release()
        purse.used_at -= keeper_module.IDLE_S + 1
        with monkeypatch.context() as outage:
            outage.setattr(shares, "give_back", away)
            with pytest.raises(TreasuryClosed):
                await keeper._beat()
        assert (await keeper._run(in_database), purse.share) == ({"one": 100}, 0)
        await keeper._beat()
        assert await keeper._run(in_database) == {"one": 0}

    play(scene)


def test_process_that_was_given_up_starts_over_and_its_stand_in_is_taken_back(budget: Budget) -> None:
    async def scene(keeper: Keeper, purse: Purse) -> None:
        hold = await keeper.bank.hold([purse], 100)
        late = datetime.now(UTC) - timedelta(seconds=200)
        await keeper._run(lambda: Instance.objects.update(beat_at=late))
        assert await keeper._run(shares.reap_lost) == 1
        await keeper._beat()
        assert keeper.bank.purses == {}
        hold.settle(60)
        await keeper._run(lambda: post([closing("req_1", [60], [purse.key])], "base", "one", keeper.posted))
        await asyncio.sleep(0)
        await keeper._beat()
        assert await keeper._run(lambda: Window.objects.values_list("posted_nano", "allotted_nano").get()) == (60, 0)
        [back, real, lost] = await keeper._run(lambda: sorted(LedgerEntry.objects.values_list("kind", "amount_nano")))
        assert (real, back[0], lost[0], back[1]) == (("base", 60), "adjust", "reap", -lost[1])

    play(scene)


# R27
@pytest.mark.parametrize(("skew_s", "offset_s"), [(0, 0), (1, 0), (300, 300), (-300, -300)])
def test_windows_go_by_the_clock_of_the_database(budget: Budget, monkeypatch: pytest.MonkeyPatch, skew_s: int, offset_s: int) -> None:
    def beat(*_: object) -> shares.Beat:
        return shares.Beat(is_lost=False, at=time.time() + skew_s)

    async def scene(keeper: Keeper, purse: Purse) -> None:
        monkeypatch.setattr(shares, "beat", beat)
        await keeper._beat()
        assert round(keeper.bank.clock_offset_s) == offset_s

    play(scene)


def test_burn_follows_a_rush_at_once_and_forgets_it_within_minutes(budget: Budget) -> None:
    async def scene(keeper: Keeper, purse: Purse) -> None:
        (await keeper.bank.hold([purse], 100)).settle(60)
        await keeper._beat()
        assert purse.burn == 60 * BURST_S
        for _ in range(240):
            keeper._changed([purse])
        assert purse.burn < 60

    play(scene)


def test_silent_process_is_given_up_by_the_others_without_any_task(budget: Budget) -> None:
    late = datetime.now(UTC) - timedelta(seconds=200)
    Instance.objects.create(id="silent", started_at=late, beat_at=late)

    async def scene(keeper: Keeper, purse: Purse) -> None:
        for _ in range(keeper_module.BEATS_PER_REAP):
            await keeper._beat()
        assert await keeper._run(lambda: Instance.objects.get(pk="silent").lost_at is not None)

    play(scene)
