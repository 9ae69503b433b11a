"""Whom the settings want a second factor of: a password alone opens nothing but the pages that set one up."""

import re
import time

import pytest
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret, hotp_value
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from console.live.visits import reach_of_session
from gateway_project.sso_settings import SignInSettings
from keys.models import User
from keys.sso import login_link
from tests.factories import PASSWORD, make_admin, make_user

pytestmark = pytest.mark.django_db
SET_UP = "/accounts/2fa/"


@pytest.fixture(autouse=True)
def no_attempts_so_far() -> None:
    cache.clear()


def wanted(settings: Settings, of: str) -> None:
    settings.TALLYGATE_SIGN_IN = SignInSettings(second_factor=of)


def signed_in(name: str) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": name, "password": PASSWORD})
    return client


def code_of(secret: str) -> str:
    return f"{hotp_value(secret, int(time.time()) // 30):06d}"


def lands(client: Client, page: str = "/preferences/") -> str:
    answer = client.get(page)
    return answer.get("Location", str(answer.status_code))


@pytest.mark.parametrize(("of", "admins", "others"), [("optional", "200", "200"), ("admins", SET_UP, "200"), ("everybody", SET_UP, SET_UP)])
def test_password_alone_is_enough_for_those_of_whom_no_more_is_wanted(settings: Settings, of: str, admins: str, others: str) -> None:
    wanted(settings, of)
    make_admin()
    make_user()
    assert (lands(signed_in("root")), lands(signed_in("alice"))) == (admins, others)


@pytest.mark.parametrize("page", ["/admin/", "/api/reports/", "/audit/", "/spend/"])
def test_no_other_page_opens_and_the_one_that_does_says_why(settings: Settings, page: str) -> None:
    wanted(settings, "admins")
    make_admin()
    client = signed_in("root")
    assert lands(client, page) == SET_UP
    assert b"A second factor is needed here." in client.get(SET_UP).content
    assert client.get("/accounts/logout/").status_code == 200


@pytest.mark.parametrize(("of", "is_open"), [("optional", True), ("admins", False)])
def test_live_figures_stay_closed_too(settings: Settings, of: str, is_open: bool) -> None:
    wanted(settings, of)
    make_admin()
    assert (reach_of_session(signed_in("root").session.session_key or "") is not None) is is_open


def test_pages_open_once_a_factor_is_set_up(settings: Settings) -> None:
    wanted(settings, "admins")
    make_admin()
    client = signed_in("root")
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    secret = re.search(r'id="totp_secret"[^>]*value="(\w+)"', client.get("/accounts/2fa/totp/activate/").content.decode())
    assert secret is not None
    client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret[1])})
    assert lands(client) == "200"
    assert b"A second factor is needed here." not in client.get(SET_UP).content


def test_who_gave_the_second_factor_is_in(settings: Settings) -> None:
    wanted(settings, "everybody")
    secret = generate_totp_secret()
    Authenticator.objects.create(user=make_user(), type=Authenticator.Type.TOTP, data={"secret": secret})
    client = signed_in("alice")
    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert lands(client) == "200"


def test_recovery_codes_alone_are_no_factor(settings: Settings) -> None:
    wanted(settings, "everybody")
    Authenticator.objects.create(user=make_user(), type=Authenticator.Type.RECOVERY_CODES, data={"seed": "s", "used_mask": 0})
    assert lands(signed_in("alice")) == SET_UP


def test_link_opens_whatever_is_wanted(settings: Settings) -> None:
    wanted(settings, "everybody")
    client = Client()
    client.get("/" + login_link(make_admin()).split("/", 3)[3])
    assert lands(client) == "200"


def test_identity_provider_looks_after_its_own(settings: Settings) -> None:
    wanted(settings, "everybody")
    make_user()
    client = signed_in("alice")
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "socialaccount", "provider": "company"}]
    session.save()
    assert lands(client) == "200"


def test_whoever_becomes_administrator_needs_one_at_once(settings: Settings) -> None:
    wanted(settings, "admins")
    make_user()
    client = signed_in("alice")
    assert lands(client) == "200"
    User.objects.filter(username="alice").update(role=User.Role.ADMIN)
    assert lands(client) == SET_UP
