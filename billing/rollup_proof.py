"""Proves roll-ups quarter by quarter: calls and tokens against the request records, money against the ledger. Part of `prove()`.

One statement, so that it sees one instant of a database that goes on being written.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection

from audit.models import RequestRecord, RollUp
from audit.rollups import TOKEN_COUNTS
from billing.day_proof import prove_days
from billing.models import LedgerEntry
from billing.money import money

# What a roll-up adds up: how a request record tells it.
OF_RECORDS = {
    "calls": "1",
    "unpriced_calls": "CASE WHEN is_unpriced THEN 1 ELSE 0 END",
    "estimated_calls": "CASE WHEN is_estimated THEN 1 ELSE 0 END",
    "input_tokens": "input_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_5m_tokens + cache_write_1h_tokens",
    "output_tokens": "output_tokens",
    "thinking_tokens": "thinking_tokens",
}
MEASURES = ("cost_nano", *OF_RECORDS)
# The start of the quarter that a time lies in, as `starts_at` of a roll-up is stored.
QUARTER = {
    "sqlite": "substr({0}, 1, 14) || printf('%02d:00', CAST(substr({0}, 15, 2) AS INTEGER) / 15 * 15)",
    "postgresql": "date_bin('15 minutes', {0}, TIMESTAMPTZ '1970-01-01 00:00:00+00')",
}


class Difference(NamedTuple):
    """A quarter that does not add up: by measure what the roll-ups say and what should be there."""

    starts_at: datetime
    rows: int
    figures: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        told = [_told(name, *pair) for name, pair in zip(MEASURES, self.figures, strict=True) if pair[0] != pair[1]]
        return f"Roll-ups of {self.starts_at:%Y-%m-%d %H:%M}: {'; '.join(told)}."


def prove_rollups() -> list[str]:
    """Quarters without any roll-up are told in one sentence: a database that is older than they are has thousands.

    Days are made of quarters, so they are looked at once these are right.
    """
    different = list(_differences())
    missing = [each.starts_at for each in different if not each.rows]
    findings = [str(each) for each in different if each.rows]
    if missing:
        span = f"{missing[0]:%Y-%m-%d %H:%M} to {missing[-1]:%Y-%m-%d %H:%M}"
        findings.insert(
            0, f"Roll-ups of {len(missing)} quarters of an hour, {span}, are missing: `tallygate money rebuild-rollups` makes them."
        )
    return findings or prove_days()


def _told(name: str, rolled: int, expected: int) -> str:
    if name == "cost_nano":
        return f"cost {money(rolled, 9)}, the ledger says {money(expected, 9)}"
    return f"{name} {rolled}, the records say {expected}"


def _differences() -> Iterator[Difference]:
    with connection.cursor() as cursor:
        cursor.execute(_statement())
        for quarter, rows, *figures in cursor.fetchall():
            starts_at = datetime.fromisoformat(quarter).replace(tzinfo=UTC) if isinstance(quarter, str) else quarter
            pairs = zip(map(int, figures[::2]), map(int, figures[1::2]), strict=True)
            yield Difference(starts_at, int(rows), tuple(pairs))


def _statement() -> str:
    sums = ", ".join(f"SUM({name}), SUM(told_{name})" for name in MEASURES)
    differ = " OR ".join(f"SUM({name}) <> SUM(told_{name})" for name in MEASURES)
    parts = " UNION ALL ".join(_parts())
    return f"SELECT quarter, SUM(is_rolled), {sums} FROM ({parts}) AS both_sides GROUP BY quarter HAVING {differ} ORDER BY quarter"  # noqa: S608


def _parts() -> Iterator[str]:
    """Roll-ups on one side; records and ledger entries on the other. What stands in for one budget's lost share is nobody's spend."""
    table = {model: connection.ops.quote_name(model._meta.db_table) for model in (RollUp, RequestRecord, LedgerEntry)}
    rolled = ", ".join(f"{name}, 0 AS told_{name}" for name in MEASURES)
    yield f"SELECT starts_at AS quarter, 1 AS is_rolled, {rolled} FROM {table[RollUp]}"  # noqa: S608
    quarter = QUARTER[connection.vendor]
    counted = " AND ".join(f"endpoint NOT LIKE '%{ending}'" for ending in TOKEN_COUNTS)
    recorded = ", ".join(f"0, {OF_RECORDS.get(name, '0')}" for name in MEASURES)
    yield f"SELECT {quarter.format('received_at')}, 0, {recorded} FROM {table[RequestRecord]} WHERE {counted}"  # noqa: S608
    posted = ", ".join(f"0, {'amount_nano' if name == 'cost_nano' else '0'}" for name in MEASURES)
    yield f"SELECT {quarter.format('at')}, 0, {posted} FROM {table[LedgerEntry]} WHERE budget_id IS NULL"  # noqa: S608
