"""People sign in through a real OpenID Connect provider from npm, in a real Chromium, into a real `tallygate serve`."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Browser
from tests.e2e.company import NEEDS_CHROMIUM, Company, sign_in
from tests.e2e.test_claude_code import ROOT, free_port, until_ready

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), NEEDS_CHROMIUM]
PLACES = """
SELECT u.role, t.name, m.role FROM keys_user u LEFT JOIN keys_membership m ON m.user_id = u.id LEFT JOIN keys_team t ON t.id = m.team_id
WHERE u.email = 'ada@example.com'
"""


def test_groups_give_role_and_team_at_every_sign_in_and_take_them(company: Company, browser: Browser) -> None:
    company.tell("gw-fin", "gw-data-leads")
    sign_in(browser, company)
    assert browser.url == f"{company.gateway}/"
    assert company.rows(PLACES) == [("finance", "Data", "manager")]
    company.tell("gw-data")
    sign_in(browser, company)
    assert company.rows(PLACES) == [("member", "Data", "member")]


def test_group_that_is_gone_takes_role_membership_and_entry(company: Company, browser: Browser) -> None:
    company.tell("gw-fin", "gw-data")
    sign_in(browser, company)
    company.tell("another")
    sign_in(browser, company)
    assert "You are not signed in" in browser.text
    assert "none of the groups" in browser.text
    assert company.rows(PLACES) == [("viewer", None, None)]


def test_blocked_person_is_refused(company: Company, browser: Browser) -> None:
    company.tell("gw-fin")
    sign_in(browser, company)
    with sqlite3.connect(company.home / "e2e.db") as connection:
        connection.execute("UPDATE keys_user SET is_blocked = 1 WHERE email = 'ada@example.com'")
    browser.go(company.gateway + "/")
    assert browser.has(".ways a.btn")
    sign_in(browser, company)
    assert "You are blocked here" in browser.text
    browser.go(company.gateway + "/")
    assert browser.has(".ways a.btn")


def test_unverified_address_is_refused_and_nobody_is_made(company: Company, browser: Browser) -> None:
    company.tell("gw-admins", email_verified=False)
    sign_in(browser, company)
    assert "not verified" in browser.text
    assert company.rows(PLACES) == []


def test_admin_opens_for_an_administrators_group_and_for_no_other(company: Company, browser: Browser) -> None:
    company.tell("gw-admins")
    sign_in(browser, company, "/admin/")
    assert browser.url == f"{company.gateway}/admin/"
    company.tell("gw-fin")
    sign_in(browser, company)
    browser.go(f"{company.gateway}/admin/")
    assert browser.url == f"{company.gateway}/admin/login/?next=/admin/"
    assert not browser.has("#site-name, [href='/admin/keys/user/']")


def test_page_that_somebody_came_for_opens_and_there_is_no_password_to_ask_for(company: Company, browser: Browser) -> None:
    company.tell("gw-data")
    browser.go(f"{company.gateway}/accounts/sessions/")
    assert not browser.has("[name=password]")
    sign_in(browser, company, "/accounts/sessions/")
    assert browser.url == f"{company.gateway}/accounts/sessions/"
    assert "this one" in browser.text


def link_of(home: Path, gateway: str) -> str:
    command = [sys.executable, str(ROOT / "manage.py"), "admin", "login-link"]
    told = {"PATH": os.environ["PATH"], "TALLYGATE_HOME": str(home), "DATABASE_URL": "sqlite:///e2e.db", "TALLYGATE_PUBLIC_URL": gateway}
    return subprocess.run(command, env=told, capture_output=True, text=True, check=True, timeout=60).stdout.split()[-1]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A gateway without an identity provider, under a name, as passkeys want it; and its home."""
    port, home = free_port(), tmp_path / "home"
    gateway = f"http://localhost:{port}"
    told = {"PATH": os.environ["PATH"], "TALLYGATE_HOME": str(home), "DATABASE_URL": "sqlite:///e2e.db", "TALLYGATE_PUBLIC_URL": gateway}
    serve = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        served = subprocess.Popen(serve, env=told, cwd=tmp_path, stdout=log, stderr=log)
    try:
        until_ready(f"http://127.0.0.1:{port}", served)
        yield gateway, home
    finally:
        served.terminate()
        served.wait(30)


def test_link_of_the_command_line_signs_in_where_passwords_are_off(company: Company, browser: Browser) -> None:
    browser.go(link_of(company.home, company.gateway))
    assert browser.url == f"{company.gateway}/"
    browser.go(f"{company.gateway}/accounts/sessions/")
    assert "this one" in browser.text


def test_passkey_of_a_local_account_is_added_and_signs_in(local: tuple[str, Path], browser: Browser) -> None:
    gateway, home = local
    browser.send("WebAuthn.enable")
    kind = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
    browser.send("WebAuthn.addVirtualAuthenticator", options=kind)
    browser.go(link_of(home, gateway))
    browser.go(f"{gateway}/accounts/2fa/webauthn/add/")
    browser.run("document.querySelector('[name=passwordless]').checked = true")
    browser.click("#mfa_webauthn_add")
    assert "Security key added" in browser.text
    browser.forget()
    browser.go(f"{gateway}/accounts/login/")
    browser.click("#passkey_login")
    assert browser.url == f"{gateway}/"
