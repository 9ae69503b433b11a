"""Writes journal entries to the database: one transaction a batch, plain SQL, no model instances (five times faster)."""

import math
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec
from django.db import connection, models, transaction

from audit.models import RequestRecord
from audit.requests import RequestSummary
from billing.budget_book import WindowKey
from billing.journal import Entry
from billing.models import Budget, LedgerEntry, Window

ROWS_PER_INSERT = 100
RECORD_COLUMNS: tuple[str, ...] = RequestSummary.__struct_fields__
LEDGER_COLUMNS = (
    "attempt_id", "kind", "request_id", "at", "amount_nano", "is_unpriced", "is_estimated", "organisation_id", "team_id", "user_id",
    "key_id", "cost_centre", "route", "provider", "model", "price_version", "tags", "end_user", "note",
)  # fmt: skip
WINDOW_COLUMNS = ("budget", "starts_at", "posted_nano", "allotted_nano")

_encode = msgspec.json.Encoder().encode
_record_values = attrgetter(*RECORD_COLUMNS)
_at = RECORD_COLUMNS.index("received_at")
_json = tuple(RECORD_COLUMNS.index(name) for name in ("tags", "attempts", "price_lines", "tools"))

Row = Sequence[Any]


def post(entries: Sequence[Entry], kind: str) -> None:
    """Records, ledger entries and window totals of a batch, or none of them. What is there already is left as it is."""
    if not entries:
        return
    moment = _moment()
    records = [_record_row(entry.summary, moment) for entry in entries]
    ledger = _ledger_rows(entries, kind, moment)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.executemany(_insert(RequestRecord, RECORD_COLUMNS, 1) + "ON CONFLICT DO NOTHING", records)
        _add_to_windows(_totals(entries, _insert_ledger(ledger)))


def settled(request_ids: Sequence[str]) -> set[str]:
    """Which of these calls are posted: a call's record is written together with all its ledger entries."""
    found: set[str] = set()
    for start in range(0, len(request_ids), ROWS_PER_INSERT):
        found.update(RequestRecord.objects.filter(pk__in=request_ids[start : start + ROWS_PER_INSERT]).values_list("pk", flat=True))
    return found


def tidied(entry: Entry) -> Entry:
    """A copy that every database takes: texts cut to their columns, without NUL. Ids are left alone."""
    copy = msgspec.convert(_without_nul(msgspec.to_builtins(entry)), Entry)
    _cut(copy.summary, RequestRecord, RECORD_COLUMNS)
    for posting in copy.postings:
        _cut(posting, LedgerEntry, ("provider", "model", "price_version"))
    return copy


def _cut(values: msgspec.Struct, model: type[models.Model], names: Sequence[str]) -> None:
    for name in names:
        column = model._meta.get_field(name)
        if isinstance(column, models.CharField) and not column.primary_key:
            setattr(values, name, getattr(values, name)[: column.max_length])


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {name: _without_nul(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nul(one) for one in value]
    return value


def _moment() -> Callable[[float], Any]:
    """From epoch seconds to what Django stores in this database: on SQLite a text without a zone. Remembers, for a batch repeats them."""
    if connection.vendor == "sqlite":
        second = cache(lambda whole_s: str(_time(whole_s))[:-6])
        return cache(lambda epoch_s: _text(epoch_s, second))
    adapt = connection.ops.adapt_datetimefield_value
    return cache(lambda epoch_s: adapt(_time(epoch_s)))


def _text(epoch_s: float, second: Callable[[int], str]) -> str:
    """As Python writes a time: `2026-11-21 09:00:00.123456`, without a fraction where there is none."""
    fraction, whole = math.modf(epoch_s)
    carry, micro_s = divmod(round(fraction * 1_000_000), 1_000_000)
    return f"{second(int(whole) + carry)}.{micro_s:06d}" if micro_s else second(int(whole) + carry)


def _time(epoch_s: float) -> datetime:
    try:
        return datetime.fromtimestamp(epoch_s, UTC)
    except OSError as error:  # raised far out of range, where it would pass for a broken disk and be tried for ever
        raise OverflowError(f"{epoch_s} is no time") from error


@cache
def _insert(model: type[models.Model], names: tuple[str, ...], rows: int) -> str:
    """`INSERT INTO table (columns) VALUES (...), ...` and a space."""
    quote = connection.ops.quote_name
    column_of = {field.name: field.column or field.name for field in model._meta.concrete_fields}
    columns = ", ".join(quote(column_of[name]) for name in names)
    mark = "?" if connection.vendor == "sqlite" else "%s"  # Django would look through each statement for %s
    row = f"({', '.join([mark] * len(names))})"
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES {', '.join([row] * rows)} "  # noqa: S608 - names of our models


def _record_row(summary: RequestSummary, moment: Callable[[float], Any]) -> Row:
    row = list(_record_values(summary))
    row[_at] = moment(row[_at])
    for column in _json:
        row[column] = _encode(row[column]).decode() if row[column] else "[]"
    return row


def _ledger_rows(entries: Sequence[Entry], kind: str, moment: Callable[[float], Any]) -> list[Row]:
    return [
        (
            one.attempt_id, kind, call.id, moment(one.at), one.amount_nano, one.is_unpriced, one.is_estimated, call.organisation_id,
            call.team_id, call.user_id, call.key_id, call.cost_centre, call.route, one.provider, one.model, one.price_version,
            _encode(call.tags).decode() if call.tags else "[]", call.end_user, "",
        )
        for entry in entries
        for call in (entry.summary,)
        for one in entry.postings
    ]  # fmt: skip


def _insert_ledger(rows: Sequence[Row]) -> set[str]:
    """The attempt ids whose entry is new."""
    new: set[str] = set()
    with connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS_PER_INSERT):
            part = rows[start : start + ROWS_PER_INSERT]
            sql = _insert(LedgerEntry, LEDGER_COLUMNS, len(part)) + "ON CONFLICT DO NOTHING RETURNING attempt_id"
            cursor.execute(sql, [value for row in part for value in row])
            new.update(attempt_id for (attempt_id,) in cursor.fetchall())
    return new


def _totals(entries: Sequence[Entry], new: Collection[str]) -> dict[WindowKey, int]:
    """What each window gains by the entries that are new; nothing twice, should a batch name an attempt twice."""
    totals: dict[WindowKey, int] = {}
    uncounted = set(new)
    for entry in entries:
        amount = 0
        for one in entry.postings:
            if one.attempt_id in uncounted:
                uncounted.discard(one.attempt_id)
                amount += one.amount_nano
        if amount:
            for budget_id, start in entry.windows:
                totals[budget_id, start] = totals.get((budget_id, start), 0) + amount
    return totals


def _add_to_windows(totals: dict[WindowKey, int]) -> None:
    """A budget that was removed meanwhile has no windows. Sorted, so that two drainers lock in one order."""
    if not totals:
        return
    moment = _moment()
    existing = set(Budget.objects.filter(pk__in={budget_id for budget_id, _ in totals}).values_list("pk", flat=True))
    table = connection.ops.quote_name(Window._meta.db_table)
    adding = f"ON CONFLICT (budget_id, starts_at) DO UPDATE SET posted_nano = {table}.posted_nano + excluded.posted_nano"
    rows = [(budget_id, moment(start), amount, 0) for (budget_id, start), amount in sorted(totals.items()) if budget_id in existing]
    with connection.cursor() as cursor:
        cursor.executemany(_insert(Window, WINDOW_COLUMNS, 1) + adding, rows)
