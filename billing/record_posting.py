"""Request records of a batch. What is there already is left as it is; the answer says which are new, for each counts once."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from audit.batch_sql import insert_new
from audit.models import RequestRecord
from audit.requests import UNREAD, ReadSummary, RequestSummary

RECORD_COLUMNS: tuple[str, ...] = RequestSummary.__struct_fields__

_encode = msgspec.json.Encoder().encode
_at = RECORD_COLUMNS.index("received_at")
_tags = RECORD_COLUMNS.index("tags")
_unread = tuple(map(RECORD_COLUMNS.index, UNREAD))
# SQLite's driver takes four times as long for a bool as for an int; PostgreSQL's COPY reads both.
_bools = tuple(RECORD_COLUMNS.index(one.name) for one in msgspec.structs.fields(RequestSummary) if one.type is bool)


def post_records(calls: Sequence[ReadSummary], moment: Callable[[float], Any]) -> set[str]:
    """Writes the records that are not there yet, within the caller's transaction. Returns their ids."""
    return insert_new(RequestRecord, RECORD_COLUMNS, [_row(call, moment) for call in calls], "id")


def _row(call: ReadSummary, moment: Callable[[float], Any]) -> list[Any]:
    row = list(msgspec.structs.astuple(call))
    row[_at] = moment(row[_at])
    row[_tags] = json_of(call.tags)
    for column in _unread:
        row[column] = str(row[column], "utf-8")
    for column in _bools:
        row[column] = +row[column]
    return row


def json_of(tags: Sequence[str]) -> str:
    return _encode(tags).decode() if tags else "[]"
