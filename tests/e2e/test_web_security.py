"""What a hostile name, page or neighbour could do to somebody's browser: tried in a real Chromium against a real `tallygate serve`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Browser, chromium
from tests.console.hostile import MARKUP
from tests.e2e.test_claude_code import ROOT, free_port, until_ready
from tests.e2e.test_sign_in import link_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not CHROMIUM and os.environ.get("CI") != "true", reason="no Chromium here (Debian: sudo apt install chromium)"),
]
WATCH = """
window.refused = [];
document.addEventListener("securitypolicyviolation", told => window.refused.push(told.violatedDirective + " " + told.sourceFile));
"""
LINKS = "[...document.querySelectorAll('a[href]')].map(a => a.href).filter(href => href.startsWith(location.origin))"
STATE = """
({canary: typeof canary === "undefined" ? 0 : canary, refused: window.refused, planted: document.querySelectorAll("img[src=x]").length})
"""
# Their answer is a file, or ends the session.
LEFT_OUT = re.compile(r"/logout|/login/|format=|\.csv|\.xlsx|export|#|/static/|\?o=|_popup|[?&]e=")
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}|req_\w+|\b\d+\b|=[^&]*|%[^/]*|_2\w+")
MOST = 130


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[str]:
    """With people and traffic whose every name is markup."""
    port, home = free_port(), folder / "home"
    address = f"http://localhost:{port}"
    told = {"PATH": os.environ["PATH"], "TALLYGATE_HOME": str(home), "DATABASE_URL": "sqlite:///e2e.db", "TALLYGATE_PUBLIC_URL": address}
    serve = [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        served = subprocess.Popen(serve, env=told, cwd=folder, stdout=log, stderr=log)
    try:
        until_ready(f"http://127.0.0.1:{port}", served)
        subprocess.run([sys.executable, "-m", "tests.console.hostile"], env=told, cwd=ROOT, check=True, timeout=120)
        yield address
    finally:
        served.terminate()
        served.wait(30)


@pytest.fixture(scope="module")
def browser(gateway: str, folder: Path) -> Iterator[Browser]:
    """Signed in as an administrator, and watching for what the content policy refuses."""
    with chromium(CHROMIUM, folder) as found:
        found.send("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        found.go(link_of(folder / "home", gateway))
        yield found


def crawl(browser: Browser, gateway: str) -> Iterator[str]:
    """One page of each kind that a link leads to; the browser stands on it."""
    waiting = [f"{gateway}/", f"{gateway}/admin/", f"{gateway}/api/reports/keys/"]
    known = {IDS.sub("1", address) for address in waiting}
    visits = 0
    while waiting and visits < MOST:
        visits, address = visits + 1, waiting.pop(0)
        browser.go(address)
        yield address.removeprefix(gateway)
        for link in browser.run(LINKS):
            kind = IDS.sub("1", link.removeprefix(gateway))
            if kind not in known and not LEFT_OUT.search(link):
                known.add(kind)
                waiting.append(link)


TEXT = "document.documentElement.textContent + [...document.querySelectorAll('[title], input')].map(one => one.title + one.value)"


def shown(browser: Browser) -> bool:
    return MARKUP[:12] in browser.run(TEXT)


# R153
def test_no_script_of_a_name_or_a_record_runs_on_any_page(gateway: str, browser: Browser) -> None:
    found, marked = {}, []
    for address in crawl(browser, gateway):
        found[address] = browser.run(STATE)
        marked += [address] * shown(browser)
    quiet = {"canary": 0, "refused": [], "planted": 0}
    assert {address: state for address, state in found.items() if state != quiet} == {}
    assert len(found) > 60 and len(marked) > 25
    for place in ("/requests/", "/spend/", "/keys/", "/teams/", "/people/", "/budgets/", "/admin/keys/", "/admin/audit/", "/api/reports/"):
        assert any(address.startswith(place) for address in marked), place


# R154
def test_policy_holds_markup_that_got_into_a_page(gateway: str, browser: Browser) -> None:
    browser.go(f"{gateway}/spend/")
    plant = (
        "new Promise(done => { document.addEventListener('securitypolicyviolation', () => done(typeof canary));"
        " document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=canary=1>'); })"
    )
    done = browser.send("Runtime.evaluate", expression=plant, awaitPromise=True, returnByValue=True)
    assert done["result"]["value"] == "undefined"


# R94, R149
def test_issued_secret_is_gone_after_leaving_going_back_and_asking_again(gateway: str, browser: Browser) -> None:
    browser.go(f"{gateway}/keys/new/")
    browser.fill("[name=name]", "laptop")
    browser.run("document.querySelector('[name=team]').selectedIndex = 1")
    browser.run("(document.querySelector('[name=scope][value=all]') || {click() {}}).click()")
    browser.click("main form [type=submit], main form button.primary")
    token = re.findall(r"sk-[\w-]{40,}", browser.run("document.documentElement.outerHTML"))[0]
    kept = "location.href + document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.referrer"
    assert token not in browser.run(kept)
    assert token not in str(browser.send("Network.getCookies"))
    browser.go(f"{gateway}/keys/")
    assert token not in browser.run("document.documentElement.outerHTML")
    browser.back()
    assert browser.url.startswith("chrome-error:"), "the answer to a form is not kept, and not sent again unasked"
    assert token not in browser.run("document.documentElement.outerHTML")


def test_page_with_a_session_is_not_seen_by_scripts_and_goes_to_no_other_site(gateway: str, browser: Browser) -> None:
    cookies = {cookie["name"]: cookie for cookie in browser.send("Network.getCookies", urls=[gateway])["cookies"]}
    browser.go(f"{gateway}/")
    assert (cookies["sessionid"]["httpOnly"], cookies["sessionid"]["sameSite"]) == (True, "Lax")
    assert "sessionid" not in browser.run("document.cookie")


# R154
@pytest.mark.parametrize("page", ["/", "/admin/", "/accounts/login/", "/api/docs", "/nowhere/"])
def test_no_page_of_ours_shows_in_a_frame(gateway: str, browser: Browser, page: str) -> None:
    """Not even in one of our own, which could look into it if it were there."""
    browser.go(f"{gateway}/spend/")
    frame = (
        "new Promise(done => { const frame = document.createElement('iframe'); frame.onload = () => done(frame.contentDocument === null);"
        f" frame.src = '{page}'; document.body.append(frame); }})"
    )
    done = browser.send("Runtime.evaluate", expression=frame, awaitPromise=True, returnByValue=True)
    assert done["result"]["value"] is True


# R155
def test_form_of_another_site_does_nothing_for_a_signed_in_browser(gateway: str, browser: Browser, tmp_path: Path) -> None:
    lure = tmp_path / "lure.html"
    lure.write_text(f'<form method="post" action="{gateway}/accounts/logout/"><button type="submit">win</button></form>')
    browser.go(lure.as_uri())
    browser.click("button")
    browser.go(f"{gateway}/keys/")
    assert browser.url == f"{gateway}/keys/"


# R153
def test_markup_in_an_address_is_text(gateway: str, browser: Browser) -> None:
    for page in ("/requests/?q=", "/spend/?by=", "/keys/?q=", "/people/?q=", "/nowhere/", "/requests/", "/accounts/login/?next="):
        browser.go(f"{gateway}{page}%22%3E%3Cimg%20src%3Dx%20onerror%3Dcanary%3D1%3E%3Cscript%3Ecanary%3D1%3C%2Fscript%3E")
        assert browser.run(STATE) == {"canary": 0, "refused": [], "planted": 0}, page


def test_page_asks_to_sign_in_once_the_session_is_gone(gateway: str, browser: Browser) -> None:
    browser.go(f"{gateway}/people/")
    browser.send("Network.clearBrowserCookies")
    browser.go(f"{gateway}/people/")
    assert browser.url == f"{gateway}/accounts/login/?next=/people/"
