"""Plans: one change reaches everybody who has taken them, and removing a name takes no limit away."""

import pytest

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, change_budget, set_budget
from billing.models import Budget, BudgetPlan
from billing.plans import change_plan, holders_of, leave_plan, let_go, make_plan, remove_plan, take_plan
from keys.actions import change_key
from keys.models import VirtualKey
from tests.factories import make_key, make_team, make_user

pytestmark = pytest.mark.django_db


def plan(name: str = "trial", amount: int | None = 10, soft: int | None = None, **values: object) -> BudgetPlan:
    return make_plan(BudgetPlan(id=name, amount_nano=amount, soft_amount_nano=soft, period="7d", **values), actor=SYSTEM)


def terms_now() -> list[tuple[str, str, int, str]]:
    return list(Budget.objects.order_by("scope", "mode").values_list("scope", "mode", "amount_nano", "period"))


def test_scopes_that_take_a_plan_have_budgets_of_their_own() -> None:
    both = plan(soft=8)
    take_plan(both, "key", make_key()[0].pk, actor=SYSTEM)
    take_plan(both, "team", make_team().pk, actor=SYSTEM)
    assert terms_now() == [("key", "hard", 10, "7d"), ("key", "soft", 8, "7d"), ("team", "hard", 10, "7d"), ("team", "soft", 8, "7d")]
    assert len(holders_of(both)) == 2


def test_changed_plan_changes_everybodys_budgets() -> None:
    both = plan(soft=8)
    take_plan(both, "user", make_user().pk, actor=SYSTEM)
    change_plan(both, {"amount_nano": 20, "soft_amount_nano": None, "period": "1mo"}, actor=SYSTEM)
    assert terms_now() == [("user", "hard", 20, "1mo")]
    events = list(AuditEvent.objects.filter(event__startswith="budget.").values_list("event", flat=True).order_by("id"))
    assert events == ["budget.set", "budget.set", "budget.set", "budget.removed"]


def test_what_was_set_beside_the_plans_terms_stays() -> None:
    team, small = make_team(), plan()
    [budget] = take_plan(small, "team", team.pk, actor=SYSTEM)
    Budget.objects.filter(pk=budget.pk).update(time_zone="Asia/Tokyo", thresholds=[90], mode="strict")
    change_plan(small, {"amount_nano": 20}, actor=SYSTEM)
    changed = Budget.objects.get()
    assert (changed.amount_nano, changed.time_zone, changed.thresholds, changed.mode) == (20, "Asia/Tokyo", [90], "strict")


def test_another_plan_takes_the_place_of_the_first() -> None:
    team = make_team()
    take_plan(plan(soft=5), "team", team.pk, actor=SYSTEM)
    take_plan(plan("large", 100), "team", team.pk, actor=SYSTEM)
    assert terms_now() == [("team", "hard", 100, "7d")]


def test_left_plan_takes_its_budgets_along_and_no_other() -> None:
    team = make_team()
    set_budget("team", team.pk, BudgetTerms(1, "day"), actor=SYSTEM)
    take_plan(plan(), "team", team.pk, actor=SYSTEM)
    leave_plan("team", team.pk, actor=SYSTEM)
    assert terms_now() == [("team", "hard", 1, "day")]


def test_removed_plan_leaves_its_budgets_where_they_are() -> None:
    small = plan()
    take_plan(small, "team", make_team().pk, actor=SYSTEM)
    remove_plan(small, actor=SYSTEM)
    assert (Budget.objects.get().plan_id, Budget.objects.get().amount_nano) == (None, 10)


def test_budget_changed_by_hand_leaves_its_plan() -> None:
    small = plan()
    [budget] = take_plan(small, "team", make_team().pk, actor=SYSTEM)
    assert change_budget(budget, BudgetTerms(10, "7d"), actor=SYSTEM).plan == small
    assert change_budget(budget, BudgetTerms(11, "7d"), actor=SYSTEM).plan is None
    change_plan(small, {"amount_nano": 20}, actor=SYSTEM)
    assert Budget.objects.get().amount_nano == 11


def test_budget_let_go_keeps_its_terms() -> None:
    [budget] = take_plan(plan(), "team", make_team().pk, actor=SYSTEM)
    assert (let_go(budget, actor=SYSTEM).plan, Budget.objects.get().amount_nano) == (None, 10)


def test_limits_of_a_plan_reach_the_row_where_nobody_set_others() -> None:
    key = make_key(rpm_limit=3)[0]
    small = plan(rpm_limit=60, tpm_limit=1000)
    take_plan(small, "key", key.pk, actor=SYSTEM)
    change_plan(small, {"tpm_limit": 2000, "rpm_limit": 90}, actor=SYSTEM)
    assert VirtualKey.objects.values_list("rpm_limit", "tpm_limit").get() == (3, 2000)
    change_key(key, {"tpm_limit": 5}, actor=SYSTEM)
    change_plan(small, {"tpm_limit": None}, actor=SYSTEM)
    assert VirtualKey.objects.get().tpm_limit == 5


@pytest.mark.parametrize("changes", [{"amount_nano": -1}, {"period": "1M"}, {"amount_nano": None}, {"created_by": "x"}])
def test_wrong_change_of_a_plan_changes_nothing(changes: dict[str, object]) -> None:
    small = plan()
    take_plan(small, "team", make_team().pk, actor=SYSTEM)
    with pytest.raises(ChangeRefused):
        change_plan(small, changes, actor=SYSTEM)
    assert terms_now() == [("team", "hard", 10, "7d")]


def test_plan_without_an_amount_is_not_taken() -> None:
    with pytest.raises(ChangeRefused, match="names no amount"):
        take_plan(plan(amount=None), "team", make_team().pk, actor=SYSTEM)


def test_second_plan_of_a_name_is_refused() -> None:
    plan()
    with pytest.raises(ChangeRefused, match="already"):
        plan()
