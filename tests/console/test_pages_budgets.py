"""Budgets: who sees and changes which, the figures that refusals tell, reasons in the audit trail."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from audit.models import AuditEvent
from audit.trail import SYSTEM, first_broken
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget, Window
from billing.money import NANO
from billing.scopes import member_id
from billing.status import told
from console.budget_list import PAGE, rows_of
from console.management.terms import MoneyRows
from keys.models import User
from tests.console.permissions.cast import Cast
from tests.factories import make_team

EVERYBODY = ("admin", "finance", "manager", "leader", "member", "viewer", "outsider", "newcomer")


def give(scope: str, scope_id: str, dollars: int = 100, period: str = "30d", **values: Any) -> Budget:
    return set_budget(scope, scope_id, BudgetTerms(dollars * NANO, period, **values), actor=SYSTEM)


def spend(budget: Budget, nano: int) -> Budget:
    Window.objects.filter(budget=budget).update(posted_nano=nano)
    return budget


def client_of(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username={"admin": "root"}.get(username, username)))
    return client


def text_of(username: str, path: str = "/budgets/") -> str:
    return client_of(username).get(path).content.decode()


def listed(username: str, query: str = "") -> list[int]:
    return [int(pk) for pk in re.findall(r'<th scope="row" class="p1"><a href="/budgets/(\d+)/"', text_of(username, f"/budgets/{query}"))]


def one_of_each(cast: Cast) -> dict[str, Budget]:
    search, sales, member = cast.names["search"], cast.names["sales"], cast.names["member"]
    return {
        "everyone": give("global", ""),
        "acme": give("organisation", cast.names["acme"]),
        "search": give("team", search),
        "sales": give("team", sales),
        "bob in search": give("member", member_id(search, member)),
        "bob": give("user", member),
        "bobs key": give("key", cast.names["bobs"]),
        "charlies key": give("key", cast.names["charlies"]),
        "tag": give("tag", "nightly"),
    }


SEEN = {
    "admin": {"everyone", "acme", "search", "sales", "bob in search", "bob", "bobs key", "charlies key", "tag"},
    "finance": {"everyone", "acme", "search", "sales", "bob in search", "bob", "bobs key", "charlies key", "tag"},
    "manager": {"search", "bob in search", "bobs key"},
    "leader": {"acme", "search", "bob in search", "bobs key"},
    "member": {"bob in search", "bob", "bobs key"},
    "viewer": set(),
    "outsider": {"charlies key"},
    "newcomer": set(),
}


# ── seeing ────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("who", EVERYBODY)
def test_everybody_sees_theirs_and_no_others(cast: Cast, who: str) -> None:
    budgets = one_of_each(cast)
    assert set(listed(who)) == {budgets[name].pk for name in SEEN[who]}
    opened = {name for name, one in budgets.items() if client_of(who).get(f"/budgets/{one.pk}/").status_code == 200}
    assert opened == SEEN[who]


def test_blocked_person_sees_nothing(cast: Cast) -> None:
    one_of_each(cast)
    client = client_of("manager")
    User.objects.update(is_blocked=True)
    assert client.get("/budgets/").status_code in {302, 403}


def test_filter_by_a_team_of_others_finds_nothing(cast: Cast) -> None:
    one_of_each(cast)
    assert listed("manager", f"?team={cast.names['sales']}") == []
    assert "Sales" not in text_of("manager", f"/budgets/?team={cast.names['sales']}")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?scope=tag", {"tag"}),
        ("?mode=soft", set()),
        ("?q=nightly", {"tag"}),
        ("?state=used-up", {"sales"}),
        ("?state=near&scope=team", {"search", "sales"}),
        ("?scope=nonsense&mode=x&state=y&page=-1&q=%00", SEEN["admin"]),
    ],
)
def test_filter_of_the_url(cast: Cast, query: str, found: set[str]) -> None:
    budgets = one_of_each(cast)
    spend(budgets["sales"], 100 * NANO)
    spend(budgets["search"], 85 * NANO)
    assert set(listed("admin", query)) == {budgets[name].pk for name in found}


# ── figures ───────────────────────────────────────────────────────────────────
def test_riskiest_come_first(cast: Cast) -> None:
    budgets = one_of_each(cast)
    spend(budgets["tag"], 100 * NANO)
    spend(budgets["bob"], 70 * NANO)
    spend(budgets["search"], 60 * NANO)
    assert listed("admin")[:3] == [budgets["tag"].pk, budgets["bob"].pk, budgets["search"].pk]


def test_page_says_what_a_refused_caller_is_told(cast: Cast) -> None:
    budget = spend(give("team", cast.names["search"], 2), 2_500_000_000)
    assert told(budget, timezone.now()) in text_of("manager", f"/budgets/{budget.pk}/")


def test_figures_are_those_of_the_management_api(cast: Cast) -> None:
    budget = spend(give("team", cast.names["search"], 40), 12_345_678_901)
    now = timezone.now()
    [api] = MoneyRows(Budget.Scope.TEAM, [budget.scope_id], now).row(budget.scope_id)["budgets"]
    [row] = rows_of([budget], now)
    assert (api["used_percent"], api["text"]) == (row.percent, told(budget, now))
    assert round(api["spend"] * NANO) == row.spent_nano
    assert '$12<span class="cents">.35</span>' in text_of("manager")


def test_many_budgets_need_no_more_queries(cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(PAGE + 1):
        give("tag", f"tag-{number}")
    client = client_of("admin")
    with django_assert_max_num_queries(14):
        assert 'rel="next"' in client.get("/budgets/").content.decode()
    assert len(listed("admin", "?page=2")) == 1


def test_nobody_is_shown_an_empty_table(cast: Cast) -> None:
    assert "No budget is set" in text_of("admin")


def test_names_with_markup_are_inert(cast: Cast) -> None:
    evil = "<script>alert('\u202e')</script>"
    budget = give("team", make_team(evil).pk, model="<img src=x>")
    client = client_of("admin")
    text = "".join(client.get(path).content.decode() for path in ("/budgets/", f"/budgets/{budget.pk}/", "/budgets/new/?scope=team"))
    assert "<script>" not in text
    assert "<img" not in text


def test_unknown_budget_is_not_found(cast: Cast) -> None:
    assert [client_of("admin").get(f"/budgets/{pk}/").status_code for pk in ("7", "9" * 30)] == [404, 404]


@pytest.mark.parametrize("path", ["/budgets/", "/budgets/new/", "/teams/", "/teams/new/", "/teams/{search}/", "/people/", "/routes/"])
def test_page_runs_nothing_inline_and_is_small(cast: Cast, path: str) -> None:
    one_of_each(cast)
    text = text_of("admin", path.format(**cast.names))
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|data:", text)
    assert len(text) < 100_000


# ── changing ──────────────────────────────────────────────────────────────────
def change(who: str, budget: Budget, amount: str, **values: str) -> str:
    terms = {"amount": amount, "period": budget.period, "mode": budget.mode, "reason": "Launch week"} | values
    return client_of(who).post(f"/budgets/{budget.pk}/", terms, follow=True).content.decode()


def dollars(budget: Budget) -> int:
    budget.refresh_from_db()
    return budget.amount_nano // NANO


@pytest.mark.parametrize(
    ("who", "name", "amount", "now"),
    [
        ("admin", "search", "150", 150),
        ("admin", "tag", "150", 150),
        ("finance", "search", "150", 100),
        ("manager", "search", "90", 90),
        ("manager", "search", "150", 100),
        ("leader", "search", "90", 90),
        ("leader", "acme", "90", 100),
        ("manager", "bob in search", "40", 40),
        ("manager", "bob in search", "101", 100),
        ("manager", "bobs key", "40", 40),
        ("manager", "bobs key", "101", 100),
        ("manager", "sales", "40", 100),
        ("member", "bobs key", "40", 100),
        ("member", "bob", "40", 100),
    ],
)
def test_budget_is_changed_by_those_who_may_give_it(cast: Cast, who: str, name: str, amount: str, now: int) -> None:
    budgets = one_of_each(cast)
    change(who, budgets[name], amount)
    assert dollars(budgets[name]) == now


def test_manager_does_not_soften_the_teams_budget(cast: Cast) -> None:
    budget = give("team", cast.names["search"])
    text = change("manager", budget, "100", mode="soft")
    budget.refresh_from_db()
    assert budget.mode == "hard"
    assert "nobody is given a higher budget" in text


def test_manager_does_not_raise_their_own_budget(cast: Cast) -> None:
    budget = give("member", member_id(cast.names["search"], cast.names["manager"]), 10)
    assert "Your own budget is limited" in change("manager", budget, "20")
    assert dollars(budget) == 10


def test_reason_is_kept_in_the_audit_trail_and_shown(cast: Cast) -> None:
    budget = give("team", cast.names["search"])
    text = change("admin", budget, "150")
    event = AuditEvent.objects.order_by("-id")[0]
    assert (event.event, event.actor_name) == ("budget.set", "root@example.com")
    assert event.after["reason"] == "Launch week"
    assert first_broken() is None
    assert "Launch week" in text


@pytest.mark.parametrize(
    "wrong", [{"reason": ""}, {"amount": "-1"}, {"amount": "much"}, {"period": "tomorrow"}, {"mode": "hardest"}, {"reason": "a\x00b"}]
)
def test_wrong_input_changes_nothing(cast: Cast, wrong: dict[str, str]) -> None:
    budget = give("team", cast.names["search"])
    before = AuditEvent.objects.count()
    assert "wrong" in change("admin", budget, wrong.pop("amount", "150"), **wrong)
    assert (dollars(budget), AuditEvent.objects.count()) == (100, before)


# ── a new one ─────────────────────────────────────────────────────────────────
def make(who: str, scope: str, subject: str, amount: str = "20") -> Any:
    terms = {"scope": scope, "subject": subject, "amount": amount, "period": "month", "mode": "hard", "model": "", "reason": "New hire"}
    return client_of(who).post("/budgets/new/", terms)


@pytest.mark.parametrize(
    ("who", "scope", "subject", "made"),
    [
        ("admin", "team", "search", 1),
        ("admin", "global", "", 1),
        ("admin", "key", "teams", 1),
        ("manager", "key", "bobs", 1),
        ("manager", "member", "search/member", 1),
        ("manager", "member", "sales/outsider", 0),
        ("manager", "key", "charlies", 0),
        ("manager", "team", "search", 0),
        ("manager", "global", "", 0),
        ("finance", "team", "search", 0),
        ("member", "key", "bobs", 0),
    ],
)
def test_budget_is_made_by_those_who_may_give_it(cast: Cast, who: str, scope: str, subject: str, made: int) -> None:
    named = "/".join(cast.names.get(part, part) for part in subject.split("/"))
    make(who, scope, named)
    assert Budget.objects.count() == made


def test_new_budget_above_the_teams_is_refused(cast: Cast) -> None:
    give("team", cast.names["search"], 10)
    assert "budget is above" in make("manager", "key", cast.names["bobs"]).content.decode()
    assert Budget.objects.count() == 1


def test_second_budget_of_a_kind_is_refused(cast: Cast) -> None:
    make("admin", "team", cast.names["search"])
    assert "Change that one." in make("admin", "team", cast.names["search"], "30").content.decode()
    assert Budget.objects.get().amount_nano == 20 * NANO


def test_form_offers_managers_only_their_own(cast: Cast) -> None:
    text = text_of("manager", "/budgets/new/?scope=key")
    assert cast.names["bobs"] in text
    assert cast.names["charlies"] not in text
    assert "?scope=team" not in text


def test_member_is_told_why_no_budget_is_theirs_to_make(cast: Cast) -> None:
    assert "Budgets are made by administrators and by managers" in text_of("member", "/budgets/new/")
