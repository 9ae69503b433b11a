"""Request records of a batch. What is there already is left as it is; the answer says which are new, for each counts once."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from audit.batch_sql import insert_new, moments
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
    return insert_new(RequestRecord, RECORD_COLUMNS, [_row(entry.summary, moment) for entry in entries], "id")


def _row(summary: RequestSummary, moment: Callable[[float], Any]) -> list[Any]:
    row = list(_values(summary))
    row[_at] = moment(row[_at])
    for column in _json:
        row[column] = _encode(row[column]).decode() if row[column] else "[]"
    return row
