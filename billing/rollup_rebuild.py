"""Roll-ups made anew from request records and ledger: for a database older than they are, or after a finding of `tallygate money check`.

One transaction per quarter of an hour, so that calls go on being posted meanwhile; what comes out is what posting would have written.
Then the days of the gateway's time zone, out of the quarters.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models import Min

from audit.day_rebuild import rebuild_days
from audit.models import RequestRecord, RollUp, TagRollUp
from audit.rollup_rows import lock_rows, replace_rows
from audit.rollups import QUARTER_S, RollUps, quarter_of
from billing.models import LedgerEntry
from billing.rollup_posting import add_entries

QUARTER = timedelta(seconds=QUARTER_S)
ENTRIES_AT_ONCE = 500
# What roll-ups are made of, and they themselves: rows that stand for nothing have to go.
SOURCES = ((RequestRecord, "received_at"), (LedgerEntry, "at"), (RollUp, "starts_at"), (TagRollUp, "starts_at"))
COUNTED = (
    "endpoint", "organisation_id", "team_id", "cost_centre", "user_id", "key_id", "route", "provider", "client", "status", "outcome",
    "tags", "is_unpriced", "is_estimated", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "output_tokens", "thinking_tokens", "duration_ms", "first_byte_ms",
)  # fmt: skip


def rebuild(start: datetime | None = None, end: datetime | None = None, *, tell: Callable[[int], None] | None = None) -> int:
    """Every quarter that touches [start, end), all there are without bounds; tells each. Returns how many had anything in them."""
    done = 0
    after = start and datetime.fromtimestamp(quarter_of(start.timestamp()), UTC)
    while (quarter := _next(after)) is not None and (end is None or quarter < end):
        _rebuild(quarter)
        done += 1
        if tell:
            tell(1)
        after = quarter + QUARTER
    rebuild_days(settings.TIME_ZONE, start, end)
    return done


def _next(after: datetime | None) -> datetime | None:
    """The first quarter with anything in it."""
    found = []
    for model, column in SOURCES:
        rows = model._default_manager.order_by()
        first = (rows.filter(**{f"{column}__gte": after}) if after else rows).aggregate(first=Min(column))["first"]
        if first is not None:
            found.append(first)
    return datetime.fromtimestamp(quarter_of(min(found).timestamp()), UTC) if found else None


@transaction.atomic
def _rebuild(quarter: datetime) -> None:
    lock_rows()
    rollups, number = RollUps(), int(quarter.timestamp())
    records = RequestRecord.objects.filter(received_at__gte=quarter, received_at__lt=quarter + QUARTER).order_by("received_at", "id")
    for record in records.only(*COUNTED).iterator():
        rollups.add_call(record, number)
    entries = LedgerEntry.objects.filter(at__gte=quarter, at__lt=quarter + QUARTER).order_by("id").iterator()
    while part := list(islice(entries, ENTRIES_AT_ONCE)):
        add_entries(rollups, part)
    replace_rows(number, rollups)
