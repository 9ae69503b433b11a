"""Periodic work on budgets: on the schedule, safe to repeat, and one result whatever number of processes does it."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import Outbox
from billing import tasks
from billing.ledger import prove
from billing.models import Budget, Instance, LedgerEntry, Share, Window
from billing.posting import post
from billing.window_opening import BUDGETS_PER_TRANSACTION, open_present
from gateway_project.celery import REAP_EVERY_S, app
from tests.billing.lines import closing
from tests.factories import make_admin
from tests.rules import is_product
from tests.test_architecture import repository
from tests.threads import at_once

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
PERIODS = ["", "30s", "15m", "7d", "1mo", "1y", "day", "week", "month"]


def make_budgets(periods: list[str] = PERIODS) -> list[Budget]:
    anchor = NOW - timedelta(days=40)
    return [
        Budget.objects.create(scope="tag", scope_id=f"{number:03d}", amount_nano=10**9, period=period, anchored_at=anchor)
        for number, period in enumerate(periods)
    ]


# ── the schedule ──────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", app.conf.beat_schedule)
def test_what_is_scheduled_exists(name: str) -> None:
    app.loader.import_default_modules()
    assert app.conf.beat_schedule[name]["task"] in app.tasks


def test_tasks_of_budgets_are_scheduled() -> None:
    assert {f"billing.tasks.{name}" for name in ("open_windows", "alert_on_budgets", "reap_lost_instances")} <= {
        entry["task"] for entry in app.conf.beat_schedule.values()
    }
    assert REAP_EVERY_S <= 10


# ── opening windows ───────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_each_budget_gets_its_present_window_once() -> None:
    make_budgets()
    assert (open_present(NOW), open_present(NOW)) == (len(PERIODS), 0)
    assert Window.objects.count() == len(PERIODS)
    assert set(Window.objects.values_list("posted_nano", "allotted_nano")) == {(0, 0)}


# R25
@pytest.mark.django_db
def test_reset_opens_the_next_window_and_leaves_the_last_one_alone() -> None:
    make_budgets(["day"])
    open_present(NOW)
    Window.objects.update(posted_nano=7)
    open_present(NOW + timedelta(days=1))
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    assert list(Window.objects.order_by("starts_at").values_list("starts_at", "posted_nano")) == [
        (midnight, 7),
        (midnight + timedelta(days=1), 0),
    ]


@pytest.mark.django_db
def test_window_that_a_call_opened_is_kept() -> None:
    [budget] = make_budgets(["month"])
    Window.objects.create(budget=budget, starts_at=datetime(2026, 11, 1, tzinfo=UTC), posted_nano=5)
    assert open_present(NOW) == 0
    assert Window.objects.get().posted_nano == 5


# R27
@pytest.mark.django_db
def test_clock_that_goes_back_opens_nothing_twice() -> None:
    make_budgets()
    for minutes in (0, 60, 0, 60):
        open_present(NOW + timedelta(minutes=minutes))
    windows = list(Window.objects.values_list("budget", "starts_at"))
    assert len(windows) == len(set(windows)) == len(PERIODS) + 2


@pytest.mark.django_db
def test_opened_windows_add_up_with_the_ledger() -> None:
    make_budgets()
    open_present(NOW)
    assert prove() == []


@pytest.mark.django_db
def test_more_budgets_than_fit_a_transaction() -> None:
    number = BUDGETS_PER_TRANSACTION + 1
    Budget.objects.bulk_create([Budget(scope="tag", scope_id=str(one), amount_nano=1, period="day") for one in range(number)])
    open_present(timezone.now())
    assert Window.objects.count() == number


# R25
@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_five_processes_that_reset_at_once_open_one_window() -> None:
    budgets = make_budgets(PERIODS * 5)
    for days in range(3):
        moment = NOW + timedelta(days=days)
        at_once(5, partial(open_present, moment))
        assert open_present(moment) == 0
    windows = list(Window.objects.values_list("budget", "starts_at"))
    assert len(windows) == len(set(windows))
    assert {budget for budget, _ in windows} == {budget.pk for budget in budgets}


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_windows_open_while_calls_are_posted_to_them() -> None:
    budgets = make_budgets(["day"] * 20)
    starts = [(budget.pk, datetime(2026, 11, 21, tzinfo=UTC).timestamp()) for budget in budgets]
    numbers = iter(range(100))

    def work() -> None:
        number = next(numbers)
        post([closing(f"req_{number}", [10], starts[:: 1 if number % 2 else -1], at=NOW.timestamp())], "base")
        open_present(NOW)

    at_once(5, work)
    assert set(Window.objects.values_list("posted_nano", flat=True)) == {50}
    assert Window.objects.count() == 20


# ── the tasks themselves ──────────────────────────────────────────────────────
@pytest.mark.django_db
def test_tasks_look_at_the_present() -> None:
    budget = Budget.objects.create(scope="global", amount_nano=100, period="month")
    tasks.open_windows()
    start = Window.objects.get().starts_at
    assert timedelta(0) <= timezone.now() - start < timedelta(days=32)
    Window.objects.update(posted_nano=85)
    tasks.alert_on_budgets()
    tasks.alert_on_budgets()
    keys = [f"budget:{budget.pk}:{start:%Y-%m-01T00:00:00.000000Z}:{percent}" for percent in (50, 80)]
    assert sorted(Outbox.objects.values_list("once_key", flat=True)) == keys


def lose_an_instance(amount: int) -> Window:
    beat_at = timezone.now() - timedelta(days=1)
    lost = Instance.objects.create(id="lost", started_at=beat_at, beat_at=beat_at)
    budget = Budget.objects.create(scope="global", amount_nano=100)
    window = Window.objects.create(budget=budget, starts_at=budget.anchored_at, allotted_nano=amount)
    Share.objects.create(window=window, instance=lost, amount_nano=amount)
    return window


# R30
@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_instance_is_reaped_and_alerted_on_once_by_processes_that_notice_at_once() -> None:
    window = lose_an_instance(60)
    at_once(3, tasks.reap_lost_instances)
    at_once(3, tasks.alert_on_budgets)
    window.refresh_from_db()
    assert (window.posted_nano, window.allotted_nano) == (60, 0)
    assert LedgerEntry.objects.values_list("kind", "amount_nano").get() == ("reap", 60)
    assert Outbox.objects.get().payload["threshold"] == 50


# ── ledger entries are never changed or deleted ───────────────────────────────
@pytest.mark.django_db
def test_ledger_entry_can_be_read_and_nothing_else() -> None:
    post([closing("req_1", [30], at=NOW.timestamp())], "base")
    entry = LedgerEntry.objects.get()
    web = Client()
    web.force_login(make_admin())
    change, delete = (reverse(f"admin:billing_ledgerentry_{page}", args=[entry.pk]) for page in ("change", "delete"))
    assert web.get(change).status_code == 200
    assert web.post(change, {"amount_nano": 1}).status_code == 403
    assert web.post(delete, {"post": "yes"}).status_code == 403
    assert web.post(reverse("admin:billing_ledgerentry_add"), {"amount_nano": 1}).status_code == 403
    web.post(reverse("admin:billing_ledgerentry_changelist"), {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})
    assert LedgerEntry.objects.values().get()["amount_nano"] == 30


CHANGING = re.compile(
    r"LedgerEntry\b[^\n]*\.(update|delete|bulk_update|update_or_create)\(|(UPDATE|DELETE FROM|DO UPDATE)[^\n]*(LedgerEntry|ledgerentry)"
)


# R40
def test_no_line_of_ours_changes_or_deletes_a_ledger_entry() -> None:
    found = [
        (file.path, line) for file in repository() if is_product(file.path) for line in file.text.splitlines() if CHANGING.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("line", ["LedgerEntry.objects.filter(pk=1).update(x=1)", 'f"DELETE FROM {LedgerEntry._meta.db_table}"'])
def test_line_that_changed_one_would_be_found(line: str) -> None:
    assert CHANGING.search(line)
