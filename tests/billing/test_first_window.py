"""Terms that change in the middle of a period: what was spent still counts, and the money check agrees."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from audit.trail import SYSTEM
from billing import actions
from billing.actions import BudgetTerms
from billing.ledger import prove
from billing.models import Budget, Window
from billing.periods import window
from billing.posting import post
from tests.billing.lines import closing
from tests.factories import make_team

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)
MONTHLY = BudgetTerms(1000, "month")


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        monkeypatch.setattr(timezone, "now", lambda: self.now)

    def later(self, **span: int) -> datetime:
        self.now += timedelta(**span)
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def spend(team_id: str, amount: int, at: datetime, number: int) -> None:
    """A call that counts in all budgets of the team, as a process that knows them has it."""
    budgets = Budget.objects.filter(scope="team", scope_id=team_id)
    starts = [(one.pk, window(one.period, one.anchored_at, at, one.time_zone)[0].timestamp()) for one in budgets]
    post([closing(f"req_{number}", [amount], starts, at=at.timestamp())], "base")


def team_with(terms: BudgetTerms) -> tuple[str, Budget]:
    team = make_team(id="team-1")
    return team.pk, actions.set_budget("team", team.pk, terms, actor=SYSTEM)


def present(budget: Budget, now: datetime) -> Window:
    budget.refresh_from_db()
    start = window(budget.period, budget.anchored_at, now, budget.time_zone)[0]
    return budget.windows.get(starts_at=start)


@pytest.mark.parametrize("period", ["day", "week", "month"])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_changed_time_zone_opens_a_window_with_what_the_ledger_says(clock: Clock, period: str, zone: str) -> None:
    """R26, R28: nothing is forgiven, and `money check` has nothing to report, now and after further calls."""
    team_id, budget = team_with(replace(MONTHLY, period=period))
    for number, hours in enumerate((1, 20, 3)):
        spend(team_id, 100 + number, clock.later(hours=hours), number)
    now = clock.later(minutes=5)
    actions.change_budget(budget, replace(MONTHLY, period=period, time_zone=zone), actor=SYSTEM)
    start = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0)
    assert present(budget, now).starts_at <= start.astimezone(UTC)
    assert present(budget, now).posted_nano > 0
    spend(team_id, 7, clock.later(minutes=30), 9)
    assert prove() == []


def test_time_zone_changed_there_and_back_counts_everything_once(clock: Clock) -> None:
    team_id, budget = team_with(MONTHLY)
    spend(team_id, 100, clock.later(hours=1), 1)
    for number, zone in enumerate(("Asia/Tokyo", "UTC"), start=2):
        actions.change_budget(budget, replace(MONTHLY, time_zone=zone), actor=SYSTEM)
        spend(team_id, 10, clock.later(hours=1), number)
    assert present(budget, clock.now).posted_nano == 120
    assert prove() == []


def test_new_calendar_budget_counts_what_its_period_has_cost(clock: Clock) -> None:
    team_id, _ = team_with(replace(MONTHLY, period="1h"))
    spend(team_id, 100, clock.later(hours=1), 1)
    monthly = actions.set_budget("team", team_id, MONTHLY, actor=SYSTEM)
    assert monthly.windows.get().posted_nano == 100
    assert prove() == []


def test_new_budget_that_counts_from_now_begins_with_nothing(clock: Clock) -> None:
    team_id, _ = team_with(replace(MONTHLY, period="1h"))
    spend(team_id, 100, clock.later(hours=1), 1)
    fresh = actions.set_budget("team", team_id, BudgetTerms(1000, "30d"), actor=SYSTEM)
    assert (fresh.windows.get().starts_at, fresh.windows.get().posted_nano) == (clock.now, 0)
    assert prove() == []


@pytest.mark.parametrize("period", ["", "30s", "7d", "1mo", "day", "week", "month"])
@pytest.mark.parametrize("changed", ["", "15m", "1y", "day", "week", "month"])
def test_changed_period_adds_up(clock: Clock, period: str, changed: str) -> None:
    team_id, budget = team_with(replace(MONTHLY, period=period))
    spend(team_id, 100, clock.later(hours=1), 1)
    actions.change_budget(budget, replace(MONTHLY, period=changed), actor=SYSTEM)
    spend(team_id, 10, clock.later(minutes=10), 2)
    assert prove() == []


def test_reset_budget_adds_up(clock: Clock) -> None:
    team_id, budget = team_with(BudgetTerms(1000, "30d"))
    spend(team_id, 100, clock.later(hours=1), 1)
    actions.reset_budget(budget, actor=SYSTEM)
    spend(team_id, 10, clock.later(hours=1), 2)
    assert present(budget, clock.now).posted_nano == 10
    assert prove() == []


def test_amount_lowered_and_raised_leaves_the_window_alone(clock: Clock) -> None:
    """R28: the same window, below what is posted and above it again."""
    team_id, budget = team_with(MONTHLY)
    spend(team_id, 100, clock.later(hours=1), 1)
    for amount in (50, 2000):
        actions.change_budget(budget, replace(MONTHLY, amount_nano=amount), actor=SYSTEM)
        assert present(budget, clock.now).posted_nano == 100
    assert Window.objects.count() == 1
    assert prove() == []
