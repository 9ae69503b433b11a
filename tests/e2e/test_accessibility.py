"""Every page that the menu leads to, and those below them, held to WCAG 2.1 AA by axe-core in a real Chromium: two colours, two sizes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.urls import Resolver404, resolve

from tests.browser import Browser, chromium
from tests.gateway_project.running import ROOT, Serving, own_environment

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not CHROMIUM and os.environ.get("CI") != "true", reason="no Chromium here (Debian: sudo apt install chromium)"),
]
MENU = "JSON.stringify([...document.querySelectorAll('nav.nav a[href]')].map(each => each.getAttribute('href')))"
LINKS = "JSON.stringify([...document.querySelectorAll('main a[href]')].map(each => each.getAttribute('href')))"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
CHECK = f"""axe.run(document, {{runOnly: {json.dumps(TAGS)}, resultTypes: ["violations"]}}).then(found => JSON.stringify(
found.violations.map(rule => rule.id + ": " + rule.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(" | "))))"""
# Django's own rooms, other sites' tables, and addresses that answer no page.
NO_PAGES = ("admin:", "api-", "account_logout", "settings_notice")
FILES = (".csv", ".xlsx", ".json", ".pem")
# What no link leads to as it should be looked at.
BESIDE = (
    "/keys/new/?bulk",
    "/spend/?period=90d&by=team&then=model",
    "/keys/?state=expired",
    "/budgets/?q=nothing-is-called-so",
    "/nowhere/",
)
KEY_CODES = {"Tab": 9, "Enter": 13, "Escape": 27}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A demo of our own: its address and its home."""
    home = tmp_path_factory.mktemp("demo") / "home"
    command = [sys.executable, str(ROOT / "manage.py"), "seed-demo", "--days", "14"]
    subprocess.run(command, env=own_environment(home, {}), check=True, capture_output=True, timeout=300)
    serving = Serving(home, "--no-background")
    serving.guard.cancel()  # it bounds shorter tests
    try:
        yield serving.url, home
    finally:
        serving.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(CHROMIUM, tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def axe() -> str:
    claude = shutil.which("claude")
    assert claude is not None, "make e2e puts the clients on PATH"
    return (Path(claude).parents[1] / "axe-core/axe.min.js").read_text()


def sign_in(browser: Browser, site: tuple[str, Path], name: str) -> None:
    url, home = site
    command = [sys.executable, str(ROOT / "manage.py"), "admin", "login-link", "--user", name]
    said = subprocess.run(command, env=own_environment(home, {}), check=True, capture_output=True, text=True, timeout=120).stdout
    browser.forget()
    browser.go(url + urlsplit(said.split()[-1]).path)


def view_of(path: str) -> str:
    """The name of the page at an address; none where no page of ours is."""
    place = urlsplit(path).path
    try:
        name = resolve(place).view_name
    except Resolver404:
        return ""
    return "" if name.startswith(NO_PAGES) or place.endswith(FILES) else name


def found_on(browser: Browser, links: str) -> list[str]:
    return [path for path in json.loads(browser.run(links)) if path.startswith("/") and view_of(path)]


@pytest.fixture(scope="module")
def pages(browser: Browser, site: tuple[str, Path]) -> dict[str, str]:
    """One address of each page that an administrator comes to by links, from the menu down."""
    sign_in(browser, site, "marta")
    known = {view_of(path): path for path in found_on(browser, MENU)}
    waiting = list(known.values())
    while waiting:
        browser.go(site[0] + waiting.pop(0))
        fresh = {view_of(path): path for path in reversed(found_on(browser, LINKS)) if view_of(path) not in known}
        known |= fresh
        waiting += fresh.values()
    return known


def paint(browser: Browser, scheme: str) -> None:
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


def size(browser: Browser, width: int) -> None:
    browser.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)


