"""Writes journal entries to the database: records, ledger entries, window totals and roll-ups of a batch in one transaction."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from django.db import models, transaction

from audit.batch_sql import ROWS_PER_INSERT, insert_new, moments, rows_at_once
from audit.models import RequestRecord
from audit.rollup_rows import add_rows
from audit.rollups import RollUps
from billing.bank import Moved
from billing.journal import Closing, Entry
from billing.models import LedgerEntry
from billing.record_posting import RECORD_COLUMNS, json_of, post_records
from billing.rollup_posting import add_new
from billing.window_posting import Gains, post_windows

LEDGER_COLUMNS = (
    "attempt_id", "kind", "request_id", "at", "amount_nano", "is_unpriced", "is_estimated", "organisation_id", "team_id", "user_id",
    "key_id", "cost_centre", "route", "provider", "model", "price_version", "tags", "end_user", "note",
)  # fmt: skip

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Closing).decode

Row = Sequence[Any]
Tell = Callable[[list[Moved]], None]


def tell_nobody(_: list[Moved]) -> None:
    """For calls of a process that is gone: its purses are gone too."""


def post(entries: Sequence[Entry], kind: str, instance_id: str = "", tell: Tell = tell_nobody) -> None:
    """Posts a batch of entries, as `post_closings` says."""
    post_closings([_encode(entry) for entry in entries], kind, instance_id, tell)


def post_closings(closings: Sequence[bytes], kind: str, instance_id: str = "", tell: Tell = tell_nobody) -> None:
    """Records, ledger entries, roll-ups and window totals of a batch, or none of them. What is there already is left as it is.

    `closings` are entries as the journal has them. `instance_id` names the process whose calls they were: its shares pay. `tell` hears
    what moved before it is committed, so that whoever reads the new totals comes later; and hears the contrary should it not be.
    """
    if not closings:
        return
    moves: list[Moved] = []
    is_posted = False
    try:
        with transaction.atomic():
            moves = _post(closings, kind, instance_id)
            tell(moves)
        is_posted = True
    finally:
        if moves and not is_posted:
            tell([Moved(move.key, -move.amount, -move.taken) for move in moves])


def _post(closings: Sequence[bytes], kind: str, instance_id: str) -> list[Moved]:
    """Some calls at a time from their text to their rows: what is made of a thousand at once is in no processor's cache any more."""
    moment, size = moments(), rows_at_once()
    rollups, gains = RollUps(), Gains()
    for start in range(0, len(closings), size):
        calls = [_decode(one) for one in closings[start : start + size]]
        new_calls = post_records([call.summary for call in calls], moment)
        new_attempts = insert_new(LedgerEntry, LEDGER_COLUMNS, _ledger_rows(calls, kind, moment), "attempt_id")
        add_new(rollups, calls, new_calls, new_attempts)
        gains.add(calls, new_attempts)
    add_rows(rollups)
    return post_windows(gains, instance_id)


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


def _ledger_rows(calls: Sequence[Closing], kind: str, moment: Callable[[float], Any]) -> list[Row]:
    return [
        (
            one.attempt_id, kind, call.id, moment(one.at), one.amount_nano, +one.is_unpriced, +one.is_estimated, call.organisation_id,
            call.team_id, call.user_id, call.key_id, call.cost_centre, call.route, one.provider, one.model, one.price_version,
            json_of(call.tags), call.end_user, "",
        )
        for closing in calls
        for call in (closing.summary,)
        for one in closing.postings
    ]  # fmt: skip
