from decimal import Decimal

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from audit.trail import SYSTEM
from billing import actions
from billing.actions import BudgetTerms
from billing.models import Budget, Price
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
    first.windows.create(starts_at=timezone.now(), posted_nano=5)
    second = actions.set_budget("team", team.pk, BudgetTerms(30 * 10**9, "30d"), actor=SYSTEM)
    assert (second.pk, second.amount_nano, second.anchored_at) == (first.pk, 30 * 10**9, first.anchored_at)
    assert second.windows.get().posted_nano == 5


def test_another_period_starts_now() -> None:
    first = actions.set_budget("team", make_team().pk, TWENTY, actor=SYSTEM)
    changed = actions.change_budget(first, BudgetTerms(20 * 10**9, "7d"), actor=SYSTEM)
    assert changed.anchored_at > first.anchored_at


@pytest.mark.parametrize(("text", "kept"), [("1w", "1w"), (" 30D ", "30d"), ("1mo", "1mo"), ("", ""), ("month", "month")])
def test_period_is_kept_in_one_spelling(text: str, kept: str) -> None:
    assert actions.clean_period(text) == kept


@pytest.mark.parametrize("text", ["fortnight", "0d", "-1d", "30", "200y", "1.5h"])
def test_wrong_period_is_refused(text: str) -> None:
    with pytest.raises(ChangeRefused, match=r"period|longer"):
        actions.clean_period(text)


@pytest.mark.parametrize(
    "terms", [BudgetTerms(-1), BudgetTerms(1, mode="medium"), BudgetTerms(1, time_zone="Mars/Olympus"), BudgetTerms(1, time_zone="../etc")]
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
