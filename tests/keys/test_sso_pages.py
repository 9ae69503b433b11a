"""The pages of sign-in: who comes in how, second factors, sessions, and what is closed."""

import re
import time
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret, hotp_value
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.test import Client, RequestFactory
from pytest_django import Settings

from audit.trail import SYSTEM
from gateway_project.sso_settings import SignInSettings
from keys.actions import change_user, set_password
from keys.models import User
from keys.sso import address_of, login_link
from keys.sso_groups import Source
from tests.factories import PASSWORD, make_admin, make_user

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def no_attempts_so_far() -> None:
    cache.clear()


@pytest.fixture
def passwords_off(settings: Settings) -> None:
    settings.TALLYGATE_SIGN_IN = SignInSettings(passwords=False)
    settings.MFA_PASSKEY_LOGIN_ENABLED = False


def sign_in(client: Client, name: str = "alice", password: str = PASSWORD) -> int:
    return client.post(LOGIN, {"login": name, "password": password}).status_code


def confirmed() -> Client:
    """Somebody who signed in and gave the password once more, as changes to second factors want it."""
    make_user()
    client = Client()
    sign_in(client)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def is_in(client: Client) -> bool:
    return client.get("/accounts/sessions/").status_code == 200


def test_password_opens_and_the_session_is_a_new_one() -> None:
    make_user()
    client = Client()
    client.session["before"] = "yes"
    client.get(LOGIN)
    before = client.session.session_key
    assert sign_in(client) == 302
    assert client.session.session_key != before
    assert is_in(client)


def test_cookie_of_a_session_is_out_of_reach_of_scripts_and_other_sites() -> None:
    make_user()
    client = Client()
    sign_in(client)
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_blocked_person_does_not_get_in_with_the_right_password() -> None:
    change_user(make_user(), {"is_blocked": True}, actor=SYSTEM)
    client = Client()
    sign_in(client)
    assert not is_in(client)


def test_blocking_ends_every_session_for_good() -> None:
    person, client = make_user(), Client()
    sign_in(client)
    change_user(person, {"is_blocked": True}, actor=SYSTEM)
    change_user(person, {"is_blocked": False}, actor=SYSTEM)
    assert not is_in(client)
    assert not UserSession.objects.exists()


def test_session_stops_at_once_where_a_block_was_written_past_the_verbs() -> None:
    person, client = make_user(), Client()
    client.force_login(person)
    User.objects.filter(pk=person.pk).update(is_blocked=True)
    assert not is_in(client)


def test_new_password_ends_the_other_sessions() -> None:
    person, client = make_user(), Client()
    sign_in(client)
    set_password(person, "another long secret", actor=SYSTEM)
    assert not is_in(client)


def test_attempts_are_limited_for_one_name_and_the_right_password_waits_too() -> None:
    make_user()
    client = Client()
    for _ in range(5):
        sign_in(client, password="wrong")
    sign_in(client)
    assert not is_in(client)


def test_address_behind_a_trusted_proxy_counts_and_another_word_does_not(rf: RequestFactory, settings: Settings) -> None:
    asked = rf.get("/", headers={"x-forwarded-for": "203.0.113.9"})
    assert address_of(asked) == "127.0.0.1"
    settings.TALLYGATE_TRUSTED_PROXIES = ["127.0.0.0/8"]
    assert address_of(asked) == "203.0.113.9"


def opened(client: Client, link: str) -> None:
    client.get(urlsplit(link).path)


def test_passwords_can_be_off_and_the_link_opens_still(passwords_off: None) -> None:
    person, client = make_admin(), Client()
    sign_in(client, "root")
    assert not is_in(client)
    assert b'name="password"' not in client.get(LOGIN).content
    assert client.post("/accounts/2fa/webauthn/login/", {"credential": "{}"}).status_code in {302, 404}
    opened(client, login_link(person))
    assert is_in(client)


def test_link_opens_a_session_that_is_listed() -> None:
    client = Client()
    opened(client, login_link(make_admin()))
    assert b"this one" in client.get("/accounts/sessions/").content


def test_other_sessions_can_be_ended() -> None:
    make_user()
    here, there = Client(), Client()
    sign_in(here)
    sign_in(there)
    here.post("/accounts/sessions/")
    assert is_in(here)
    assert not is_in(there)


