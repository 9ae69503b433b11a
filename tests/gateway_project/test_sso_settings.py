"""Settings of identity providers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from gateway_project import env
from gateway_project.sso_settings import SignInSettings, sign_in_settings
from gateway_project.surroundings import of_this_machine
from keys.sso_groups import TeamGrant


def told(monkeypatch: pytest.MonkeyPatch, **values: str) -> SignInSettings:
    for name, value in values.items():
        monkeypatch.setenv(f"TALLYGATE_{name}", value)
    return sign_in_settings()


def test_without_any_there_are_passwords_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch)
    assert (found.sources, found.apps, found.passwords, found.problems) == ((), {}, True, ())


@pytest.mark.parametrize(
    ("values", "issuer"),
    [
        ({"OIDC_ISSUER": "https://kc.example/realms/x/", "OIDC_CLIENT_ID": "c", "OIDC_CLIENT_SECRET": "s"}, "https://kc.example/realms/x"),
        ({"GOOGLE_CLIENT_ID": "c", "GOOGLE_CLIENT_SECRET": "s"}, "https://accounts.google.com"),
        (
            {"MICROSOFT_TENANT": "t-1", "MICROSOFT_CLIENT_ID": "c", "MICROSOFT_CLIENT_SECRET": "s"},
            "https://login.microsoftonline.com/t-1/v2.0",
        ),
        ({"OKTA_DOMAIN": "x.okta.com", "OKTA_CLIENT_ID": "c", "OKTA_CLIENT_SECRET": "s"}, "https://x.okta.com"),
    ],
)
def test_provider_is_a_few_settings_and_always_uses_pkce(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], issuer: str) -> None:
    found = told(monkeypatch, SSO_EMAIL_DOMAINS="example.com", **values)
    (app,) = found.apps["openid_connect"]["APPS"]
    assert (app["client_id"], app["secret"], app["settings"]["server_url"]) == ("c", "s", issuer)
    assert app["settings"]["oauth_pkce_enabled"] is True
    assert (len(found.sources), found.problems) == (1, ())


def test_github_and_saml_stand_beside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    metadata = tmp_path / "idp.xml"
    metadata.write_text("<xml/>")
    found = told(monkeypatch, GITHUB_CLIENT_ID="c", GITHUB_CLIENT_SECRET="s", SAML_METADATA=str(metadata), SAML_NAME="Corp")
    assert [source.name for source in found.sources] == ["GitHub", "Corp"]
    assert found.apps["saml"]["APPS"][0]["settings"]["idp"]["metadata_url"] == metadata.as_uri()


GITHUB = {"GITHUB_CLIENT_ID": "c", "GITHUB_CLIENT_SECRET": "s"}


def test_organisations_of_github_are_asked_for_by_its_scope_only_where_they_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, **GITHUB).apps["github"]["APPS"][0]["settings"]["scope"] == ["user:email"]
    found = told(monkeypatch, GITHUB_ORGS="acme, acme-labs")
    assert found.apps["github"]["APPS"][0]["settings"]["scope"] == ["user:email", "read:org"]
    assert (found.sources[0].api, found.sources[0].organisations) == ("https://api.github.com", ("acme", "acme-labs"))


@pytest.mark.parametrize("address", ["https://ghe.example/", "https://github.com"])
def test_server_of_ones_own_is_what_allauth_asks(tmp_path: Path, address: str) -> None:
    look = "from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter as found; print(found.profile_url)"
    environment = {"PATH": os.environ["PATH"], "TALLYGATE_HOME": str(tmp_path), "TALLYGATE_GITHUB_URL": address}
    environment |= {f"TALLYGATE_{name}": value for name, value in GITHUB.items()}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", look]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=True, timeout=60)
    expected = {"https://ghe.example/": "https://ghe.example/api/v3/user", "https://github.com": "https://api.github.com/user"}
    assert done.stdout.split()[-1] == expected[address]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({**GITHUB, "OIDC_ROLE_MAP": "a:admin"}, "GitHub tells of no groups"),
        ({**GITHUB, "SSO_GROUPS": "staff", "SSO_DEFAULT_ROLE": "member"}, "GitHub tells of no groups"),
        ({"GOOGLE_CLIENT_ID": "c", "GOOGLE_CLIENT_SECRET": "s", "OIDC_TEAM_MAP": "a:A"}, "Google tells of no groups"),
        ({**GITHUB, "GITHUB_ORGS": "acme", "OIDC_ROLE_MAP": "Acme/x:admin"}, "no map and no TALLYGATE_SSO_GROUPS has acme"),
        ({"GITHUB_ORGS": "acme"}, "do nothing without TALLYGATE_GITHUB_CLIENT_ID"),
    ],
)
def test_groups_that_nobody_has_are_told_of(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], problem: str) -> None:
    assert problem in " ".join(told(monkeypatch, **values).problems)


@pytest.mark.parametrize(
    "values", [{"OIDC_ROLE_MAP": "acme/x:admin", "GITHUB_ORGS": "acme"}, {"SSO_GROUPS": "acme", "GITHUB_ORGS": "acme"}]
)
def test_groups_that_people_have_are_no_problem(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    assert told(monkeypatch, **GITHUB, **values).problems == ()


def test_half_set_provider_is_told_of_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, OIDC_ISSUER="https://idp.example", OIDC_CLIENT_ID="c")
    assert found.sources == ()
    assert "TALLYGATE_OIDC_CLIENT_SECRET" in found.problems[0]


def test_provider_without_a_word_on_who_may_come_in_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(monkeypatch, GITHUB_CLIENT_ID="c", GITHUB_CLIENT_SECRET="s")
    assert "who may come in" in found.problems[0]
    assert not found.rules.decide


def test_no_password_and_no_provider_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "admin login-link" in told(monkeypatch, PASSWORD_LOGIN="no").problems[0]


def test_rules_are_read_and_refuse_by_themselves_where_groups_are_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = {"OIDC_ROLE_MAP": "/gw-admins:admin", "OIDC_TEAM_MAP": "d:Data:manager"}
    rules = told(monkeypatch, SSO_EMAIL_DOMAINS="@Example.com", SSO_GROUPS="/staff", **maps).rules
    assert (rules.roles, rules.teams) == ((("gw-admins", "admin"),), (TeamGrant("d", "Data", "manager"),))
    assert (rules.domains, rules.groups, rules.default_role) == (frozenset({"example.com"}), frozenset({"staff"}), "")
    assert told(monkeypatch, SSO_DEFAULT_ROLE="viewer").rules.default_role == "viewer"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_ROLE_MAP", "admins:root"),
        ("OIDC_TEAM_MAP", "data"),
        ("MICROSOFT_TENANT", "common"),
        ("GITHUB_ORGS", "acme/data"),
        ("GITHUB_URL", "http://ghe.example"),
        ("GITHUB_URL", "ghe.example"),
        ("SAML_METADATA", "http://idp.example/metadata"),
        ("SAML_METADATA", "relative.xml"),
        ("SSO_DEFAULT_ROLE", "admin"),
        ("SECOND_FACTOR", "always"),
    ],
)
def test_setting_that_cannot_be_used_stops_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(env.WrongSetting, match=f"TALLYGATE_{name}"):
        told(monkeypatch, **{name: value})


def test_doctor_notes_what_is_half_set(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.TALLYGATE_SIGN_IN = told(monkeypatch, OIDC_ISSUER="https://idp.example")
    (line,) = [line for line in of_this_machine() if line.what == "sign-in"]
    assert line.is_note
    assert "TALLYGATE_OIDC_CLIENT_ID and TALLYGATE_OIDC_CLIENT_SECRET" in line.text
