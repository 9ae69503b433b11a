"""Calls with whoever made them, in records, ledger and roll-ups, for the tests of the spend addresses."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.conf import settings
from django.test import Client

from audit.models import RequestRecord
from audit.rollup_rows import add_rows
from audit.rollups import RollUps, quarter_of
from audit.trail import SYSTEM
from billing.models import LedgerEntry
from billing.rollup_posting import add_entries
from keys.actions import add_member
from keys.models import Membership, Team, User, VirtualKey
from tests.factories import make_key, make_team, make_user

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOVEMBER = "start_date=2026-11-01&end_date=2026-11-30"
NUMBERS = count(1)


def spent(key: VirtualKey, nano: int, *, at: datetime = NOON, end_user: str = "", **values: Any) -> RequestRecord:
    """30 tokens: 10 fresh, 5 read from the cache, 2 written to it, 13 answered."""
    payer = {"key_id": key.pk, "team_id": key.team_id or "", "user_id": key.user_id or "", "route": "opus", "provider": "anthropic"}
    payer |= {"tags": ["nightly"]} | {name: values.pop(name) for name in ("route", "tags", "provider", "cost_centre") if name in values}
    chosen = {
        "status": 200,
        "outcome": "ok",
        "endpoint": "/v1/messages",
        "served_model": f"claude-{payer['route']}",
        "duration_ms": 250.0,
    } | values
    tokens = {"input_tokens": 10, "cache_read_tokens": 5, "cache_write_5m_tokens": 2, "output_tokens": 13}
    number = f"req_s{next(NUMBERS)}"
    record = RequestRecord.objects.create(
        id=number, received_at=at, cost_nano=nano, end_user=end_user, key_name=key.name, **payer, **tokens, **chosen
    )
    entry = LedgerEntry.objects.create(
        attempt_id=f"{number}-1", kind="base", request_id=number, at=at, amount_nano=nano, model="claude-opus", end_user=end_user, **payer
    )
    rollups = RollUps()
    rollups.add_call(record, quarter_of(at.timestamp()))
    add_entries(rollups, [entry])
    add_rows(rollups)
    return record


def member(name: str, team: Team, role: str = Membership.Role.MEMBER) -> tuple[VirtualKey, str]:
    user = make_user(name)
    add_member(Membership(team=team, user=user, role=role), actor=SYSTEM)
    return make_key(f"{name}'s key", team=team, user=user)


class Cast:
    """Alice leads Search, Bob is in it, Charlie is in Sales. Each has a key, and so have finance and an admin."""

    def __init__(self) -> None:
        self.search, self.sales = make_team("Search"), make_team("Sales")
        self.alice, alice = member("alice", self.search, Membership.Role.MANAGER)
        self.bob, bob = member("bob", self.search)
        self.charlie, charlie = member("charlie", self.sales)
        roles = {name: make_key(name, user=make_user(name, role))[1] for name, role in (("finance", User.Role.FINANCE), ("root", "admin"))}
        self.tokens = roles | {"alice": alice, "bob": bob, "charlie": charlie, "master": settings.TALLYGATE_MASTER_KEY}
        spent(self.alice, 1_000_000_001, end_user="acme")
        spent(self.bob, 20, at=NOON.replace(day=19), route="haiku", tags=["ci"])
        spent(self.charlie, 300, status=500, outcome="failed")

    def get(self, path: str, who: str = "master") -> Any:
        return Client().get(path, headers={"Authorization": f"Bearer {self.tokens[who]}"})