def test_code_of_the_authenticator_app_is_asked_for_after_the_password_and_before_admin() -> None:
    person, secret = make_admin(), generate_totp_secret()
    Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={"secret": secret})
    client = Client()
    asked = client.post(f"{LOGIN}?next=/admin/", {"login": "root", "password": PASSWORD})
    assert asked["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get("/admin/").status_code == 302
    code = f"{hotp_value(secret, int(time.time()) // 30):06d}"
    assert client.post("/accounts/2fa/authenticate/", {"code": code})["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_admin_has_no_sign_in_of_its_own_and_is_for_staff() -> None:
    make_user()
    client = Client()
    assert client.get("/admin/login/")["Location"].startswith(LOGIN)
    assert client.post("/admin/login/", {"username": "alice", "password": PASSWORD})["Location"].startswith(LOGIN)
    sign_in(client)
    assert client.get("/admin/login/").status_code == 403


def test_second_factors_are_changed_only_after_the_password_once_more() -> None:
    make_user()
    client = Client()
    sign_in(client)
    for page in ("totp/activate", "webauthn/add"):
        assert client.get(f"/accounts/2fa/{page}/")["Location"].startswith("/accounts/reauthenticate/")
    assert client.get("/accounts/reauthenticate/").status_code == 200


@pytest.mark.parametrize("page", ["", "totp/activate/", "webauthn/add/", "webauthn/"])
def test_page_of_second_factors_opens_without_anything_that_the_policy_forbids(page: str) -> None:
    told = confirmed().get(f"/accounts/2fa/{page}")
    assert told.status_code == 200
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*(src=|application/json))|data:image", told.content.decode())


def test_app_is_switched_on_with_its_code_and_gives_recovery_codes() -> None:
    client = confirmed()
    secret = re.search(r'id="totp_secret"[^>]*value="(\w+)"', client.get("/accounts/2fa/totp/activate/").content.decode())
    assert secret is not None
    code = f"{hotp_value(secret[1], int(time.time()) // 30):06d}"
    told = client.post("/accounts/2fa/totp/activate/", {"code": code}, follow=True)
    assert b"10 of 10 left" in told.content
    assert Authenticator.objects.filter(type=Authenticator.Type.TOTP).exists()


@pytest.mark.parametrize("page", ["signup", "email", "password/reset", "password/set", "3rdparty", "3rdparty/signup", "social/connections"])
def test_what_people_could_change_about_their_account_past_us_is_closed(page: str) -> None:
    make_user()
    client = Client()
    sign_in(client)
    assert client.get(f"/accounts/{page}/").status_code == 404
    assert client.post(f"/accounts/{page}/", {"email": "evil@example.com"}).status_code == 404


@pytest.mark.parametrize("model", ["socialaccount/socialapp", "socialaccount/socialtoken", "account/emailaddress"])
def test_admin_has_no_page_for_what_settings_and_tokens_hold(model: str) -> None:
    client = Client()
    client.force_login(make_admin())
    assert client.get(f"/admin/{model}/").status_code == 404


def test_admin_shows_who_has_a_second_factor_and_nothing_of_its_secret() -> None:
    admin, client = make_admin(), Client()
    row = Authenticator.objects.create(user=admin, type=Authenticator.Type.TOTP, data={"secret": "canary-5501"})
    client.force_login(admin)
    shown = [client.get(f"/admin/mfa/authenticator/{place}").content.decode() for place in ("", f"{row.pk}/change/")]
    assert ["TOTP" in page or "totp" in page for page in shown] == [True, True]
    assert not any("canary-5501" in page for page in shown)


def test_button_of_each_provider_leads_to_its_sign_in_and_on_to_the_page_wanted(settings: Settings) -> None:
    app = {"provider_id": "company", "name": "Corp <b>", "client_id": "c", "secret": "s", "settings": {"server_url": "https://idp.example"}}
    settings.TALLYGATE_SIGN_IN = SignInSettings((Source("company", "Corp <b>", "oidc"),))
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    told = Client().get(f"{LOGIN}?next=/spend/").content.decode()
    assert "Sign in with Corp &lt;b&gt;" in told
    assert 'href="/accounts/oidc/company/login/?process=login&amp;next=%2Fspend%2F"' in told
