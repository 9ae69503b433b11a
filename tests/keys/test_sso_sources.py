"""What an identity provider says, checked before anybody is made of it."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory
from pytest_django import Settings

from gateway_project.sso_settings import SignInSettings
from keys.models import User
from keys.sso_groups import NotAdmitted, Rules, Source, Why
from keys.sso_sources import REASONS, OidcProvider, claims_of, identity

COMPANY, GITHUB = Source("company", "Corp", "oidc"), Source("github", "GitHub", "github")
TOKEN = {"iss": "https://idp.example", "sub": "1", "nonce": "n-1"}


def login(extra: dict[str, Any], *addresses: EmailAddress, nonce: str = "n-1") -> SocialLogin:
    found = SocialLogin(user=User(), account=SocialAccount(provider="company", uid="1", extra_data=extra), email_addresses=[*addresses])
    found.state = {"process": "login", "data": {"nonce": nonce}}
    return found


def uid(**extra: Any) -> str:
    return OidcProvider(RequestFactory().get("/"), app=SocialApp(provider="openid_connect", name="Corp")).extract_uid(extra)


def told_of(source: Source, found: SocialLogin) -> tuple[str, bool]:
    who = identity(source, found, claims_of(source, found))
    return who.email, who.is_email_verified


@pytest.mark.parametrize(
    "found", [login({"id_token": TOKEN}, nonce="another"), login({"id_token": {}}), login({"userinfo": {"sub": "1"}}), login({}, nonce="")]
)
def test_id_token_of_another_sign_in_is_refused(found: SocialLogin) -> None:
    with pytest.raises(NotAdmitted) as told:
        claims_of(COMPANY, found)
    assert told.value.why is Why.UNTRUE


def test_person_is_the_subject_at_the_issuer() -> None:
    assert uid(id_token=TOKEN, userinfo={"sub": "1"}) == "https://idp.example 1"
    assert uid(id_token=TOKEN) != uid(id_token={**TOKEN, "iss": "https://other.example"})
    assert len(uid(id_token={**TOKEN, "sub": "x" * 255})) == 64


@pytest.mark.parametrize("extra", [{"id_token": TOKEN, "userinfo": {"sub": "2"}}, {"userinfo": {"sub": "1"}}, {"id_token": {}}])
def test_data_about_somebody_else_than_the_token_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(PermissionDenied):
        uid(**extra)


@pytest.mark.parametrize(("said", "counts"), [(True, True), ("true", True), (False, False), ("false", False), (None, False), (1.5, False)])
def test_address_is_verified_only_by_the_providers_plain_word(said: object, counts: bool) -> None:
    assert told_of(COMPANY, login({"id_token": {**TOKEN, "email": "a@x.example", "email_verified": said}})) == ("a@x.example", counts)


@pytest.mark.parametrize(("said", "counts"), [({}, True), ({"email_verified": False}, False)])
def test_trusted_provider_is_believed_unless_it_says_no(said: dict[str, object], counts: bool) -> None:
    trusted = Source("company", "Corp", "oidc", trusts_email=True)
    assert told_of(trusted, login({"id_token": {**TOKEN, "email": "a@x.example", **said}})) == ("a@x.example", counts)


def test_of_several_verified_addresses_the_companys_counts(settings: Settings) -> None:
    settings.TALLYGATE_SIGN_IN = SignInSettings(rules=Rules(domains=frozenset({"corp.example"})))
    home, work = (EmailAddress(email=f"ada@{domain}", verified=True) for domain in ("home.example", "corp.example"))
    assert told_of(GITHUB, login({}, home, work)) == ("ada@corp.example", True)
    assert told_of(GITHUB, login({}, home)) == ("ada@home.example", True)


def test_address_that_github_has_not_verified_does_not_count() -> None:
    found = login({}, EmailAddress(email="ada@corp.example", verified=False))
    assert told_of(GITHUB, found) == ("", False)


def test_every_refusal_has_a_sentence() -> None:
    assert set(REASONS) == set(Why)
