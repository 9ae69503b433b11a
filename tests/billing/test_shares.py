"""Shares in the database: processes that take, hold, settle, give back, die and are given up, in any order."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import DayRollUp, DayTagRollUp, RequestRecord, RollUp, TagRollUp
from billing import shares
from billing.bank import Moved, Wish
from billing.ledger import prove
from billing.models import Budget, Instance, LedgerEntry, Share, Window
from billing.posting import post
from tests.billing.lines import closing

START = datetime(2026, 3, 1, tzinfo=UTC)
LIMIT = 1000
pytestmark = pytest.mark.django_db


def make_budget(mode: str = "hard", amount: int = LIMIT) -> Budget:
    return Budget.objects.create(scope="global", amount_nano=amount, mode=mode, anchored_at=START)


def wish(budget: Budget, need: int, burn: int = 0) -> Wish:
    return Wish((budget.pk, START.timestamp()), need, burn)


def silent(instance_id: str, seconds: int = 100) -> None:
    """Nothing was heard of the process for so long."""
    Instance.objects.filter(pk=instance_id).update(beat_at=shares.database_time() - timedelta(seconds=seconds))


@pytest.fixture
def as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of a database that several processes share, also where the tests run on SQLite."""
    monkeypatch.setattr(shares, "is_one_disk", lambda: False)


@dataclass
class Process:
    """One process's side: what it holds in memory, as purses would."""

    name: str
    share: int = 0
    holds: list[int] = field(default_factory=list)
    closings: list[int] = field(default_factory=list)

    @property
    def free(self) -> int:
        return self.share - sum(self.holds) - sum(self.closings)


@dataclass
class World:
    budget: Budget
    limit: int = LIMIT
    overshoot: int = 0
    spent: int = 0
    calls: int = 0
    processes: dict[str, Process] = field(default_factory=dict)

    def process(self, number: int) -> Process:
        name = f"p{number}"
        if name not in self.processes:
            self.processes[name] = Process(name)
            shares.enrol(name, "host")
        return self.processes[name]

    def hold(self, number: int, amount: int) -> None:
        one = self.process(number)
        if one.free < amount:
            one.share += shares.take(one.name, wish(self.budget, amount - one.free, amount * 5)).amount
        if one.free >= amount:
            one.holds.append(amount)

    def settle(self, number: int, amount: int) -> None:
        one = self.process(number)
        if one.holds:
            self.overshoot += max(0, amount - one.holds.pop())
            self.spent += amount
            one.closings.append(amount)

    def post(self, number: int, amount: int) -> None:
        one = self.process(number)
        entries = []
        for cost in one.closings:
            self.calls += 1
            entries.append(closing(f"req_{self.calls}", [cost], [(self.budget.pk, START.timestamp())]))
        told: list[Moved] = []
        post(entries, "base", one.name, told.extend)
        one.share -= sum(move.taken for move in told)
        one.closings = []

    def give_back(self, number: int, amount: int) -> None:
        one = self.process(number)
        part = max(0, min(amount, one.free))
        one.share -= part
        shares.give_back(one.name, {(self.budget.pk, START.timestamp()): part})

    def die_and_be_adopted(self, number: int, amount: int) -> None:
        """Its journal is found: what was settled is posted, what was open is charged at its hold."""
        one = self.process(number)
        self.spent += sum(one.holds)
        one.closings += one.holds
        self.post(number, 0)
        shares.retire(one.name)
        del self.processes[one.name]

    def be_given_up_and_found(self, number: int, amount: int) -> None:
        one = self.process(number)
        silent(one.name)
        assert shares.reap_lost() == 1
        assert Window.objects.aggregate(total=Sum("posted_nano"))["total"] or not one.share
        one.share = 0
        self.die_and_be_adopted(number, amount)

    def change_limit(self, number: int, amount: int) -> None:
        self.limit = amount * 20
        Budget.objects.filter(pk=self.budget.pk).update(amount_nano=self.limit)
        self.limit = max(self.limit, LIMIT)

    def check(self, highest: int) -> None:
        for window in Window.objects.all():
            total = Share.objects.filter(window=window).aggregate(total=Sum("amount_nano"))["total"] or 0
            assert window.allotted_nano == total
            assert window.posted_nano + window.allotted_nano <= highest + self.overshoot
        assert {share.instance_id: share.amount_nano for share in Share.objects.all()} == {
            one.name: one.share for one in self.processes.values() if Share.objects.filter(instance_id=one.name).exists()
        }
        assert prove() == []


