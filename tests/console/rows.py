"""Served calls for the tests of the pages: a record with its ledger entry, counted in the roll-ups, and people to look at them."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.test import Client
from django.utils import timezone

from audit.models import RequestRecord
from audit.rollup_rows import add_rows
from audit.rollups import RollUps, quarter_of
from billing.models import LedgerEntry
from billing.rollup_posting import add_entries
from tests.factories import make_admin, make_user

MINUTE = timedelta(minutes=1)
NUMBERS = count(1)


def as_admin(**headers: str) -> Client:
    client = Client(headers=headers)
    client.force_login(make_admin())
    return client


def as_member() -> Client:
    client = Client()
    client.force_login(make_user("bob"))
    return client


def served(*, at: datetime | None = None, nano: int = 56_023_500, **values: Any) -> RequestRecord:
    """One call that went well, unless `values` say otherwise, its base entry in the ledger, and both in the roll-ups."""
    number = next(NUMBERS)
    chosen = {"id": f"req_{number:06d}", "route": "claude-sonnet", "served_model": "claude-sonnet-4-5", "provider": "anthropic"} | {
        "outcome": "ok", "status": 200, "endpoint": "/v1/messages", "duration_ms": 2310.0, "first_byte_ms": 618.0, "is_stream": True,
        "input_tokens": 1204, "cache_read_tokens": 44_180, "cache_write_5m_tokens": 2826, "output_tokens": 1904,
    }  # fmt: skip
    record = RequestRecord.objects.create(received_at=at or timezone.now() - MINUTE, **(chosen | {"cost_nano": nano} | values))
    entry = LedgerEntry.objects.create(
        attempt_id=f"{record.id}-1", kind=LedgerEntry.Kind.BASE, request_id=record.id, at=record.received_at, amount_nano=nano,
        is_unpriced=record.is_unpriced, route=record.route, provider=record.provider, model=record.served_model,
    )  # fmt: skip
    rollups = RollUps()
    rollups.add_call(record, quarter_of(record.received_at.timestamp()))
    add_entries(rollups, [entry])
    add_rows(rollups)
    return record


def attempt(**values: Any) -> dict[str, Any]:
    usual = {"id": "a-1", "deployment": "anthropic-1", "provider": "anthropic", "model": "claude-sonnet-4-5", "started_ms": 0.4}
    return usual | {"first_byte_ms": 618.0, "duration_ms": 2300.0, "status": 200, "outcome": "ok", "cost_nano": 56_023_500} | values


OVERLOADED = attempt(status=529, outcome="failed", first_byte_ms=None, duration_ms=600.0, error_code="overloaded", cost_nano=0)
PRICE_LINES = [
    {"kind": "input", "count": 1204, "unit_pico": 3_000_000, "amount_nano": 3_612_000, "model": "claude-sonnet-4-5"},
    {"kind": "cache_write_5m", "count": 2826, "unit_pico": 3_750_000, "amount_nano": 10_597_500, "model": "claude-sonnet-4-5"},
    {"kind": "cache_read", "count": 44_180, "unit_pico": 300_000, "amount_nano": 13_254_000, "model": "claude-sonnet-4-5"},
    {"kind": "output", "count": 1904, "unit_pico": 15_000_000, "amount_nano": 28_560_000, "model": "claude-sonnet-4-5"},
]
