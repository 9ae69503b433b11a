"""Signing in through GitHub: allauth's flow against a GitHub on loopback, whose organisations and teams are groups."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from audit.models import AuditEvent
from audit.trail import SYSTEM
from gateway_project.sso_settings import sign_in_settings
from keys.actions import create_team
from keys.models import Membership, Team, User
from tests.factories import make_admin
from tests.fakes.github import CLIENT, SECRET, TOKEN, FakeGitHub, serving_github

pytestmark = pytest.mark.django_db
ORG = "/user/memberships/orgs/acme"
SETTINGS = {
    "GITHUB_CLIENT_ID": CLIENT,
    "GITHUB_CLIENT_SECRET": SECRET,
    "GITHUB_ORGS": "acme",
    "OIDC_ROLE_MAP": "acme/gw-admins:admin,acme:member",
    "OIDC_TEAM_MAP": "acme/data:Data",
}


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeGitHub, str]]:
    """Addresses are fixed in allauth's class once it is imported: there they are put right."""
    with serving_github() as (github, url):
        web = {"authorize_url": "/login/oauth/authorize", "access_token_url": "/login/oauth/access_token"}
        api = {"profile_url": "/api/v3/user", "emails_url": "/api/v3/user/emails"}
        for name, path in {**web, **api}.items():
            monkeypatch.setattr(GitHubOAuth2Adapter, name, url + path)
        yield github, url


@pytest.fixture
def github(address: tuple[FakeGitHub, str], monkeypatch: pytest.MonkeyPatch, settings: Settings) -> FakeGitHub:
    for name, value in {**SETTINGS, "GITHUB_URL": address[1]}.items():
        monkeypatch.setenv(f"TALLYGATE_{name}", value)
    use_settings(settings)
    cache.clear()
    make_admin()
    create_team(Team(name="Data"), actor=SYSTEM)
    return address[0]


def use_settings(settings: Settings) -> None:
    settings.TALLYGATE_SIGN_IN = sign_in_settings()
    settings.SOCIALACCOUNT_PROVIDERS = settings.TALLYGATE_SIGN_IN.apps


def come(github: FakeGitHub, query: str = "") -> tuple[bool, str]:
    """Whether somebody came in, and what the page said."""
    client = Client()
    back = github.authorise(client.get(f"/accounts/github/login/{query}")["Location"])
    told = client.get("/accounts/github/login/callback/", back)
    return "_auth_user_id" in client.session, told.content.decode()


def place() -> tuple[str, dict[str, str]]:
    person = User.objects.get(email="ada@example.com")
    return person.role, dict(Membership.objects.filter(user=person).values_list("team__name", "role"))


def test_organisation_and_team_give_role_and_membership(github: FakeGitHub) -> None:
    github.orgs, github.teams = {"Acme": "active"}, ["Acme/data", "other/gw-admins"]
    assert come(github)[0]
    assert place() == ("member", {"Data": "member"})
    assert github.asked["scope"].split() in (["user:email", "read:org"], ["read:org", "user:email"])


def test_team_that_is_gone_takes_its_role_and_membership_at_the_next_sign_in(github: FakeGitHub) -> None:
    github.orgs, github.teams = {"acme": "active"}, ["acme/data", "acme/gw-admins"]
    come(github)
    assert place() == ("admin", {"Data": "member"})
    github.teams = []
    assert come(github)[0]
    assert place() == ("member", {})


def test_who_left_the_organisation_is_refused_and_keeps_nothing(github: FakeGitHub) -> None:
    github.orgs, github.teams = {"acme": "active"}, ["acme/data"]
    come(github)
    github.orgs, github.teams = {}, []
    came, page = come(github)
    assert (came, "none of the groups" in page) == (False, True)
    assert place() == ("viewer", {})


def test_who_is_only_invited_is_in_no_organisation(github: FakeGitHub) -> None:
    github.orgs = {"acme": "pending"}
    assert not come(github)[0]


def test_organisation_that_somebody_founded_themselves_gives_nothing(github: FakeGitHub) -> None:
    github.orgs, github.teams = {"acme2": "active", "gw-admins": "active"}, ["acme2/gw-admins", "gw-admins/acme"]
    assert not come(github)[0]


def test_teams_on_later_pages_count_and_the_token_goes_nowhere_else(github: FakeGitHub) -> None:
    github.orgs, github.page = {"acme": "active"}, 2
    github.teams = [*(f"acme/t{number}" for number in range(4)), "acme/data"]
    assert come(github)[0]
    assert place() == ("member", {"Data": "member"})
    assert github.seen.count("/user/teams") == 3