OPERATIONS = [
    "hold",
    "hold",
    "hold",
    "settle",
    "settle",
    "post",
    "give_back",
    "die_and_be_adopted",
    "be_given_up_and_found",
    "change_limit",
]
STEPS = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 2), st.integers(0, 150)), max_size=25)


# R2
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_order_of_events_allots_more_than_the_limit_or_loses_a_nano(as_many: None, steps: list[tuple[str, int, int]]) -> None:
    for model in (LedgerEntry, RequestRecord, RollUp, DayRollUp, TagRollUp, DayTagRollUp, Window, Instance, Budget):
        model.objects.all().delete()
    world = World(make_budget())
    highest = LIMIT
    for name, number, amount in steps:
        getattr(world, name)(number, amount)
        highest = max(highest, world.limit)
        world.check(highest)
    for number in range(3):
        world.die_and_be_adopted(number, 0)
    assert Window.objects.aggregate(posted=Sum("posted_nano"), allotted=Sum("allotted_nano")) in (
        {"posted": world.spent, "allotted": 0},
        {"posted": None, "allotted": None},
    )


def test_only_process_on_sqlite_gets_all_that_is_left() -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    with mock.patch.object(shares, "is_one_disk", lambda: True):
        taken = shares.take("one", wish(budget, 10))
    assert (taken.amount, taken.left) == (LIMIT, 0)


