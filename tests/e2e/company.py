"""A company with people: a real OpenID Connect provider from npm, a real `tallygate serve` that trusts it, and signing in by a browser."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser import Browser
from tests.e2e.test_claude_code import MASTER, ROOT, free_port, until_ready

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
NODE = shutil.which("node") or ""
NEEDS_CHROMIUM = pytest.mark.skipif(
    not CHROMIUM and os.environ.get("CI") != "true", reason="no Chromium here (Debian: sudo apt install chromium)"
)
SECRET = "client-secret-canary-7731"
PEOPLE: dict[str, dict[str, Any]] = {
    "ada": {
        "email": "ada@example.com",
        "email_verified": True,
        "given_name": "Ada",
        "family_name": "Lovelace",
        "preferred_username": "ada",
    },
    "ben": {"email": "ben@example.com", "email_verified": True, "given_name": "Ben", "family_name": "Sato", "preferred_username": "ben"},
}


@dataclass(frozen=True)
class Company:
    """Its provider of identities and its gateway."""

    gateway: str
    home: Path
    people: Path
    environment: dict[str, str]

    def tell(self, *groups: str, person: str = "ada", **claims: Any) -> None:
        """What the provider says of that person from now on."""
        known = json.loads(self.people.read_text()) if self.people.exists() else {}
        self.people.write_text(json.dumps(known | {person: {**PEOPLE[person], "groups": groups, **claims}}))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.home / "e2e.db") as connection:
            return connection.execute(query).fetchall()


def set_up(folder: Path, gateway: str, issuer: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "TALLYGATE_HOME": str(folder / "home"),
        "DATABASE_URL": "sqlite:///e2e.db",
        "TALLYGATE_MASTER_KEY": MASTER,
        "TALLYGATE_PUBLIC_URL": gateway,
        "TALLYGATE_OIDC_ISSUER": issuer,
        "TALLYGATE_OIDC_CLIENT_ID": "tallygate",
        "TALLYGATE_OIDC_CLIENT_SECRET": SECRET,
        "TALLYGATE_OIDC_NAME": "Corp",
        "TALLYGATE_OIDC_SCOPES": "openid,profile,email,groups",
        "TALLYGATE_OIDC_ROLE_MAP": "gw-admins:admin,gw-fin:finance",
        "TALLYGATE_OIDC_TEAM_MAP": "gw-data:Data,gw-data-leads:Data:manager",
        "TALLYGATE_PASSWORD_LOGIN": "no",
    }


@contextmanager
def company_in(folder: Path) -> Iterator[Company]:
    ports = free_port(), free_port()
    gateway, issuer = (f"http://127.0.0.1:{port}" for port in ports)
    found = Company(gateway, folder / "home", folder / "people.json", set_up(folder, gateway, issuer))
    found.tell()
    claude = shutil.which("claude")
    assert claude is not None, "make e2e puts the clients on PATH"
    told = {"PATH": os.environ["PATH"], "MODULES": str(Path(claude).parents[1]), "PEOPLE": str(found.people), "PORT": str(ports[1])}
    told |= {"CLIENT_SECRET": SECRET, "REDIRECT": f"{gateway}/accounts/oidc/company/login/callback/"}
    with (folder / "log").open("wb") as log:
        provider = subprocess.Popen([NODE, ROOT / "tests/e2e/oidc_provider.mjs"], env=told, stdout=subprocess.PIPE, stderr=log)
        serve = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(ports[0])]
        served = subprocess.Popen(serve, env=found.environment, cwd=folder, stdout=log, stderr=log)
    try:
        assert provider.stdout is not None
        assert provider.stdout.readline() == b"listening\n"
        until_ready(gateway, served)
        made = httpx.post(f"{gateway}/team/new", json={"team_alias": "Data"}, headers={"Authorization": f"Bearer {MASTER}"})
        assert made.status_code == 200, made.text
        yield found
    finally:
        for process in (provider, served):
            process.terminate()
            process.communicate(timeout=30)
    assert SECRET not in (folder / "log").read_text()


def sign_in(browser: Browser, company: Company, page: str = "/", person: str = "ada") -> None:
    """By the button of the sign-in page, then the provider's own form, in a browser that is signed in nowhere."""
    browser.forget()
    browser.go(company.gateway + page)
    browser.click(".ways a.btn")
    browser.fill("[name=login]", person)
    browser.fill("[name=password]", "anything")
    browser.click("[type=submit]")
