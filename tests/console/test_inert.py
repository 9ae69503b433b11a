"""Names and records full of markup: every page, list, report and export that shows them shows text. A browser proves it in tests/e2e."""

import csv
import json
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.test import Client

from audit.models import RequestRecord, RollUp
from billing.models import LedgerEntry
from keys.models import Team, VirtualKey
from tests.console.hostile import MARKUP, seed
from tests.console.rows import as_admin

pytestmark = pytest.mark.django_db(databases="__all__")
LINK = re.compile(r'href="(/[^"#]*)"')
# Their answer is no page, or ends the session.
LEFT_OUT = re.compile(r"^/static/|/logout|format=|\.csv|\.xlsx|export|/login/|_popup|\?o=|[?&]e=")
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|req_\w+|\b\d+\b|=[^&]*|%[^/]*")
RUNS = re.compile(r"<img src=x|<script>canary")


def crawl(client: Client) -> Iterator[tuple[str, str]]:
    """From Home and the admin on, one page of each kind."""
    waiting = ["/", "/admin/", "/api/reports/keys/", "/api/reports/requests/"]
    known = set(waiting)
    while waiting:
        address = waiting.pop()
        answer = client.get(address, follow=True)
        text = answer.content.decode(errors="replace") if "html" in answer.get("Content-Type", "") else ""
        yield address, text
        for link in (link.replace("&amp;", "&") for link in LINK.findall(text)):
            kind = IDS.sub("1", link)
            if kind not in known and not LEFT_OUT.search(link):
                known.add(kind)
                waiting.append(link)


# R153
def test_no_page_holds_markup_of_a_name_or_a_record() -> None:
    seed()
    walked = dict(crawl(as_admin(accept="text/html")))
    assert {address: RUNS.findall(text) for address, text in walked.items() if RUNS.search(text)} == {}
    shown = [address for address, text in walked.items() if "&lt;script&gt;canary" in text]
    assert len(walked) > 60 and len(shown) > 25
    for start in ("/requests/", "/spend/", "/keys/", "/teams/", "/people/", "/budgets/", "/admin/audit/", "/admin/keys/", "/api/reports/"):
        assert any(address.startswith(start) for address in shown), start


# R153
def test_data_inside_a_page_cannot_end_its_script() -> None:
    seed()
    text = as_admin().get("/spend/").content.decode()
    for data in re.findall(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', text, flags=re.DOTALL):
        assert "<" not in data
        json.loads(data)


REPORTS = ("spend", "chargeback", "ledger", "requests", "budgets", "keys", "teams")
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "＝")  # noqa: RUF001


# R157
@pytest.mark.parametrize("start", ["=1+1", "+1", "@A1", "\t=1", "\r=1", "＝1", " =1"])  # noqa: RUF001
def test_no_cell_of_an_export_is_a_formula(start: str) -> None:
    seed()
    names = ("route", "cost_centre", "model", "key_name", "team_name", "session_id", "client")
    tables: tuple[type[Any], ...] = (RequestRecord, LedgerEntry, RollUp)
    for table in tables:
        known = {field.name for field in table._meta.concrete_fields}
        table.objects.update(**dict.fromkeys(known.intersection(names), start))
    Team.objects.update(name=start, cost_centre=start)
    VirtualKey.objects.update(name=start, cost_centre=start)
    web, cells = as_admin(), []
    for report in REPORTS:
        answer = web.get(f"/api/reports/{report}/", {"format": "csv"})
        assert (answer.status_code, answer["X-Content-Type-Options"], "attachment" in answer["Content-Disposition"]) == (
            200,
            "nosniff",
            True,
        )
        cells += [cell for row in csv.reader(StringIO(answer.content.decode("utf-8-sig"))) for cell in row]
    assert cells.count(f"'{start}") > 8
    assert [cell for cell in cells if cell.lstrip(" ").startswith(FORMULAS)] == []


def test_markup_is_data_in_a_report() -> None:
    seed()
    answer = as_admin().get("/api/reports/keys/", {"format": "json"})
    assert answer["Content-Type"].startswith("application/json")
    assert MARKUP in json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"')
