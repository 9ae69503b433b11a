"""What the gateway's database says after a run, read past the gateway's own code: ledger, records, budget windows."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

LEDGER = """
SELECT l.request_id, l.attempt_id, l.kind, l.amount_nano, l.is_estimated, l.key_id, l.team_id, l.organisation_id, l.budget_id, l.at,
       r.request_bytes, r.duration_ms, r.attempts
FROM billing_ledgerentry l LEFT JOIN audit_requestrecord r ON r.id = l.request_id
ORDER BY l.id
"""
WINDOWS = """
SELECT b.id, b.scope, b.scope_id, b.amount_nano, b.mode, b.period, b.anchored_at, w.starts_at, w.posted_nano, w.allotted_nano
FROM billing_window w JOIN billing_budget b ON b.id = w.budget_id
ORDER BY b.id, w.starts_at
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One ledger entry with what its record tells; `request_bytes` None where there is no record."""

    request_id: str
    attempt_id: str
    kind: str
    amount_nano: int
    is_estimated: bool
    scopes: dict[str, str]
    budget_id: int | None
    at: datetime
    request_bytes: int | None
    duration_ms: float
    upstream_id: str


@dataclass(frozen=True, slots=True)
class WindowRow:
    budget_id: int
    scope: str
    scope_id: str
    amount_nano: int
    mode: str
    period: str
    anchored_at: datetime
    starts_at: datetime
    posted_nano: int
    allotted_nano: int


@dataclass(frozen=True, slots=True)
class Book:
    lines: list[Line]
    windows: list[WindowRow]


def read_book(home: Path, database_url: str) -> Book:
    with _connection(home, database_url) as connection:
        lines = [_line(row) for row in connection.execute(LEDGER).fetchall()]
        windows = [_window(row) for row in connection.execute(WINDOWS).fetchall()]
    return Book(lines, windows)


@contextmanager
def _connection(home: Path, database_url: str) -> Iterator[Any]:
    """Both kinds have `execute` and `fetchall`."""
    with closing(psycopg.connect(database_url) if database_url else sqlite3.connect(home / "tallygate.sqlite3")) as connection:
        yield connection


def _line(row: tuple[Any, ...]) -> Line:
    request_id, attempt_id, kind, amount, is_estimated, key, team, organisation, budget_id, at, size, duration, attempts = row
    notes = json.loads(attempts) if isinstance(attempts, str) else attempts or []
    upstream = next((note["upstream_request_id"] for note in notes if note["id"] == attempt_id), "")
    scopes = {"key": key, "team": team, "organisation": organisation, "global": ""}
    return Line(
        request_id, attempt_id, kind, amount, bool(is_estimated), scopes, budget_id, _moment(at), size, duration or 0.0, upstream
    )  # fmt: skip


def _window(row: tuple[Any, ...]) -> WindowRow:
    budget_id, scope, scope_id, amount, mode, period, anchored_at, starts_at, posted, allotted = row
    return WindowRow(budget_id, scope, scope_id, amount, mode, period, _moment(anchored_at), _moment(starts_at), posted, allotted)


def _moment(value: str | datetime) -> datetime:
    """SQLite keeps texts in UTC."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value
