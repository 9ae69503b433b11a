"""Teams: who sees which and what of them, who changes members and settings, what is refused."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.actions import BudgetTerms, set_budget
from billing.models import Budget
from billing.money import NANO
from billing.scopes import member_id
from keys.actions import change_team
from keys.models import Membership, Team, User
from tests.console.permissions.cast import Cast
from tests.console.spend_rows import spent
from tests.factories import make_key, make_team

EVERYBODY = ("admin", "finance", "manager", "leader", "member", "viewer", "outsider", "newcomer")


def client_of(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username={"admin": "root"}.get(username, username)))
    return client


def text_of(username: str, path: str = "/teams/") -> str:
    return client_of(username).get(path).content.decode()


def post(who: str, path: str, **values: str) -> Any:
    return client_of(who).post(path, values)


def team(cast: Cast, name: str = "search") -> Team:
    return Team.objects.get(pk=cast.names[name])


# ── seeing ────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("who", "names"),
    [
        ("admin", ["Sales", "Search"]),
        ("finance", ["Sales", "Search"]),
        ("manager", ["Search"]),
        ("leader", ["Search"]),
        ("member", ["Search"]),
        ("viewer", ["Search"]),
        ("outsider", ["Sales"]),
        ("newcomer", []),
    ],
)
def test_everybody_sees_their_teams_and_no_others(cast: Cast, who: str, names: list[str]) -> None:
    assert re.findall(r'class="p1"><a href="/teams/[^"]+/"><bdi>([^<]+)</bdi>', text_of(who)) == names
    opened = [one for one in ("sales", "search") if client_of(who).get(f"/teams/{cast.names[one]}/").status_code == 200]
    assert opened == [name.lower() for name in names]


def test_blocked_person_sees_nothing(cast: Cast) -> None:
    client = client_of("manager")
    User.objects.update(is_blocked=True)
    assert client.get("/teams/").status_code in {302, 403}


def test_search_finds_no_team_of_others(cast: Cast) -> None:
    assert "No team is called so" in text_of("manager", "/teams/?q=Sales")


def spent_by(cast: Cast, who: str, dollars: int) -> None:
    key, _token = make_key(f"{who} in search", team=team(cast), user=User.objects.get(username=who))
    spent(key, dollars * NANO, at=timezone.now())


def test_spend_is_the_teams_for_managers_and_ones_own_for_members(cast: Cast) -> None:
    spent_by(cast, "member", 3)
    spent_by(cast, "manager", 4)
    whole = '<td class="r p2">$7<span class="cents">.00</span></td>'
    assert [whole in text_of(who) for who in ("admin", "finance", "manager", "member")] == [True, True, True, False]
    assert '<td class="r p2">$3<span class="cents">.00</span><span class="sub">yours</span></td>' in text_of("member")


def test_members_see_each_other_but_only_their_own_money(cast: Cast) -> None:
    search = cast.names["search"]
    set_budget(Budget.Scope.MEMBER, member_id(search, cast.names["manager"]), BudgetTerms(77 * NANO), actor=SYSTEM)
    spent_by(cast, "manager", 4)
    text = text_of("member", f"/teams/{search}/")
    assert "manager@example.com" in text
    assert "$77.00" not in text
    assert '$4<span class="cents">' not in text
    assert "$77.00" in text_of("manager", f"/teams/{search}/")


@pytest.mark.parametrize(("who", "seen"), [("admin", 2), ("finance", 2), ("manager", 2), ("member", 1), ("viewer", 0)])
def test_keys_are_those_that_the_visitor_may_see(cast: Cast, who: str, seen: int) -> None:
    assert text_of(who, f"/teams/{cast.names['search']}/").count('<span class="sub mono">sk-...') == seen


@pytest.mark.parametrize(("who", "offers"), [("admin", True), ("manager", True), ("leader", True), ("finance", False), ("member", False)])
def test_forms_are_offered_only_to_those_who_may_send_them(cast: Cast, who: str, offers: bool) -> None:
    text = text_of(who, f"/teams/{cast.names['search']}/")
    assert [mark in text for mark in ("Add member", "Save team", "?remove=")] == [offers] * 3


def test_many_teams_need_no_more_queries(cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(30):
        make_team(f"Team {number}")
    client = client_of("admin")
    with django_assert_max_num_queries(12):
        client.get("/teams/")


def test_names_with_markup_are_inert(cast: Cast) -> None:
    evil = "<script>alert('\u202e')</script>"
    made = make_team(evil, cost_centre=evil, allowed_models=[evil])
    User.objects.filter(username="newcomer").update(first_name=evil)
    Membership.objects.create(team=made, user=User.objects.get(username="newcomer"))
    pages = ("/teams/", f"/teams/{made.pk}/", f"/teams/{made.pk}/?remove={cast.names['newcomer']}")
    text = "".join(text_of("admin", path) for path in pages)
    assert "<script>" not in text


def test_team_with_a_slash_in_its_id_opens(cast: Cast) -> None:
    make_team("Odd", id="okta/odd team")
    assert "Odd" in text_of("admin", "/teams/okta/odd%20team/")


# ── members ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("who", EVERYBODY)
def test_members_are_added_by_those_who_manage(cast: Cast, who: str) -> None:
    post(who, f"/teams/{cast.names['search']}/members/", email="newcomer@example.com", role="member")
    assert team(cast).memberships.filter(user__username="newcomer").exists() is (who in {"admin", "manager", "leader"})


@pytest.mark.parametrize("who", EVERYBODY)
def test_roles_and_removals_are_for_those_who_manage(cast: Cast, who: str) -> None:
    path, may = f"/teams/{cast.names['search']}/members/{cast.names['member']}", who in {"admin", "manager", "leader"}
    post(who, f"{path}/role/", role="manager")
    assert team(cast).memberships.filter(user_id=cast.names["member"], role="manager").exists() is may
    post(who, f"{path}/remove/")
    assert team(cast).memberships.filter(user_id=cast.names["member"]).exists() is not may


def test_unknown_person_is_made_without_a_way_to_sign_in(cast: Cast) -> None:
    post("manager", f"/teams/{cast.names['search']}/members/", email="eve@example.com", role="member")
    assert not User.objects.get(email="eve@example.com").has_usable_password()


def test_removed_member_leaves_their_budget_and_an_event(cast: Cast) -> None:
    search, bob = cast.names["search"], cast.names["member"]
    set_budget(Budget.Scope.MEMBER, member_id(search, bob), BudgetTerms(NANO), actor=SYSTEM)
    post("manager", f"/teams/{search}/members/{bob}/remove/")
    assert not Budget.objects.exists()
    assert AuditEvent.objects.filter(event="member.removed", actor_name="manager@example.com").exists()


@pytest.mark.parametrize("values", [{"email": "no address"}, {"email": ""}, {"email": "member@example.com"}, {"role": "owner"}])
def test_wrong_member_changes_nothing(cast: Cast, values: dict[str, str]) -> None:
    before = Membership.objects.count(), User.objects.count()
    post("manager", f"/teams/{cast.names['search']}/members/", **{"email": "newcomer@example.com", "role": "member"} | values)
    assert (Membership.objects.count(), User.objects.count()) == before


def test_unknown_role_is_refused(cast: Cast) -> None:
    post("manager", f"/teams/{cast.names['search']}/members/{cast.names['member']}/role/", role="admin")
    assert team(cast).memberships.get(user_id=cast.names["member"]).role == "member"


def test_dialog_names_who_is_removed_and_what_stays(cast: Cast) -> None:
    text = text_of("manager", f"/teams/{cast.names['search']}/?remove={cast.names['member']}")
    assert "Remove <bdi>member@example.com</bdi> from the team" in text
    assert "1 key of theirs stays in the team" in text


# ── settings ──────────────────────────────────────────────────────────────────
SETTINGS = {"name": "Search", "allowed_models": "", "rpm_limit": "", "tpm_limit": "", "parallel_limit": "", "cost_centre": ""}


def save(who: str, cast: Cast, **values: str) -> str:
    return str(post(who, f"/teams/{cast.names['search']}/change/", **SETTINGS | values).content.decode())


def test_manager_lowers_a_limit_and_cannot_raise_it_again(cast: Cast) -> None:
    save("manager", cast, rpm_limit="10")
    assert team(cast).rpm_limit == 10
    assert "nobody is given higher limits" in save("manager", cast, rpm_limit="11")
    assert team(cast).rpm_limit == 10


def test_manager_takes_models_away_and_gives_none(cast: Cast) -> None:
    change_team(team(cast), {"allowed_models": ["claude-haiku", "claude-sonnet"]}, actor=SYSTEM)
    save("manager", cast, allowed_models="claude-haiku")
    assert team(cast).allowed_models == ["claude-haiku"]
    assert "nobody is given more models" in save("manager", cast, allowed_models="")
    assert team(cast).allowed_models == ["claude-haiku"]


def test_managers_forged_fields_change_nothing(cast: Cast) -> None:
    save("manager", cast, cost_centre="9999", organisation="", is_blocked="on")
    assert (team(cast).cost_centre, team(cast).organisation_id, team(cast).is_blocked) == ("", cast.names["acme"], False)


def test_administrator_sets_everything(cast: Cast) -> None:
    save("admin", cast, name="Finder", cost_centre="4711", organisation=cast.names["globex"], tpm_limit="100000")
    changed = team(cast)
    assert (changed.name, changed.cost_centre, changed.organisation_id, changed.tpm_limit) == (
        "Finder", "4711", cast.names["globex"], 100_000,
    )  # fmt: skip


@pytest.mark.parametrize("values", [{"name": ""}, {"rpm_limit": "-1"}, {"rpm_limit": "many"}, {"name": "a\x00b"}])
def test_wrong_settings_change_nothing(cast: Cast, values: dict[str, str]) -> None:
    before = AuditEvent.objects.count()
    assert 'class="field wrong"' in save("admin", cast, **values)
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("who", EVERYBODY)
def test_only_administrators_block_and_make_teams(cast: Cast, who: str) -> None:
    post(who, f"/teams/{cast.names['search']}/block/", blocked="yes")
    post(who, "/teams/new/", **SETTINGS | {"name": "Fresh"})
    assert (team(cast).is_blocked, Team.objects.filter(name="Fresh").exists()) == (who == "admin", who == "admin")


def test_blocked_team_is_unblocked(cast: Cast) -> None:
    path = f"/teams/{cast.names['search']}/block/"
    post("admin", path, blocked="yes")
    post("admin", path, blocked="no")
    assert not team(cast).is_blocked


@pytest.mark.parametrize("action", ["change", "block", "members"])
def test_nothing_changes_by_a_link(cast: Cast, action: str) -> None:
    assert client_of("admin").get(f"/teams/{cast.names['search']}/{action}/").status_code == 405
