"""A month in short: a manager signs in, issues a key, somebody spends with it and is watched, the key goes; finance closes the books."""

import csv
import io
import json
from decimal import Decimal

import anthropic
import pytest

from tests.browser import Browser
from tests.e2e.company import NEEDS_CHROMIUM, Company, sign_in
from tests.gateway_project.running import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), NEEDS_CHROMIUM]
MODEL, CALLS, NANO = "demo-sonnet", 3, 10**9
LEDGER = "SELECT SUM(amount_nano), COUNT(*) FROM billing_ledgerentry"


def issue_key(browser: Browser, company: Company) -> str:
    """Through the form; the secret is on the page that answers it."""
    browser.go(f"{company.gateway}/keys/new/")
    browser.fill("#id_name", "laptop")
    browser.fill("#id_max_budget", "0.05")
    browser.click(".key-form [type=submit]")
    return str(browser.run("document.querySelector('#sk').textContent"))


def spend(company: Company, token: str) -> None:
    with anthropic.Anthropic(base_url=company.gateway, api_key=token, max_retries=0) as client:
        client.messages.create(model=MODEL, max_tokens=400, messages=[{"role": "user", "content": "Write a long poem about accounting."}])


def used_percent(browser: Browser, company: Company) -> int:
    """Of the only budget, as its bar says."""
    browser.go(f"{company.gateway}/budgets/")
    return int(str(browser.run("document.querySelector('main .meter b').textContent")).rstrip("%"))


def shown_calls(browser: Browser) -> int:
    """Among the last requests of the Live page that is open."""
    return int(browser.run("document.querySelectorAll('[data-part=rows] th a').length"))


def exported(browser: Browser, company: Company) -> list[dict[str, str]]:
    browser.go(f"{company.gateway}/spend/")
    text = browser.run(f"fetch({json.dumps(company.gateway + '/api/reports/ledger/?format=csv')}).then(answer => answer.text())")
    return list(csv.DictReader(io.StringIO(str(text).removeprefix("\ufeff"))))


def test_manager_issues_a_key_that_spends_and_goes_and_finance_closes_the_month(company: Company, browser: Browser) -> None:
    company.tell("gw-data-leads")
    company.tell("gw-fin", person="ben")
    sign_in(browser, company)
    token = issue_key(browser, company)
    assert used_percent(browser, company) == 0

    browser.go(f"{company.gateway}/live/")
    assert shown_calls(browser) == 0
    for _ in range(CALLS):
        spend(company, token)
    until(lambda: shown_calls(browser) == CALLS)
    until(lambda: used_percent(browser, company) > 0)

    browser.go(f"{company.gateway}/keys/")
    browser.click("main tbody th a")
    browser.click("a.danger")
    browser.click("main form .danger")
    until(lambda: is_refused(company, token))

    sign_in(browser, company, person="ben")
    [(nano, entries)] = company.rows(LEDGER)
    rows = exported(browser, company)
    assert (len(rows), sum(Decimal(row["amount_usd"]) for row in rows)) == (entries, Decimal(nano) / NANO)
    assert "laptop" not in browser.text  # finance sees all money and no keys


def is_refused(company: Company, token: str) -> bool:
    try:
        spend(company, token)
    except anthropic.AuthenticationError:
        return True
    return False
