"""How budgets stand: posted, on the way and held apart, in as few queries for a hundred budgets as for one."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import RollUp, TagRollUp
from billing.bank import Bank, Wish
from billing.budget_book import covers
from billing.holds import Purse
from billing.limits import Applying
from billing.loading import load_budgets
from billing.models import Budget, Instance, Share, Window
from billing.shares import Figures, beat, enrol, take
from billing.standing import sentence
from billing.status import DAY_S, Burn, burns, standing_of, standings, told
from tests.factories import make_team
from tests.proxy.treasury import MemoryTreasury

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)
USD = 10**9


def make_budget(scope: str = "team", scope_id: str = "t", amount: int = 100 * USD, period: str = "30d", **values: object) -> Budget:
    anchor = NOW - timedelta(days=10)
    return Budget.objects.create(scope=scope, scope_id=scope_id, amount_nano=amount, period=period, anchored_at=anchor, **values)


def make_share(window: Window, name: str, held: int, unposted: int, age_s: int) -> None:
    beat = NOW - timedelta(seconds=age_s)
    instance = Instance.objects.create(id=name, started_at=beat, beat_at=beat)
    Share.objects.create(window=window, instance=instance, amount_nano=10 * USD, held_nano=held, unposted_nano=unposted)


def roll_up(amount: int, age: timedelta, **values: str) -> None:
    RollUp.objects.create(starts_at=NOW - age, status_class="ok", cost_nano=amount, **values)


def test_standing_adds_what_every_process_tells() -> None:
    budget = make_budget()
    window = Window.objects.create(budget=budget, starts_at=budget.anchored_at, posted_nano=40 * USD)
    make_share(window, "a", 3 * USD, 2 * USD, 1)
    make_share(window, "b", 1 * USD, 4 * USD, 30)
    one = standing_of(budget, NOW)
    assert (one.spent_nano, one.held_nano, one.left_nano, one.used_percent, one.age_s) == (46 * USD, 4 * USD, 50 * USD, 46, 30)


def test_window_that_nobody_has_opened_has_had_no_spend() -> None:
    budget = make_budget(period="day")
    Window.objects.create(budget=budget, starts_at=NOW - timedelta(days=2), posted_nano=40 * USD)
    one = standing_of(budget, NOW)
    assert (one.spent_nano, one.starts_at, one.resets_at) == (0, NOW.timestamp() - DAY_S // 2, NOW.timestamp() + DAY_S // 2)


def test_budget_without_a_period_never_resets() -> None:
    assert standing_of(make_budget(period=""), NOW).resets_at is None


@pytest.mark.parametrize("count", [1, 100])
def test_any_number_of_budgets_takes_two_queries(count: int) -> None:
    budgets = [make_budget(scope_id=f"t{number}", period="day") for number in range(count)]
    windows = [Window(budget=one, starts_at=NOW.replace(hour=0), posted_nano=one.pk) for one in budgets]
    Window.objects.bulk_create(windows)
    with CaptureQueriesContext(connection) as queries:
        found = standings(budgets, NOW)
    assert len(queries) == 2
    assert {pk: one.spent_nano for pk, one in found.items()} == {one.pk: one.pk for one in budgets}


# R32
def test_told_sentence_is_that_of_the_refusal() -> None:
    budget = make_budget(scope_id=make_team("Blue").pk)
    assert told(budget, NOW) == sentence(standing_of(budget, NOW), "Blue")
    assert told(budget, NOW).startswith("The budget of team Blue: $0.00 of $100.00 spent.")


# R32
def test_refusing_process_and_page_say_the_same() -> None:
    """R32: a process that has just told its figures, beside another one that has."""
    budget = make_budget()
    window = Window.objects.create(budget=budget, starts_at=budget.anchored_at, posted_nano=40 * USD)
    enrol("here", "host")
    make_share(window, "there", 3 * USD, 2 * USD, 0)
    one = Applying(load_budgets().by_id[budget.pk], window.starts_at.timestamp(), standing_of(budget, NOW).resets_at)
    purse, bank = Purse(one), Bank(MemoryTreasury())
    taken = take("here", Wish(purse.key, USD, 0))
    purse.share = taken.amount
    purse.held, purse.settled = 5 * USD, 7 * USD
    bank.seen(purse, taken)
    beat("here", [Figures(window.pk, purse.held, purse.unposted)], [window.pk])
    standing = purse.standing(0)
    assert (standing.spent_nano, standing.held_nano) == (49 * USD, 8 * USD)
    assert sentence(standing, "Blue") == sentence(standing_of(budget, NOW), "Blue")


# ── burn ──────────────────────────────────────────────────────────────────────
def burn_of(budget: Budget) -> Burn:
    return burns([budget], standings([budget], NOW), NOW)[budget.pk]


def test_burn_is_what_a_day_of_the_last_week_cost() -> None:
    roll_up(21 * USD, timedelta(days=6, hours=18), team_id="t")
    roll_up(6 * USD, timedelta(hours=1), team_id="t")
    roll_up(1000 * USD, timedelta(days=8), team_id="t")
    roll_up(1000 * USD, timedelta(hours=1), team_id="other")
    assert burn_of(make_budget()).per_day_nano == 4 * USD


def test_one_call_of_a_minute_ago_is_no_trend() -> None:
    roll_up(6 * USD, timedelta(minutes=1), team_id="t")
    assert burn_of(make_budget()).per_day_nano == 6 * USD


def test_budget_runs_out_when_its_rate_has_used_what_is_left() -> None:
    roll_up(8 * USD, timedelta(hours=1), team_id="t")
    burn = burn_of(make_budget(amount=24 * USD))
    assert (burn.runs_out_at, burn.days_left(NOW)) == (NOW.timestamp() + 3 * DAY_S, 3)


def test_budget_that_lasts_until_its_reset_does_not_run_out() -> None:
    roll_up(8 * USD, timedelta(hours=1), team_id="t")
    assert burn_of(make_budget(amount=24 * USD, period="day")).runs_out_at is None


def test_used_up_budget_has_run_out() -> None:
    assert burn_of(make_budget(amount=0)).days_left(NOW) == 0


@pytest.mark.parametrize(
    ("scope", "scope_id"),
    [("key", "k"), ("user", "u"), ("team", "t"), ("member", "t/u"), ("organisation", "o"), ("global", ""), ("tag", "x")],
)
def test_every_scope_has_its_own_rate(scope: str, scope_id: str) -> None:
    names = {"key_id": "k", "user_id": "u", "team_id": "t", "organisation_id": "o"}
    roll_up(5 * USD, timedelta(hours=1), route="claude-opus", **names)
    roll_up(2 * USD, timedelta(hours=1), route="claude-haiku", **names)
    TagRollUp.objects.create(starts_at=NOW - timedelta(hours=1), tag="x", route="claude-opus", cost_nano=5 * USD)
    TagRollUp.objects.create(starts_at=NOW - timedelta(hours=1), tag="x", route="claude-haiku", cost_nano=2 * USD)
    assert burn_of(make_budget(scope, scope_id)).per_day_nano == 7 * USD
    assert burn_of(make_budget(scope, scope_id, model="claude-o*")).per_day_nano == 5 * USD


def test_end_user_burns_what_the_window_says() -> None:
    budget = make_budget("end_user", "somebody")
    Window.objects.create(budget=budget, starts_at=budget.anchored_at, posted_nano=20 * USD)
    assert burn_of(budget).per_day_nano == 2 * USD


@pytest.mark.parametrize(
    ("model", "route", "is_covered"), [("", "x", True), ("x", "x", True), ("x", "xy", False), ("x*", "xy", True), ("*", "x", True)]
)
def test_model_of_a_budget_covers_its_family(model: str, route: str, is_covered: bool) -> None:
    assert covers(model, route) is is_covered
