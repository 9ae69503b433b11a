"""Roll-ups of a batch: new records bring calls and tokens, new ledger entries bring money, each once. Part of the batch's transaction."""

from collections.abc import Collection, Sequence

from audit.models import RequestRecord
from audit.rollup_rows import add_rows
from audit.rollups import NOT_SEEN, RollUps, Seen, quarter_of, seen
from billing.journal import Closing
from billing.models import LedgerEntry

IDS_PER_QUERY = 500


def add_new(rollups: RollUps, calls: Sequence[Closing], new_calls: Collection[str], new_attempts: Collection[str]) -> None:
    """Counts what is new of a batch; nothing twice, should it name a call or an attempt twice."""
    uncounted, attempts = set(new_calls), set(new_attempts)
    known = _seen({each.summary.id for each in calls} - uncounted)
    for each in calls:
        call = each.summary
        quarter = quarter_of(call.received_at)
        if call.id in uncounted:
            uncounted.discard(call.id)
            known[call.id] = seen(call)
            rollups.add_call(call, quarter)
        for one in each.postings:
            if one.attempt_id in attempts:
                attempts.discard(one.attempt_id)
                rollups.add_money(call, quarter_of(one.at), known.get(call.id, NOT_SEEN), one.amount_nano, one.provider)


def post_adjustments(entries: Sequence[LedgerEntry]) -> None:
    """Money of entries that were written without a journal. What stands in for one budget's lost share is nobody's spend."""
    rollups = RollUps()
    add_entries(rollups, entries)
    add_rows(rollups)


def add_entries(rollups: RollUps, entries: Sequence[LedgerEntry]) -> None:
    known = _seen({entry.request_id for entry in entries})
    for entry in entries:
        if entry.budget_id is None:
            how = known.get(entry.request_id, NOT_SEEN)
            rollups.add_money(entry, quarter_of(entry.at.timestamp()), how, entry.amount_nano, entry.provider)


def _seen(request_ids: Collection[str]) -> dict[str, Seen]:
    """How calls went that are on record."""
    ids = list(request_ids)
    found: dict[str, Seen] = {}
    for start in range(0, len(ids), IDS_PER_QUERY):
        records = RequestRecord.objects.filter(pk__in=ids[start : start + IDS_PER_QUERY])
        found.update({call.pk: seen(call) for call in records.only("client", "status", "outcome")})
    return found
