from dataclasses import replace
from decimal import Decimal

import pytest

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from audit.trail import SYSTEM
from billing import actions
from billing.actions import BudgetTerms
from billing.models import Budget, Price
from keys.actions import add_member
from keys.models import Membership
from tests.factories import make_key, make_organisation, make_team, make_user

pytestmark = pytest.mark.django_db
TWENTY = BudgetTerms(20 * 10**9, "30d")


def test_budget_is_set_for_every_scope() -> None:
    rows = {"key": make_key()[0], "user": make_user(), "team": make_team(), "organisation": make_organisation()}
    for scope, row in rows.items():
        actions.set_budget(scope, row.pk, TWENTY, actor=SYSTEM)
    actions.set_budget("global", "", TWENTY, actor=SYSTEM)
    assert Budget.objects.count() == 5
    assert AuditEvent.objects.filter(event="budget.set").count() == 5


@pytest.mark.parametrize(("scope", "scope_id"), [("key", "nobody"), ("team", ""), ("galaxy", "x"), ("global", "x")])
def test_budget_of_nobody_is_refused(scope: str, scope_id: str) -> None:
    with pytest.raises(ChangeRefused):
        actions.set_budget(scope, scope_id, TWENTY, actor=SYSTEM)


def test_second_set_changes_the_same_budget_and_keeps_its_windows() -> None:
    team = make_team()
    first = actions.set_budget("team", team.pk, TWENTY, actor=SYSTEM)
    first.windows.update(posted_nano=5)
    second = actions.set_budget("team", team.pk, BudgetTerms(30 * 10**9, "30d"), actor=SYSTEM)
    assert (second.pk, second.amount_nano, second.anchored_at) == (first.pk, 30 * 10**9, first.anchored_at)
    assert second.windows.get().posted_nano == 5


def test_soft_budget_stands_beside_one_that_refuses() -> None:
    team = make_team()
    hard = actions.set_budget("team", team.pk, TWENTY, actor=SYSTEM)
    soft = actions.set_budget("team", team.pk, replace(TWENTY, mode="soft"), actor=SYSTEM)
    strict = actions.set_budget("team", team.pk, replace(TWENTY, mode="strict"), actor=SYSTEM)
    assert (strict.pk, strict.mode) == (hard.pk, "strict")
    assert soft.pk != hard.pk


def test_budget_of_a_model_stands_beside_that_of_all() -> None:
    team = make_team()
    for model in ("", "claude-opus*", "claude-haiku"):
        actions.set_budget("team", team.pk, replace(TWENTY, model=model), actor=SYSTEM)
    assert set(Budget.objects.values_list("model", flat=True)) == {"", "claude-opus*", "claude-haiku"}


def test_budget_of_a_member_a_tag_and_an_end_user_is_set() -> None:
    team, bob = make_team(), make_user("bob")
    add_member(Membership(team=team, user=bob), actor=SYSTEM)
    for scope, name in (("member", f"{team.pk}/{bob.pk}"), ("tag", "project x"), ("end_user", "u" * 200)):
        assert actions.set_budget(scope, name, TWENTY, actor=SYSTEM).scope_id == name


@pytest.mark.parametrize(
    ("scope", "name", "told"),
    [
        ("member", "team/nobody", "team's id, a slash"),
        ("member", "nobody", "team's id, a slash"),
        ("tag", "", "Name the tag: 1 to 200"),
        ("tag", " x", "Name the tag: 1 to 200"),
        ("end_user", "u" * 201, "Name the end user: 1 to 200"),
        ("galaxy", "x", "'galaxy' is no scope. There are: key, user"),
        ("global", "x", "names nobody"),
    ],
)
def test_refusal_of_a_scope_says_what_is_wanted(scope: str, name: str, told: str) -> None:
    with pytest.raises(ChangeRefused, match=told):
        actions.set_budget(scope, name, TWENTY, actor=SYSTEM)


def test_another_period_starts_its_first_window_now() -> None:
    first = actions.set_budget("team", make_team().pk, TWENTY, actor=SYSTEM)
    first.windows.update(posted_nano=5)
    changed = actions.change_budget(first, BudgetTerms(20 * 10**9, "7d"), actor=SYSTEM)
    assert changed.anchored_at > first.anchored_at
    assert list(changed.windows.values_list("starts_at", "posted_nano")) == [(changed.anchored_at, 0), (first.anchored_at, 5)]


