"""What a browser does with what we send: files are saved and not shown, and no page asks anybody else for anything."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import get_finders

from tests.console.rows import as_admin, served
from tests.console.test_inert import REPORTS, crawl
from tests.gateway_project.running import ROOT
from tests.gateway_project.web_addresses import addresses

pytestmark = pytest.mark.django_db(databases="__all__")
MONTH = "month=2024-10&zone=UTC"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KINDS = {"csv": "text/csv", "xlsx": SHEET, "txt": "text/plain"}
FILES = [address for address in addresses() if address.rpartition(".")[2] in KINDS]
# What a browser fetches by itself, and where a form goes.
LOADS = re.compile(r"""\s(?:src|srcset|poster|data|action|formaction)=["']([^"']*)|<link[^>]*\shref=["']([^"']*)|url\(["']?([^)"']*)""")
OURS = re.compile(r"(?:/(?!/)|#|\?|\.|$|data:image/|http://testserver/)")
ELSEWHERE = re.compile(r"""url\(["']?(?:https?:)?//|@import\s+["'(]?\w*["'(]?(?:https?:)?//""")


# R156
@pytest.mark.parametrize("address", [*FILES, *(f"/api/reports/{report}/?format={form}" for report in REPORTS for form in ("csv", "xlsx"))])
def test_file_is_saved_and_never_shown_as_a_page(address: str) -> None:
    web = as_admin()
    web.post(f"/chargeback/freeze/?{MONTH}")
    answer = web.get(f"{address}{'&' if '?' in address else '?'}{MONTH if 'api' not in address else ''}")
    form = re.findall(r"csv|xlsx|txt", address)[-1]
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, KINDS[form])
    assert answer["Content-Disposition"].startswith('attachment; filename="')
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_every_kind_of_file_is_walked() -> None:
    assert {address.rpartition(".")[2] for address in FILES} == set(KINDS)


# R165
def test_no_page_asks_another_site_for_anything() -> None:
    served()
    loads = {
        address: [next(filter(None, found), "") for found in LOADS.findall(text)] for address, text in crawl(as_admin(accept="text/html"))
    }
    assert len(loads) > 60 and sum(map(len, loads.values())) > 300
    foreign = {address: [one for one in asked if not OURS.match(one)] for address, asked in loads.items()}
    assert {address: asked for address, asked in foreign.items() if asked} == {}


# R165
def test_no_stylesheet_asks_another_site_for_anything() -> None:
    sheets = [Path(storage.path(path)) for finder in get_finders() for path, storage in finder.list([]) if path.endswith(".css")]
    assert len(sheets) > 5
    assert [sheet.name for sheet in sheets if ELSEWHERE.search(sheet.read_text())] == []


# R165
@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "static").glob("*.js")))
def test_no_script_of_ours_names_another_site(script: str) -> None:
    text = (ROOT / "static" / script).read_text()
    assert re.findall(r"""(?:https?|wss?)://(?!www\.w3\.org/)[^"'`\s$]+""", text) == []
