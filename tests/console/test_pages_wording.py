"""What pages say to whom: over and soft budgets, states in one colour, one thing and many, what is whose."""

import re

import pytest
from django.test import Client

from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget, Window
from billing.money import NANO
from console.templatetags import marks, meters
from keys.actions import block_key
from keys.models import VirtualKey
from tests.console.key_page_rows import signed_in, text_of
from tests.console.permissions.cast import Cast

pytestmark = pytest.mark.django_db


def page_of_a_budget(cast: Cast, mode: str, spent: int) -> str:
    budget = set_budget("team", cast.names["search"], BudgetTerms(100 * NANO, "30d", mode=mode), actor=SYSTEM)
    Window.objects.filter(budget=budget).update(posted_nano=spent * NANO)
    return text_of(signed_in(cast, "admin"), f"/budgets/{budget.pk}/")


def test_budget_that_is_overdrawn_shows_by_how_much(cast: Cast) -> None:
    text = page_of_a_budget(cast, Budget.Mode.SOFT, 116)
    assert "16% beyond the limit" in text
    assert text.count('class="slash"') == 20 + 3


def test_budget_within_its_limit_shows_nothing_beyond() -> None:
    assert "over" not in meters.tally(100, 100)
    assert "beyond" not in meters.tally(100, 100)


def test_soft_budget_tells_callers_nothing(cast: Cast) -> None:
    text = page_of_a_budget(cast, Budget.Mode.SOFT, 116)
    assert "Nothing: a soft budget refuses no call. It alerts at 50%, 80%, 100%." in text
    assert "calls are refused by" not in text


def test_hard_budget_tells_callers_what_is_spent(cast: Cast) -> None:
    text = page_of_a_budget(cast, Budget.Mode.HARD, 116)
    assert "The budget of team Search is used up: $116.00 of $100.00 spent." in text


def test_trail_of_a_budget_says_periods_as_the_page_does(cast: Cast) -> None:
    text = page_of_a_budget(cast, Budget.Mode.SOFT, 1)
    assert "period every 30 days, mode soft" in text


@pytest.mark.parametrize("page", ["/keys/", "/teams/{search}/", "/keys/{bobs}/"])
def test_blocked_key_has_one_colour_everywhere(cast: Cast, page: str) -> None:
    block_key(VirtualKey.objects.get(pk=cast.names["bobs"]), actor=SYSTEM)
    text = text_of(signed_in(cast, "admin"), page.format(**cast.names))
    assert re.search(r'class="(state|badge) bad"><svg[^>]*><use href="#i-bad"/></svg>blocked', text)


def test_one_member_is_no_members(cast: Cast) -> None:
    text = text_of(signed_in(cast, "admin"), "/teams/")
    assert "1 member<" in text
    assert "3 members<" in text
    assert "1 members" not in text


def test_finance_reads_money_first_and_is_sent_for_no_key(cast: Cast) -> None:
    text = text_of(signed_in(cast, "finance"), "/")
    assert '<span class="big">' in text
    assert "ANTHROPIC_AUTH_TOKEN" not in text


def test_finance_without_a_key_learns_where_the_cost_of_keys_stands(cast: Cast) -> None:
    VirtualKey.objects.filter(user_id=cast.names["finance"]).delete()
    assert 'href="/spend/?by=key"' in text_of(signed_in(cast, "finance"), "/keys/")


def words_beside_spend(client: Client) -> str:
    [found] = re.findall(r'<h1>Spend</h1><span class="quiet">([^<]*)<', text_of(client, "/spend/"))
    return str(found)


def test_spend_names_teams_only_to_those_who_manage_some(cast: Cast) -> None:
    assert words_beside_spend(signed_in(cast, "member")) == "your own requests"
    assert words_beside_spend(signed_in(cast, "manager")) == "your requests, and those of the teams you manage"


def test_long_sparkline_keeps_its_ends_and_few_points() -> None:
    html = marks.spark(list(range(90)), "mean")
    path = html.split('<path d="')[1].split('"')[0]
    assert path.count(" L") == 39
    assert path.startswith("M0.5 ")
    assert path.endswith("L98.5 3.0")