@pytest.mark.parametrize(
    ("mode", "need", "burn", "amount"),
    [("hard", 10, 0, 10), ("hard", 10, 50, 50), ("hard", 10, 900, LIMIT // 8), ("hard", 400, 900, 400), ("strict", 10, 900, 10)],
)
def test_slice_is_a_hold_or_a_minute_of_spending_or_a_part_of_what_is_left(
    as_many: None, mode: str, need: int, burn: int, amount: int
) -> None:
    budget = make_budget(mode)
    shares.enrol("one", "host")
    shares.enrol("two", "host")
    assert shares.take("one", wish(budget, need, burn)).amount == amount


def test_processes_cannot_take_the_same_money(as_many: None) -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    shares.enrol("two", "host")
    assert [shares.take(name, wish(budget, 700)).amount for name in ("one", "two", "one")] == [700, 300, 0]


def test_who_finds_nothing_left_recalls_what_others_do_not_use(as_many: None) -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    shares.enrol("two", "host")
    window = shares.take("one", wish(budget, LIMIT)).window_id
    taken = shares.take("two", wish(budget, 10))
    assert (taken.amount, taken.others_share) == (0, LIMIT)
    assert shares.beat("one", [], [window]).recalled == {window}
    shares.give_back("one", {(budget.pk, START.timestamp()): 600})
    assert shares.take("two", wish(budget, 10)).amount == 10


def test_heartbeat_tells_others_what_is_held_and_on_its_way(as_many: None) -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    shares.enrol("two", "host")
    window = shares.take("one", wish(budget, 500)).window_id
    shares.beat("one", [shares.Figures(window, 300, 50)], [])
    seen = shares.beat("two", [], [window]).windows[window]
    assert (seen.posted, seen.left, seen.others_share, seen.others_held, seen.others_unposted) == (0, 500, 500, 300, 50)


def test_removed_budget_binds_nobody() -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    gone = wish(budget, 10)
    budget.delete()
    assert shares.take("one", gone).amount == 10


def test_silent_process_is_given_up_after_its_lease_and_not_before(as_many: None) -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    shares.take("one", wish(budget, 300))
    silent("one", 80)
    assert shares.reap_lost() == 0
    silent("one", 100)
    assert [shares.reap_lost(), shares.reap_lost()] == [1, 0]
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.amount_nano, entry.budget_id, entry.is_estimated) == ("reap", 300, budget.pk, True)
    assert Window.objects.values_list("posted_nano", "allotted_nano").get() == (300, 0)


def test_process_that_comes_back_hears_that_it_was_given_up_and_may_start_over(as_many: None) -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    shares.take("one", wish(budget, 300))
    silent("one")
    shares.reap_lost()
    assert shares.beat("one", [], []).is_lost
    shares.enrol("one", "host")
    assert not shares.beat("one", [], []).is_lost
    assert shares.take("one", wish(budget, 100)).amount == 100
    assert [shares.forgive("one"), shares.forgive("one")] == [1, 0]
    assert Window.objects.values_list("posted_nano", "allotted_nano").get() == (0, 100)
    assert prove() == []


def test_journal_found_after_its_process_was_given_up_counts_once(as_many: None) -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    shares.take("one", wish(budget, 300))
    silent("one")
    shares.reap_lost()
    post([closing("req_1", [120], [(budget.pk, START.timestamp())])], "base", "one")
    shares.retire("one")
    assert Window.objects.values_list("posted_nano", "allotted_nano").get() == (120, 0)
    assert sorted(LedgerEntry.objects.values_list("kind", "amount_nano")) == [("adjust", -300), ("base", 120), ("reap", 300)]
    assert prove() == []


def test_pause_of_the_only_process_is_no_loss() -> None:
    make_budget()
    shares.enrol("one", "host")
    silent("one", 10_000)
    with mock.patch.object(shares, "is_one_disk", lambda: True):
        assert shares.reap_lost() == 0


def test_process_before_us_whose_journal_is_gone_is_charged_what_it_said_it_held() -> None:
    budget = make_budget()
    with mock.patch.object(shares, "is_one_disk", lambda: True):
        shares.enrol("old", "host")
        window = shares.take("old", wish(budget, 1)).window_id
        shares.beat("old", [shares.Figures(window, 70, 30)], [])
        shares.enrol("new", "host")
    assert Window.objects.values_list("posted_nano", "allotted_nano").get() == (100, 0)
    assert prove() == []


def test_cost_beyond_the_hold_is_posted_all_the_same(as_many: None) -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    shares.take("one", wish(budget, 100))
    told: list[Moved] = []
    post([closing("req_1", [1500], [(budget.pk, START.timestamp())])], "base", "one", told.extend)
    assert told == [Moved((budget.pk, START.timestamp()), 1500, 100)]
    assert Window.objects.values_list("posted_nano", "allotted_nano").get() == (1500, 0)
    assert shares.take("one", wish(budget, 1)).amount == 0


def test_entry_that_was_posted_before_tells_its_process_and_changes_nothing(as_many: None) -> None:
    budget = make_budget()
    entry = closing("req_1", [40], [(budget.pk, START.timestamp())])
    shares.enrol("one", "host")
    shares.take("one", wish(budget, 100))
    post([entry], "base", "one")
    told: list[Moved] = []
    post([entry], "base", "one", told.extend)
    assert told == [Moved((budget.pk, START.timestamp()), 40, 40)]
    assert Window.objects.values_list("posted_nano", "allotted_nano").get() == (40, 60)


def test_posting_that_fails_takes_back_what_it_told(as_many: None) -> None:
    budget = make_budget()
    shares.enrol("one", "host")
    shares.take("one", wish(budget, 100))
    told: list[Moved] = []

    def tell(moves: list[Moved]) -> None:
        told.extend(moves)
        if len(told) == 1:
            raise ValueError("the connection broke at the commit")

    with pytest.raises(ValueError, match="commit"):
        post([closing("req_1", [40], [(budget.pk, START.timestamp())])], "base", "one", tell)
    assert [(move.amount, move.taken) for move in told] == [(40, 40), (-40, -40)]
    assert (LedgerEntry.objects.count(), Window.objects.get().posted_nano) == (0, 0)
