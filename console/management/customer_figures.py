"""Sums by end user. Roll-ups do not know end users, so calls and tokens are the request records' and money is the ledger's."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from audit.models import RequestRecord
from audit.querysets import RequestQuerySet
from billing.models import LedgerEntry
from console.figures import Usage
from console.management.spend_figures import Group, Tally

# Answered as a roll-up's status class 2xx is: to its end.
ANSWERED = Q(outcome="ok", status__lt=400)
# In the order of Usage's fields after its cost.
USED = {
    "sum_calls": Count("pk"),
    "sum_unpriced": Count("pk", filter=Q(is_unpriced=True)),
    "sum_fresh": Sum("input_tokens"),
    "sum_cache_read": Sum("cache_read_tokens"),
    "sum_cache_write": Sum(F("cache_write_5m_tokens") + F("cache_write_1h_tokens")),
    "sum_output": Sum("output_tokens"),
    "sum_answered": Count("pk", filter=ANSWERED),
}


def customer_tallies(where: Q, by: Sequence[str], zone: tzinfo = UTC) -> list[Group]:
    """As `tallies` of the roll-ups, and with the same names; two queries."""
    cut = len(by)
    records = _timed(RequestQuerySet(RequestRecord).without_token_counts(), "received_at", zone).filter(where).values_list(*by)
    found = {row[:cut]: Tally(Usage(0, *map(int, row[cut:-1])), int(row[-1])) for row in records.annotate(**USED)}
    # what stands in for one budget's lost share is nobody's spend
    entries = _timed(LedgerEntry.objects.filter(budget_id=None), "at", zone).filter(where).values_list(*by)
    for row in entries.annotate(sum_nano=Sum("amount_nano")):
        found.setdefault(row[:cut], Tally()).usage.cost_nano += int(row[-1])
    return list(found.items())


def _timed(rows: QuerySet[Any], column: str, zone: tzinfo) -> QuerySet[Any]:
    timed: QuerySet[Any] = rows.order_by().annotate(starts_at=F(column), day=TruncDate(column, tzinfo=zone))
    return timed