def test_teams_without_end_refuse_and_take_nothing(github: FakeGitHub) -> None:
    github.orgs, github.teams = {"acme": "active"}, ["acme/data"]
    come(github)
    github.page, github.teams = 1, [f"acme/t{number}" for number in range(50)]
    came, page = come(github)
    assert (came, "in so many groups" in page) == (False, True)
    assert place() == ("member", {"Data": "member"})
    assert github.seen.count("/user/teams") == 11


@pytest.mark.parametrize(("path", "status"), [(ORG, 403), (ORG, 500), (ORG, 302), ("/user/teams", 404), ("/user/teams", 502)])
def test_failure_to_read_groups_refuses_and_takes_nothing(
    github: FakeGitHub, path: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    github.orgs, github.teams = {"acme": "active"}, ["acme/data"]
    come(github)
    github.forbids = {path: status}
    came, page = come(github)
    assert (came, "could not be read" in page) == (False, True)
    assert place() == ("member", {"Data": "member"})
    assert f"{path}: status {status}" in caplog.text
    assert TOKEN not in caplog.text + page


def test_github_that_is_not_reached_takes_nothing(github: FakeGitHub, settings: Settings) -> None:
    github.orgs = {"acme": "active"}
    come(github)
    [source] = settings.TALLYGATE_SIGN_IN.sources
    nowhere = replace(source, api="http://127.0.0.1:1")
    settings.TALLYGATE_SIGN_IN = replace(settings.TALLYGATE_SIGN_IN, sources=(nowhere,))
    assert "could not be read" in come(github)[1]
    assert place()[0] == "member"


def test_failure_at_the_first_sign_in_makes_nobody_and_is_counted(github: FakeGitHub) -> None:
    github.forbids = {ORG: 500}
    assert not come(github)[0]
    assert not User.objects.filter(email="ada@example.com").exists()
    [event] = AuditEvent.objects.filter(event="user.sign_in_failed")
    assert event.after["way"] == "GitHub"


def test_token_that_may_not_read_organisations_takes_nothing(github: FakeGitHub) -> None:
    github.orgs, github.teams = {"acme": "active"}, ["acme/data"]
    come(github)
    github.scopes = "user:email"
    assert "could not be read" in come(github)[1]
    assert place() == ("member", {"Data": "member"})


@pytest.mark.parametrize("told", ["x", [], {}, {"state": None}])
def test_answer_of_another_shape_is_not_no_groups(github: FakeGitHub, told: object, monkeypatch: pytest.MonkeyPatch) -> None:
    github.orgs = {"acme": "active"}
    come(github)
    known = github.answer
    monkeypatch.setattr(github, "answer", lambda path, token: (200, told, {}) if path.endswith(ORG) else known(path, token))
    assert "could not be read" in come(github)[1]
    assert place()[0] == "member"


def test_nothing_is_asked_where_nobody_goes_by_groups(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    for name in ("GITHUB_ORGS", "OIDC_ROLE_MAP", "OIDC_TEAM_MAP"):
        monkeypatch.delenv(f"TALLYGATE_{name}")
    monkeypatch.setenv("TALLYGATE_SSO_EMAIL_DOMAINS", "example.com")
    use_settings(settings)
    assert come(github)[0]
    assert (github.asked["scope"], github.seen) == ("user:email", ["/user", "/user/emails"])


def test_link_that_somebody_was_sent_cannot_ask_for_more(github: FakeGitHub) -> None:
    github.orgs = {"acme": "active"}
    assert come(github, "?scope=repo&auth_params=login%3Deve&process=connect")[0]
    assert "repo" not in github.asked["scope"]
    assert "login" not in github.asked


def test_person_of_another_server_with_the_same_number_is_somebody_else(github: FakeGitHub) -> None:
    User.objects.create(username="old", email="old@example.com")
    SocialAccount.objects.create(user=User.objects.get(username="old"), provider="github", uid=str(github.person))
    github.orgs = {"acme": "active"}
    assert come(github)[0]
    assert place()[0] == "member"


def test_address_that_github_has_not_verified_is_refused(github: FakeGitHub) -> None:
    github.orgs, github.emails = {"acme": "active"}, {"ada@example.com": False}
    assert not come(github)[0]