def broken_rules(browser: Browser, axe: str, address: str) -> list[str]:
    """In both colours; a page that must be scrolled sideways breaks a rule, too."""
    browser.go(address)
    browser.send("Runtime.evaluate", expression=axe)
    found: list[str] = []
    for scheme in ("light", "dark"):
        paint(browser, scheme)
        told = browser.send("Runtime.evaluate", expression=CHECK, awaitPromise=True, returnByValue=True)
        found += [f"{scheme}: {rule}" for rule in json.loads(told["result"]["value"])]
    return found + ["wider than the screen"] * bool(browser.run("document.documentElement.scrollWidth > innerWidth"))


def faults(browser: Browser, axe: str, addresses: list[str]) -> dict[str, list[str]]:
    found = {address: broken_rules(browser, axe, address) for address in addresses}
    return {address: rules for address, rules in found.items() if rules}


def test_walk_finds_the_pages_below_the_menu(pages: dict[str, str]) -> None:
    assert {"home", "spend", "key", "key_new", "budget", "budget_new", "team", "person", "request", "model", "connect"} <= set(pages)


SIZES = pytest.mark.parametrize("width", [1440, 380])


@SIZES
def test_no_page_of_an_administrator_breaks_a_rule(
    browser: Browser, axe: str, site: tuple[str, Path], pages: dict[str, str], width: int
) -> None:
    size(browser, width)
    assert faults(browser, axe, [site[0] + path for path in (*pages.values(), *BESIDE)]) == {}


@SIZES
def test_page_that_is_not_open_breaks_no_rule(browser: Browser, axe: str, site: tuple[str, Path], width: int) -> None:
    sign_in(browser, site, "tomas")
    size(browser, width)
    closed = f"{site[0]}/people/"
    browser.go(closed)
    assert "not open for you" in browser.text
    assert faults(browser, axe, [closed, f"{site[0]}/"]) == {}


@SIZES
def test_sign_in_breaks_no_rule(browser: Browser, axe: str, site: tuple[str, Path], width: int) -> None:
    browser.forget()
    size(browser, width)
    assert faults(browser, axe, [f"{site[0]}/accounts/login/"]) == {}


def press(browser: Browser, key: str) -> None:
    code = {"key": key, "code": key, "windowsVirtualKeyCode": KEY_CODES[key]}
    browser.send("Input.dispatchKeyEvent", type="keyDown", **code, **({"text": "\r"} if key == "Enter" else {}))
    browser.send("Input.dispatchKeyEvent", type="keyUp", **code)


def focused(browser: Browser) -> str:
    return str(browser.run("document.activeElement.textContent.trim() || document.activeElement.getAttribute('aria-label')"))


def test_first_stop_of_the_keyboard_skips_to_the_content(browser: Browser, site: tuple[str, Path]) -> None:
    sign_in(browser, site, "marta")
    browser.go(f"{site[0]}/spend/")
    press(browser, "Tab")
    assert focused(browser) == "Skip to content"
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    press(browser, "Enter")
    browser.until("location.hash === '#main'")


def test_menu_of_a_small_screen_opens_and_closes_by_keys(browser: Browser, site: tuple[str, Path]) -> None:
    sign_in(browser, site, "marta")
    size(browser, 380)
    browser.go(f"{site[0]}/budgets/")
    browser.run("document.querySelector('.top summary').focus()")
    press(browser, "Enter")
    press(browser, "Tab")
    assert focused(browser) == "Home"
    press(browser, "Escape")
    assert focused(browser) == "Menu"
    assert not browser.has(".top details[open]")


def test_dialog_keeps_focus_and_gives_it_back(browser: Browser, site: tuple[str, Path], pages: dict[str, str]) -> None:
    sign_in(browser, site, "marta")
    browser.go(site[0] + pages["team"])
    browser.run("document.querySelector('[href=\"#block\"]').focus()")
    press(browser, "Enter")
    browser.until("document.activeElement.closest('#block') !== null")
    stops = []
    for _ in range(4):
        stops.append(focused(browser))
        press(browser, "Tab")
    assert stops == ["Close", "Cancel", "Block team", "Close"]
    press(browser, "Escape")
    assert browser.run("getComputedStyle(document.querySelector('#block')).display") == "none"
    assert browser.run("document.activeElement.hash") == "#block"
