"""Thresholds are told once per window, in every mode, whoever notices and however often."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.models import Outbox
from audit.outbox import sweep
from billing.alert_rows import LATE, WINDOWS_BACK, write_alerts
from billing.alerts import Alert, crossed
from billing.models import Budget, Window
from billing.periods import window
from keys.models import Membership
from tests.factories import make_key, make_team, make_user
from tests.threads import at_once

NOW = datetime(2026, 11, 21, 9, 30, 12, 500, tzinfo=UTC)
DOLLAR = 10**9


# ── which thresholds are crossed ──────────────────────────────────────────────
@pytest.mark.parametrize(
    ("spent", "amount", "thresholds", "expected"),
    [
        (0, 100, [50, 80, 100], []),
        (49, 100, [50, 80, 100], []),
        (50, 100, [50, 80, 100], [50]),
        (99, 100, [50, 80, 100], [50, 80]),
        (100, 100, [50, 80, 100], [50, 80, 100]),
        (250, 100, [50, 200, 300], [50, 200]),
        (90, 100, [80, 50, 80], [50, 80]),
        (90, 100, [], []),
        (0, 0, [50], []),
        (-5, 0, [50], []),
        (1, 0, [50, 100], [50, 100]),
        (2**62, 2**62 + 2**60, [80, 81], [80]),
    ],
)
def test_thresholds_reached(spent: int, amount: int, thresholds: list[int], expected: list[int]) -> None:
    assert crossed(spent, amount, thresholds) == expected


@given(st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 10**18), st.lists(st.integers(1, 1000), max_size=10))
def test_more_spending_never_uncrosses_a_threshold(spent: int, more: int, amount: int, thresholds: list[int]) -> None:
    assert set(crossed(spent, amount, thresholds)) <= set(crossed(spent + more, amount, thresholds))


def alert(**values: Any) -> Alert:
    known: dict[str, Any] = {"budget_id": 7, "scope": "team", "scope_id": "t-1", "name": "Blue", "model": "", "mode": "soft"}
    figures: dict[str, Any] = {"threshold": 80, "amount_nano": 2 * DOLLAR, "spent_nano": 17 * DOLLAR // 10}
    return Alert(**known | figures | {"starts_at": NOW, "ends_at": NOW + timedelta(days=1)} | values)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "80% of the budget of team Blue is spent: $1.70 of $2.00."),
        ({"model": "claude-*"}, "80% of the budget of team Blue for claude-* is spent: $1.70 of $2.00."),
        ({"name": ""}, "80% of the budget of team t-1 is spent: $1.70 of $2.00."),
        ({"scope": "end_user", "name": "eve"}, "80% of the budget of end user eve is spent: $1.70 of $2.00."),
        ({"scope": "global", "scope_id": "", "name": ""}, "80% of the budget of everyone is spent: $1.70 of $2.00."),
    ],
)
def test_alert_says_whose_budget_and_how_much(values: dict[str, Any], text: str) -> None:
    assert alert(**values).text == text


def test_key_of_an_alert_is_budget_window_and_threshold() -> None:
    keys = {
        alert().once_key,
        alert(threshold=100).once_key,
        alert(budget_id=8).once_key,
        alert(starts_at=NOW + timedelta(microseconds=1)).once_key,
    }
    assert len(keys) == 4
    assert alert(amount_nano=1, spent_nano=5, name="Red", ends_at=None).once_key == "budget:7:2026-11-21T09:30:12.000500Z:80"


# ── from windows to the outbox ────────────────────────────────────────────────
def make_budget(spent: int, amount: int = 100 * DOLLAR, at: datetime = NOW, **values: Any) -> Budget:
    known = {"scope": "global", "period": "day", "anchored_at": NOW - timedelta(days=400)}
    budget = Budget.objects.create(amount_nano=amount, **known | values)
    spend(budget, spent, at)
    return budget


def spend(budget: Budget, amount: int, at: datetime = NOW) -> None:
    start = window(budget.period, budget.anchored_at, at, budget.time_zone)[0]
    Window.objects.update_or_create(budget=budget, starts_at=start, defaults={"posted_nano": amount})


def told() -> list[int]:
    return [payload["threshold"] for payload in Outbox.objects.order_by("id").values_list("payload", flat=True)]


@pytest.mark.django_db
def test_alert_is_plain_data_that_only_needs_rendering() -> None:
    team = make_team("Blue")
    budget = make_budget(85 * DOLLAR, scope="team", scope_id=team.pk, model="claude-*", mode="soft", thresholds=[80])
    write_alerts(NOW)
    note = Outbox.objects.get()
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    assert (note.kind, note.created_at, note.sent_at, note.attempts) == ("budget_threshold", NOW, None, 0)
    assert note.payload == {
        "text": "80% of the budget of team Blue for claude-* is spent: $85.00 of $100.00.",
        "budget_id": budget.pk, "scope": "team", "scope_id": team.pk, "name": "Blue", "model": "claude-*", "mode": "soft",
        "threshold": 80, "amount_nano": 100 * DOLLAR, "spent_nano": 85 * DOLLAR,
        "starts_at": midnight.timestamp(), "ends_at": (midnight + timedelta(days=1)).timestamp(),
    }  # fmt: skip


# R30
@pytest.mark.django_db
@pytest.mark.parametrize("mode", Budget.Mode.values)
def test_each_threshold_is_told_once_whatever_is_spent_later(mode: str) -> None:
    budget = make_budget(0, mode=mode)
    for spent in (10, 49, 50, 50, 79, 85, 60, 90, 100, 130):
        spend(budget, spent * DOLLAR)
        write_alerts(NOW)
    assert told() == [50, 80, 100]


@pytest.mark.django_db
def test_leap_over_all_thresholds_tells_all_of_them() -> None:
    make_budget(120 * DOLLAR)
    assert (write_alerts(NOW), write_alerts(NOW)) == (3, 0)
    assert told() == [50, 80, 100]


@pytest.mark.django_db
def test_raised_budget_does_not_tell_the_same_threshold_again_in_its_window() -> None:
    budget = make_budget(85 * DOLLAR)
    write_alerts(NOW)
    Budget.objects.update(amount_nano=200 * DOLLAR)
    for spent in (90, 165, 199, 200):
        spend(budget, spent * DOLLAR)
        write_alerts(NOW)
    assert told() == [50, 80, 100]


@pytest.mark.django_db
def test_next_window_tells_again() -> None:
    budget = make_budget(55 * DOLLAR)
    write_alerts(NOW)
    tomorrow = NOW + timedelta(days=1)
    spend(budget, 60 * DOLLAR, tomorrow)
    write_alerts(tomorrow)
    assert told() == [50, 50]


@pytest.mark.django_db
def test_what_was_posted_late_to_a_window_that_ended_is_told() -> None:
    budget = make_budget(1 * DOLLAR, period="30s")
    for back in range(1, WINDOWS_BACK):
        spend(budget, 55 * DOLLAR, NOW - back * timedelta(seconds=30))
    write_alerts(NOW)
    assert told() == [50] * (WINDOWS_BACK - 1)


@pytest.mark.django_db
def test_window_long_over_is_no_news() -> None:
    make_budget(99 * DOLLAR, at=NOW - LATE - timedelta(days=2))
    write_alerts(NOW)
    assert told() == []


@pytest.mark.django_db
def test_windows_of_terms_that_were_changed_are_left_alone() -> None:
    make_budget(99 * DOLLAR, period="7d")
    Budget.objects.update(anchored_at=NOW - timedelta(minutes=5))
    write_alerts(NOW)
    assert told() == []


@pytest.mark.django_db
@pytest.mark.parametrize(("period", "is_kept"), [("", True), ("1y", False), ("1mo", False), ("30s", False)])
def test_swept_outbox_tells_nothing_again(period: str, is_kept: bool) -> None:
    make_budget(85 * DOLLAR, period=period)
    written = []
    for days in range(0, 800, 7):
        written.append(write_alerts(NOW + timedelta(days=days)))
        sweep(NOW + timedelta(days=days))
    assert (written[0], sum(written)) == (2, 2)
    assert Outbox.objects.exists() == is_kept


@pytest.mark.django_db
def test_budgets_that_nobody_spent_from_cost_one_query(django_assert_num_queries: Any) -> None:
    for number in range(5):
        make_budget(0, scope="tag", scope_id=f"tag {number}")
    with django_assert_num_queries(1):
        write_alerts(NOW)


@pytest.mark.django_db
def test_budgets_that_were_told_of_cost_two_queries(django_assert_num_queries: Any) -> None:
    for number in range(5):
        make_budget(90 * DOLLAR, scope="tag", scope_id=f"tag {number}")
    assert write_alerts(NOW) == 10
    with django_assert_num_queries(2):
        write_alerts(NOW)


@pytest.mark.django_db
def test_alert_names_whom_it_is_about() -> None:
    team, user = make_team("Blue"), make_user("alice")
    Membership.objects.create(team=team, user=user)
    for scope, scope_id in (("member", f"{team.pk}/{user.pk}"), ("key", make_key("laptop")[0].pk), ("tag", "ci"), ("key", "gone")):
        make_budget(50 * DOLLAR, scope=scope, scope_id=scope_id)
    make_budget(50 * DOLLAR)
    write_alerts(NOW)
    whose = ("member alice@example.com (Blue)", "key laptop", "tag ci", "key gone", "everyone")
    texts = Outbox.objects.order_by("payload__budget_id").values_list("payload", flat=True)
    assert [payload["text"].partition(" is spent")[0] for payload in texts] == [f"50% of the budget of {name}" for name in whose]


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_processes_that_notice_at_once_tell_once() -> None:
    for number in range(40):
        make_budget(85 * DOLLAR, scope="tag", scope_id=f"tag {number:02d}", mode="soft")
    at_once(5, lambda: write_alerts(NOW))
    assert sorted(told()) == [50] * 40 + [80] * 40
    assert write_alerts(NOW) == 0
