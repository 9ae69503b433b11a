"""What the tests of the reports read: a cast with money in records, ledger and roll-ups, and how to ask."""

import csv
from datetime import UTC, datetime
from io import BytesIO, StringIO
from itertools import count
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

from django.conf import settings
from django.test import Client

from audit.models import RequestRecord
from audit.rollup_rows import add_rows
from audit.rollups import RollUps, quarter_of
from audit.trail import SYSTEM
from billing.models import LedgerEntry
from billing.rollup_posting import add_entries
from keys.actions import add_member
from keys.models import Membership, User
from tests.factories import make_key, make_organisation, make_team, make_user

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOVEMBER = "from=2026-11&to=2026-11&time_zone=UTC"
REPORTS = ("spend", "chargeback", "ledger", "requests", "sessions", "budgets", "keys", "teams")
CELL = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
NUMBERS = count(1)
ROLES = {"alice": "member", "bob": "member", "charlie": "member", "vera": "viewer", "fin": "finance", "root": "admin"}


def charged(nano: int, *, at: datetime = NOON, kind: str = "base", budget_id: int | None = None, **values: Any) -> RequestRecord:
    """One call, its entry in the ledger, and both in the roll-ups."""
    number = f"req_r{next(NUMBERS):05d}"
    payer = {"route": "opus", "provider": "anthropic"} | {
        name: values.pop(name)
        for name in ("organisation_id", "team_id", "user_id", "key_id", "cost_centre", "tags", "route", "provider", "end_user")
        if name in values
    }
    call: dict[str, Any] = {"status": 200, "outcome": "ok", "endpoint": "/v1/messages", "input_tokens": 10, "output_tokens": 13} | values
    cost = None if call.get("is_unpriced") else nano
    record = RequestRecord.objects.create(id=number, received_at=at, cost_nano=cost, **payer, **call)
    entry = LedgerEntry.objects.create(
        attempt_id=f"{number}-1", kind=kind, request_id=number, at=at, amount_nano=nano, model="claude", budget_id=budget_id, **payer
    )
    rollups = RollUps()
    rollups.add_call(record, quarter_of(at.timestamp()))
    add_entries(rollups, [entry])
    add_rows(rollups)
    return record


class Cast:
    """Alice manages Search, Bob is in it, Charlie is in Sales. Keys of their own, of a team's, of nobody, and who spent what."""

    def __init__(self) -> None:
        acme = make_organisation("Acme")
        self.search = make_team("Search", organisation=acme, cost_centre="CC-1")
        self.sales = make_team("Sales")
        self.people: dict[str, User] = {}
        self.tokens = {"master": settings.TALLYGATE_MASTER_KEY}
        self.keys: dict[str, str] = {}
        for name, role in (
            ("alice", "member"),
            ("bob", "member"),
            ("charlie", "member"),
            ("vera", "viewer"),
            ("fin", "finance"),
            ("root", "admin"),
        ):
            self.people[name] = make_user(name, role)
            self._key(name, user=self.people[name])
        for name, team, role in (("alice", self.search, "manager"), ("bob", self.search, "member"), ("charlie", self.sales, "member")):
            add_member(Membership(team=team, user=self.people[name], role=role), actor=SYSTEM)
        self._key("bob's of Search", user=self.people["bob"], team=self.search)
        self._key("nobody's", team=self.sales)
        self._spend()

    def _key(self, name: str, **values: Any) -> None:
        key, self.tokens[name] = make_key(name, **values)
        self.keys[name] = key.pk

    def _spend(self) -> None:
        search: dict[str, Any] = {"team_id": self.search.pk, "organisation_id": self.search.organisation_id, "cost_centre": "CC-1"}
        bob, charlie = self.people["bob"].pk, self.people["charlie"].pk
        charged(1_000_000_001, **search, user_id=self.people["alice"].pk, key_id=self.keys["alice"], tags=["nightly"])
        charged(20, **search, user_id=bob, key_id=self.keys["bob's of Search"], route="haiku", tags=["ci"])
        charged(300, user_id=bob, key_id=self.keys["bob"])
        charged(4000, team_id=self.sales.pk, user_id=charlie, key_id=self.keys["charlie"], status=500, outcome="failed")
        charged(50_000, team_id=self.sales.pk, key_id=self.keys["nobody's"])


def ask(report: str, query: str = NOVEMBER, token: str = settings.TALLYGATE_MASTER_KEY) -> Any:
    return Client().get(f"/api/reports/{report}{'/' if report else ''}?{query}", headers={"Authorization": f"Bearer {token}"})


def results(report: str, query: str = NOVEMBER, token: str = settings.TALLYGATE_MASTER_KEY) -> list[dict[str, Any]]:
    response = ask(report, query, token)
    assert response.status_code == 200, response.content
    return list(response.json()["results"])


def costs(rows: list[dict[str, Any]], name: str = "cost_nano") -> int:
    return sum(row[name] or 0 for row in rows)


def csv_rows(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(response.content.decode())))


def xlsx_cells(response: Any, sheet: int = 1) -> list[list[tuple[str, str]]]:
    """By row: the type and the text of each cell; `n` is a number."""
    with ZipFile(BytesIO(response.content)) as book:
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))  # noqa: S314  # our own file
        assert not list(root.iter(f"{CELL}f"))
    return [[(cell.get("t", "n"), "".join(cell.itertext())) for cell in row.iter(f"{CELL}c")] for row in root.iter(f"{CELL}row")]
