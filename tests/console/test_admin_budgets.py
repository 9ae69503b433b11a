"""The admin's pages of budgets and plans, and what lists show of budgets."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent, RollUp
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget, BudgetPlan, Window
from billing.plans import make_plan, take_plan
from keys.models import Team, VirtualKey
from tests.console.admin_pages import inline, last_event, page
from tests.factories import make_admin, make_key, make_team

pytestmark = pytest.mark.django_db


@pytest.fixture
def web() -> Client:
    client = Client()
    client.force_login(make_admin())
    return client


def test_budget_is_edited_in_dollars(web: Client) -> None:
    team = make_team()
    form = {"scope": "team", "scope_id": team.pk, "amount_nano": "12.50", "period": "1w", "mode": "hard", "time_zone": "UTC"} | inline(
        "windows"
    )
    web.post(page(Budget, "add"), form)
    budget = Budget.objects.get()
    assert (budget.amount_nano, budget.period) == (12_500_000_000, "1w")
    web.post(page(Budget, "change", str(budget.pk)), form | {"amount_nano": "20"})
    web.post(page(Budget, "delete", str(budget.pk)), {"post": "yes"})
    assert [event.event for event in AuditEvent.objects.order_by("-id")[:3]] == ["budget.removed", "budget.set", "budget.set"]


def budget_form(**values: str) -> dict[str, Any]:
    form = {"scope": "global", "scope_id": "", "model": "", "amount_nano": "1", "period": "30d", "mode": "hard", "time_zone": "UTC"}
    return form | {"thresholds": "50, 80"} | values | inline("windows")


def test_every_term_of_a_budget_is_on_its_form(web: Client) -> None:
    web.post(page(Budget, "add"), budget_form(model="claude-opus*", mode="strict", thresholds="90, 50%", clamp_output="on"))
    budget = Budget.objects.get()
    assert (budget.model, budget.mode, budget.thresholds, budget.clamp_output) == ("claude-opus*", "strict", [50, 90], True)
    web.post(page(Budget, "change", str(budget.pk)), budget_form(mode="soft", thresholds=""))
    budget.refresh_from_db()
    assert (budget.model, budget.mode, budget.thresholds, budget.clamp_output) == ("claude-opus*", "soft", [], False)


def test_saving_an_unchanged_budget_changes_nothing(web: Client) -> None:
    web.post(page(Budget, "add"), budget_form())
    before = AuditEvent.objects.count()
    web.post(page(Budget, "change", str(Budget.objects.get().pk)), budget_form())
    assert AuditEvent.objects.count() == before


def test_plan_is_chosen_on_the_form_of_a_budget_and_left_by_other_terms(web: Client) -> None:
    make_plan(BudgetPlan(id="trial", amount_nano=7 * 10**9, period="7d"), actor=SYSTEM)
    web.post(page(Budget, "add"), budget_form(from_plan="trial", amount_nano=""))
    budget = Budget.objects.get()
    assert (budget.amount_nano, budget.period, budget.plan_id) == (7 * 10**9, "7d", "trial")
    same = budget_form(from_plan="trial", amount_nano="7", period="7d", thresholds="50, 80, 100")
    web.post(page(Budget, "change", str(budget.pk)), same)
    assert Budget.objects.get().plan_id == "trial"
    web.post(page(Budget, "change", str(budget.pk)), same | {"from_plan": ""})
    assert (Budget.objects.get().plan_id, Budget.objects.get().amount_nano) == (None, 7 * 10**9)


def test_changed_plan_changes_its_budgets(web: Client) -> None:
    web.post(page(BudgetPlan, "add"), {"id": "trial", "amount_nano": "7", "period": "7d"})
    take_plan(BudgetPlan.objects.get(), "team", make_team().pk, actor=SYSTEM)
    web.post(page(BudgetPlan, "change", "trial"), {"amount_nano": "8", "period": "7d"})
    assert Budget.objects.get().amount_nano == 8 * 10**9
    web.post(page(BudgetPlan, "delete", "trial"), {"post": "yes"})
    assert (BudgetPlan.objects.exists(), Budget.objects.exists(), last_event().event) == (False, True, "plan.removed")


def test_new_period_is_started_by_post_only(web: Client) -> None:
    web.post(page(Budget, "add"), budget_form())
    Window.objects.update(posted_nano=5)
    address = reverse("admin:billing_budget_reset", args=[Budget.objects.get().pk])
    assert "The budget of everyone" in web.get(address).content.decode()
    assert Window.objects.count() == 1
    web.post(address)
    assert (last_event().event, sorted(Window.objects.values_list("posted_nano", flat=True))) == ("budget.reset", [0, 5])


def test_calendar_budget_tells_why_it_is_not_reset(web: Client) -> None:
    web.post(page(Budget, "add"), budget_form(period="month"))
    answer = web.post(reverse("admin:billing_budget_reset", args=[Budget.objects.get().pk]), follow=True)
    assert "starts anew with each month of the calendar" in answer.content.decode()


@pytest.mark.parametrize("model", [VirtualKey, Team, Budget])
def test_lists_with_budgets_cost_the_same_few_queries(web: Client, model: type[Any]) -> None:
    counts = []
    for number in range(12):
        team = make_team(f"t{number}")
        for scope, row in (("team", team), ("key", make_key(f"k{number}", team=team)[0])):
            set_budget(scope, row.pk, BudgetTerms(10**9, "30d"), actor=SYSTEM)
        with CaptureQueriesContext(connection) as queries:
            assert "0% · $0.00 / $1.00 30d" in web.get(page(model, "changelist")).content.decode()
        counts.append(len(queries))
    assert len(set(counts[2:])) == 1


def test_list_of_budgets_shows_use_burn_and_end(web: Client) -> None:
    team = make_team("Search")
    set_budget("team", team.pk, BudgetTerms(20 * 10**9, "30d"), actor=SYSTEM)
    Window.objects.update(posted_nano=18 * 10**9)
    RollUp.objects.create(starts_at=timezone.now() - timedelta(hours=1), team_id=team.pk, status_class="ok", cost_nano=18 * 10**9)
    html = web.get(page(Budget, "changelist")).content.decode()
    for text in ("Search", 'value="90"', "90% · $18.00 / $20.00 30d", "$18.00", "less than a day"):
        assert text in html


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope_id": "nobody"}, {"period": "fortnight"}, {"period": "1M"}, {"time_zone": "Mars"}, {"amount_nano": "-1"},
        {"amount_nano": ""}, {"model": "a*b"}, {"thresholds": "x"}, {"thresholds": "2000"},
    ],
)  # fmt: skip
def test_wrong_budget_is_told_on_the_form(web: Client, wrong: dict[str, str]) -> None:
    form = budget_form(scope="team", scope_id=make_team().pk)
    assert web.post(page(Budget, "add"), form | wrong).context["adminform"].form.errors
    assert not Budget.objects.exists()