def test_two_budgets_do_not_become_one() -> None:
    team = make_team()
    actions.set_budget("team", team.pk, TWENTY, actor=SYSTEM)
    other = actions.set_budget("team", team.pk, BudgetTerms(1, "7d"), actor=SYSTEM)
    with pytest.raises(ChangeRefused, match="another hard budget"):
        actions.change_budget(other, TWENTY, actor=SYSTEM)


def test_reset_opens_a_window_and_leaves_the_old_one_as_it_was() -> None:
    budget = actions.set_budget("team", make_team().pk, TWENTY, actor=SYSTEM)
    budget.windows.update(posted_nano=19 * 10**9)
    fresh = actions.reset_budget(budget, actor=SYSTEM)
    assert list(fresh.windows.values_list("posted_nano", flat=True)) == [0, 19 * 10**9]
    assert AuditEvent.objects.get(event="budget.reset").object_id == str(budget.pk)


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_calendar_budget_is_not_reset_by_hand(period: str) -> None:
    budget = actions.set_budget("team", make_team().pk, BudgetTerms(1, period), actor=SYSTEM)
    with pytest.raises(ChangeRefused, match=f"each {period} of the calendar. Raise its amount"):
        actions.reset_budget(budget, actor=SYSTEM)


@pytest.mark.parametrize("text", ["1M", "15M", " 1M "])
def test_capital_m_is_refused_with_both_meanings(text: str) -> None:
    count = text.strip()[:-1]
    with pytest.raises(ChangeRefused, match=f"write {count}m for minutes or {count}mo for months"):
        actions.clean_period(text)


@pytest.mark.parametrize(("text", "kept"), [("1w", "1w"), (" 30D ", "30d"), ("1mo", "1mo"), ("1MO", "1mo"), ("", ""), ("month", "month")])
def test_period_is_kept_in_one_spelling(text: str, kept: str) -> None:
    assert actions.clean_period(text) == kept


@pytest.mark.parametrize("text", ["fortnight", "0d", "-1d", "30", "200y", "1.5h"])
def test_wrong_period_is_refused(text: str) -> None:
    with pytest.raises(ChangeRefused, match=r"period|longer"):
        actions.clean_period(text)


@pytest.mark.parametrize(
    "terms",
    [
        BudgetTerms(-1),
        BudgetTerms(1, mode="medium"),
        BudgetTerms(1, time_zone="Mars/Olympus"),
        BudgetTerms(1, time_zone="../etc"),
        BudgetTerms(1, model="a*b"),
        BudgetTerms(1, model="m" * 201),
        BudgetTerms(1, thresholds=(0,)),
        BudgetTerms(1, thresholds=(1001,)),
        BudgetTerms(1, thresholds=tuple(range(1, 12))),
    ],
)
def test_wrong_terms_are_refused(terms: BudgetTerms) -> None:
    with pytest.raises(ChangeRefused):
        actions.set_budget("team", make_team().pk, terms, actor=SYSTEM)


def test_removed_budget_leaves_an_event() -> None:
    budget = actions.set_budget("team", make_team().pk, TWENTY, actor=SYSTEM)
    actions.remove_budget(budget, actor=SYSTEM)
    event = AuditEvent.objects.get(event="budget.removed")
    assert event.before["amount_nano"] == 20 * 10**9
    assert not Budget.objects.exists()


@pytest.mark.parametrize(("text", "nano"), [("0", 0), ("0.1", 10**8), ("12.50", 12_500_000_000), ("0.0000000005", 1), ("0.0000000004", 0)])
def test_dollars_become_nano_half_up(text: str, nano: int) -> None:
    assert actions.nano_of(Decimal(text)) == nano


@pytest.mark.parametrize("text", ["-1", "NaN", "Infinity", "1e30"])
def test_absurd_amounts_are_refused(text: str) -> None:
    with pytest.raises(ChangeRefused):
        actions.nano_of(Decimal(text))


def make_price() -> Price:
    return Price(provider="anthropic", model="claude-*", input_pico=3_000_000, output_pico=15_000_000)


def test_price_is_set_changed_and_removed_with_events() -> None:
    price = actions.set_price(make_price(), actor=SYSTEM)
    price.input_pico = 2_000_000
    actions.set_price(price, actor=SYSTEM)
    actions.remove_price(price, actor=SYSTEM)
    told = AuditEvent.objects.order_by("id").values_list("event", "before", "after")
    assert [event for event, _, _ in told] == ["price.set", "price.set", "price.removed"]
    assert told[1][1:] == ({"input_pico": 3_000_000}, {"input_pico": 2_000_000})


def test_negative_price_is_refused() -> None:
    price = make_price()
    price.output_pico = -1
    with pytest.raises(ChangeRefused):
        actions.set_price(price, actor=SYSTEM)
