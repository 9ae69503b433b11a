"""Models: everybody sees what they may call and what it costs; where it leads and how it is, administrators alone."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.money import NANO
from console.model_figures import users_of
from keys.access import EVERYTHING
from keys.actions import change_team
from keys.models import Team, User, VirtualKey
from routing import actions
from routing.models import Deployment, Route
from routing.probe import Outcome
from tests.console.permissions.cast import Cast
from tests.console.spend_rows import spent
from tests.factories import make_deployment, make_key, make_route

SECRET_ADDRESS = "https://internal.example"


@pytest.fixture
def routes(cast: Cast) -> Cast:
    """Three names: Search may call one of them, Sales all. Nobody has a key without a team."""
    VirtualKey.objects.filter(team=None).delete()
    first = make_deployment("deploy-one", provider="anthropic", model="claude-sonnet-4-5", base_url=SECRET_ADDRESS)
    make_route("claude-sonnet", first, make_deployment("deploy-two"))
    make_route("demo", make_deployment("deploy-three"))
    make_route("hidden")
    change_team(Team.objects.get(pk=cast.names["search"]), {"allowed_models": ["claude*"]}, actor=SYSTEM)
    actions.change_route(Route.objects.get(name="hidden"), {"is_active": False}, actor=SYSTEM)
    return cast


def client_of(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username={"admin": "root"}.get(username, username)))
    return client


def text_of(username: str, path: str = "/routes/") -> str:
    return client_of(username).get(path).content.decode()


def names(who: str, query: str = "") -> list[str]:
    return re.findall(r'class="p1">(?:<a|<span) class="mono"[^>]*><bdi>([^<]+)</bdi>', text_of(who, f"/routes/{query}"))


def page_of(name: str) -> str:
    return f"/routes/{Route.objects.get(name=name).pk}/"


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("admin", ["claude-sonnet", "demo", "hidden"]),
        ("finance", ["claude-sonnet", "demo"]),
        ("manager", ["claude-sonnet"]),
        ("leader", ["claude-sonnet"]),
        ("member", ["claude-sonnet"]),
        ("viewer", ["claude-sonnet"]),
        ("outsider", ["claude-sonnet", "demo"]),
        ("newcomer", []),
    ],
)
def test_everybody_sees_the_models_that_they_may_call(routes: Cast, who: str, seen: list[str]) -> None:
    assert names(who) == seen


def test_own_key_without_a_team_opens_what_its_list_names(routes: Cast) -> None:
    make_key("of no team", user=User.objects.get(username="viewer"), allowed_models=["demo"])
    assert names("viewer") == ["claude-sonnet", "demo"]


def test_organisations_list_narrows_the_teams(routes: Cast) -> None:
    organisation = Team.objects.get(pk=routes.names["search"]).organisation
    assert organisation is not None
    organisation.allowed_models = ["demo"]
    organisation.save()
    assert names("member") == []


def test_single_name_of_a_list_is_shown_where_a_family_answers(routes: Cast) -> None:
    make_route("openai/*", make_deployment("all of openai", provider="openai", model="*"))
    change_team(Team.objects.get(pk=routes.names["search"]), {"allowed_models": ["openai/gpt-5"]}, actor=SYSTEM)
    assert names("member") == ["openai/gpt-5"]


@pytest.mark.parametrize("who", ["manager", "member", "finance"])
def test_where_models_lead_is_for_administrators(routes: Cast, who: str) -> None:
    text = text_of(who)
    assert [secret in text for secret in ("deploy-one", "deploy-two", SECRET_ADDRESS, "/admin/")] == [False] * 4


@pytest.mark.parametrize(("who", "status"), [("admin", 200), ("finance", 200), ("manager", 403), ("member", 403), ("newcomer", 403)])
def test_who_uses_a_model_is_for_administrators_and_finance(routes: Cast, who: str, status: int) -> None:
    assert client_of(who).get(page_of("claude-sonnet")).status_code == status


def test_finance_sees_no_deployments_on_a_models_page(routes: Cast) -> None:
    assert "deploy-two" not in text_of("finance", page_of("claude-sonnet"))


def test_price_is_the_price_lists(routes: Cast) -> None:
    assert re.search(r"\$3\.00<span.*\$15\.00", text_of("admin", "/routes/?q=claude-sonnet"))


def test_targets_are_shown_in_order_with_their_weights(routes: Cast) -> None:
    text = text_of("admin", page_of("claude-sonnet"))
    assert text.index("<bdi>deploy-one</bdi>") < text.index("<bdi>deploy-two</bdi>")
    assert text.count('<span class="sub">50%</span>') == 2


# ── use ───────────────────────────────────────────────────────────────────────
def use(cast: Cast, key: str, dollars: int, **values: Any) -> None:
    spent(VirtualKey.objects.get(pk=cast.names[key]), dollars * NANO, at=timezone.now(), **{"route": "claude-sonnet"} | values)


def test_use_is_the_ledgers(routes: Cast) -> None:
    use(routes, "bobs", 3)
    use(routes, "charlies", 4)
    rows = users_of("claude-sonnet", EVERYTHING, timezone.now())
    assert [(row.key, row.team, row.usage.cost_nano) for row in rows] == [("charlies", "Sales", 4 * NANO), ("bobs", "Search", 3 * NANO)]


def test_use_of_a_family_is_that_of_the_names_it_answers_for(routes: Cast) -> None:
    make_route("claude*", Deployment.objects.get(name="deploy-one"))
    use(routes, "bobs", 3)
    use(routes, "charlies", 4, route="claude-next")
    assert [row.key for row in users_of("claude*", EVERYTHING, timezone.now())] == ["charlies"]
    assert '<td class="r p2">$4<span class="cents">.00</span></td>' in text_of("admin", "/routes/?q=claude*")


@pytest.mark.parametrize(("who", "dollars"), [("admin", 7), ("finance", 7), ("manager", 3), ("member", 3), ("viewer", 0)])
def test_spend_is_what_the_visitor_may_see(routes: Cast, who: str, dollars: int) -> None:
    use(routes, "bobs", 3)
    use(routes, "charlies", 4)
    assert f'<td class="r p2">${dollars}<span class="cents">.00</span></td>' in text_of(who, "/routes/?q=claude")


def test_failures_of_the_day_are_counted(routes: Cast) -> None:
    use(routes, "bobs", 0, status=529, outcome="failed")
    use(routes, "bobs", 0, status=404, outcome="failed")
    assert '<span class="state bad">1</span> <span class="quiet">of 2</span>' in text_of("admin")


# ── testing ───────────────────────────────────────────────────────────────────
def press(who: str, name: str = "deploy-two") -> str:
    client = client_of(who)
    answer = client.post(f"{page_of('claude-sonnet')}test/", {"deployment": Deployment.objects.get(name=name).pk}, follow=True)
    return answer.content.decode()


def test_test_button_makes_one_real_call_and_says_what_came(routes: Cast) -> None:
    text = press("admin")
    assert "deploy-two: It answers." in text
    assert "answered in" in text
    assert AuditEvent.objects.filter(event="deployment.tested", actor_name="root@example.com").count() == 1


@pytest.mark.parametrize("who", ["finance", "manager", "member", "newcomer"])
def test_others_press_no_test_button(routes: Cast, who: str) -> None:
    press(who)
    assert not AuditEvent.objects.filter(event="deployment.tested").exists()


def test_deployment_of_another_route_is_not_tested(routes: Cast) -> None:
    press("admin", "deploy-three")
    assert not AuditEvent.objects.filter(event="deployment.tested").exists()


def test_failed_test_is_told_in_the_doctors_words(routes: Cast) -> None:
    bad = Outcome(ok=False, status=401, error="credential_refused", ms=12)
    actions.test_deployment(Deployment.objects.get(name="deploy-one"), actor=SYSTEM, send=lambda _row: bad)
    assert "The provider does not accept the key." in text_of("admin", page_of("claude-sonnet"))
    assert "1 fails" in text_of("admin")


def test_too_many_tests_are_refused(routes: Cast) -> None:
    good = Outcome(ok=True, status=200, error="", ms=1)
    for _number in range(actions.TESTS_PER_MINUTE):
        actions.test_deployment(Deployment.objects.get(name="deploy-two"), actor=SYSTEM, send=lambda _row: good)
    assert "Too many connection tests" in press("admin")


# ── the page ──────────────────────────────────────────────────────────────────
def test_names_with_markup_are_inert(cast: Cast) -> None:
    evil = "<script>alert('\u202e')</script>"
    route = make_route(evil, make_deployment(evil))
    actions.change_route(route, {"description": evil}, actor=SYSTEM)
    text = text_of("admin") + text_of("admin", f"/routes/{route.pk}/")
    assert "<script>" not in text
    assert "\u202e" not in text


def test_many_models_need_no_more_queries(cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(20):
        make_route(f"model-{number}", make_deployment(f"deployment-{number}"))
    client = client_of("admin")
    with django_assert_max_num_queries(11):
        client.get("/routes/")


def test_unknown_route_is_not_found(cast: Cast) -> None:
    assert client_of("admin").get("/routes/nothing/").status_code == 404
