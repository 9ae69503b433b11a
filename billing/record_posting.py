"""Request records of a batch. What is there already is left as it is; the answer says which are new, for each counts once."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from django.db import connection

from audit.batch_sql import ROWS_PER_INSERT, insert_into, moments
from audit.models import RequestRecord
from audit.requests import RequestSummary
from billing.journal import Entry

RECORD_COLUMNS: tuple[str, ...] = RequestSummary.__struct_fields__

_encode = msgspec.json.Encoder().encode
_values = attrgetter(*RECORD_COLUMNS)
_at = RECORD_COLUMNS.index("received_at")
_json = tuple(RECORD_COLUMNS.index(name) for name in ("tags", "attempts", "price_lines", "tools"))


def post_records(entries: Sequence[Entry]) -> set[str]:
    """Writes the records that are not there yet, within the caller's transaction. Returns their ids."""
    moment = moments()
    new: set[str] = set()
    with connection.cursor() as cursor:
        for start in range(0, len(entries), ROWS_PER_INSERT):
            part = entries[start : start + ROWS_PER_INSERT]
            values: list[Any] = []
            for entry in part:
                values += _row(entry.summary, moment)
            cursor.execute(insert_into(RequestRecord, RECORD_COLUMNS, len(part)) + "ON CONFLICT DO NOTHING RETURNING id", values)
            new.update(request_id for (request_id,) in cursor.fetchall())
    return new


def _row(summary: RequestSummary, moment: Callable[[float], Any]) -> list[Any]:
    row = list(_values(summary))
    row[_at] = moment(row[_at])
    for column in _json:
        row[column] = _encode(row[column]).decode() if row[column] else "[]"
    return row
