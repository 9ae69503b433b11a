"""What past calls cost by today's prices of their time, posted as adjustments: for a price that was wrong or missing.

The usage is that of the call's record: its price lines where it has some, for they tell parts of other models, else its token counts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from audit.models import RequestRecord
from billing.models import LedgerEntry
from billing.pricing import Cost, cost
from billing.snapshot import PriceBook
from billing.usage import Usage
from billing.window_posting import adjust

ENTRIES_AT_ONCE = 500
NOTE = "repriced"
KINDS = {
    "input": "input_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "output": "output_tokens",
}
ORDER = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(slots=True)
class Difference:
    """Of all calls of one model whose cost is another now."""

    calls: int = 0
    was_nano: int = 0
    now_nano: int = 0


@dataclass(slots=True)
class Outcome:
    """`unclear` calls have no record, several attempts or corrections by others; `unpriced` ones have no price today either."""

    calls: int = 0
    unclear: int = 0
    unpriced: int = 0
    by_model: dict[tuple[str, str], Difference] = field(default_factory=dict)


def reprice(book: PriceBook, start: datetime, end: datetime, *, is_dry: bool, tell: Callable[[int], None] | None = None) -> Outcome:
    """Goes over the calls of [start, end), some hundred in one transaction, and tells how many. Done again it finds nothing to do."""
    outcome, after, told = Outcome(), 0, 0
    while (last := _reprice_some(book, _span(start, end) & Q(pk__gt=after), outcome, is_dry=is_dry)) is not None:
        after = last
        if tell:
            tell(outcome.calls - told)
        told = outcome.calls
    return outcome


def how_many(start: datetime, end: datetime) -> int:
    """Calls that `reprice` would go over."""
    return _calls().filter(_span(start, end)).count()


def _span(start: datetime, end: datetime) -> Q:
    return Q(at__gte=start, at__lt=end)


def _calls() -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(budget_id=None).exclude(kind=LedgerEntry.Kind.ADJUST)


@transaction.atomic
def _reprice_some(book: PriceBook, which: Q, outcome: Outcome, *, is_dry: bool) -> int | None:
    """The next entries; returns the id of the last. Locked, so that two of us do not correct the same call."""
    calls = _calls().filter(which)
    entries = list((calls if is_dry else calls.select_for_update()).order_by("pk")[:ENTRIES_AT_ONCE])
    adjustments = [one for entry, price, paid in _clear(entries, book, outcome) if (one := _difference(entry, price, paid, outcome))]
    if adjustments and not is_dry:
        adjust(adjustments)
    return entries[-1].pk if entries else None


def _clear(entries: Sequence[LedgerEntry], book: PriceBook, outcome: Outcome) -> Iterator[tuple[LedgerEntry, Cost, int]]:
    """Entries with their cost of today and what was paid so far, where both are certain."""
    request_ids = {entry.request_id for entry in entries}
    records = RequestRecord.objects.in_bulk(request_ids)
    posted: dict[str, list[LedgerEntry]] = {}
    for one in LedgerEntry.objects.filter(request_id__in=request_ids, budget_id=None).order_by("pk"):
        posted.setdefault(one.request_id, []).append(one)
    for entry in entries:
        outcome.calls += 1
        record, all_of_it = records.get(entry.request_id), posted[entry.request_id]
        usage = usage_of(record, entry.price_version) if record and _is_simple(entry, all_of_it) else None
        if usage is None:
            outcome.unclear += 1
            continue
        price = cost(book, entry.provider, entry.model, usage, entry.at.timestamp())
        if price.unpriced:
            outcome.unpriced += 1
        else:
            yield entry, price, sum(one.amount_nano for one in all_of_it)


def _is_simple(entry: LedgerEntry, posted: Sequence[LedgerEntry]) -> bool:
    """One attempt, corrected by nobody but us: then the record's usage is this entry's."""
    return all(one.pk == entry.pk or (one.attempt_id == entry.attempt_id and one.note.startswith(NOTE)) for one in posted)


def _difference(entry: LedgerEntry, price: Cost, paid: int, outcome: Outcome) -> LedgerEntry | None:
    if price.amount_nano == paid:
        return None
    told = outcome.by_model.setdefault((entry.provider, entry.model), Difference())
    told.calls += 1
    told.was_nano += paid
    told.now_nano += price.amount_nano
    return LedgerEntry(
        attempt_id=entry.attempt_id,
        kind=LedgerEntry.Kind.ADJUST,
        request_id=entry.request_id,
        at=entry.at,
        amount_nano=price.amount_nano - paid,
        is_estimated=entry.is_estimated,
        organisation_id=entry.organisation_id,
        team_id=entry.team_id,
        user_id=entry.user_id,
        key_id=entry.key_id,
        cost_centre=entry.cost_centre,
        route=entry.route,
        provider=entry.provider,
        model=entry.model,
        price_version=price.price_version,
        tags=entry.tags,
        end_user=entry.end_user,
        note=f"{NOTE}: {entry.price_version or 'no price'} became {price.price_version}",
    )


def usage_of(record: RequestRecord, version: str) -> Usage | None:
    """The usage that a record tells; `version` says what was special about the call. None where its lines are not all of it."""
    words = set(version.split("+")[1:])
    speed = next(iter(words & {"fast", "unknown"}), "")
    tier = next(iter(words & {"batch", "flex", "priority"}), "")
    geo = next(iter(words & {"us", "regional"}), "")
    lines = [line for line in record.price_lines if line["kind"] in KINDS]
    counts = {name: getattr(record, name) for name in KINDS.values()}
    parts = tuple(_parts(lines))
    if parts and any(sum(getattr(part, name) for part in parts) < count for name, count in counts.items()):
        return None
    return Usage(**counts, web_search_requests=record.web_searches, service_tier=tier, speed=speed, inference_geo=geo, iterations=parts)


def _parts(lines: Sequence[dict[str, Any]]) -> Iterator[Usage]:
    """Lines of one part follow each other in the order of kinds and name one model."""
    starts = [number for number, pair in enumerate(pairwise(lines), 1) if _is_new(*pair)]
    for start, end in pairwise([0, *starts, len(lines)] if lines else []):
        part = {KINDS[line["kind"]]: line["count"] for line in lines[start:end]}
        yield Usage(**part, model=lines[start]["model"])


def _is_new(line: dict[str, Any], following: dict[str, Any]) -> bool:
    return bool(line["model"] != following["model"] or ORDER[line["kind"]] >= ORDER[following["kind"]])
