"""What people are to be told: written once, tried until it is sent or a day old, kept for as long as it might be noticed again."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from audit.models import Outbox

KEYS_PER_QUERY = 500
# How old a note is when it is tried; the last time is a day after the first. `Outbox.attempts` counts those that lie behind it.
TRIED_AT = [timedelta(minutes=age) for age in (0, 2, 5, 15, 30, 60, 120, 240, 360, 480, 720, 960, 1200, 1440)]
# Whoever takes a note has this long to deliver it before anybody else tries.
LEASE = timedelta(minutes=1)
# What nobody tried by then is no news any more.
STALE = TRIED_AT[-1] + timedelta(hours=1)
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Note:
    """`ends_at` in the payload (epoch seconds, null for never): until when it could be noticed again. Without it: not again."""

    once_key: str
    kind: str
    payload: dict[str, Any]


def unwritten(once_keys: Iterable[str]) -> set[str]:
    """Those of the keys under which nothing was written yet."""
    keys = sorted(once_keys)
    known: set[str] = set()
    for start in range(0, len(keys), KEYS_PER_QUERY):
        part = keys[start : start + KEYS_PER_QUERY]
        known.update(Outbox.objects.filter(once_key__in=part).values_list("once_key", flat=True))
    return set(keys) - known


def write_once(notes: Sequence[Note], now: datetime) -> None:
    """What is there already stays as it is: the database lets one of many processes write a key."""
    rows = [Outbox(once_key=note.once_key, kind=note.kind, payload=note.payload, created_at=now) for note in notes]
    Outbox.objects.bulk_create(rows, batch_size=KEYS_PER_QUERY, ignore_conflicts=True)


def take(now: datetime) -> Outbox | None:
    """The oldest note that is due, for the caller to deliver and then to mark; None when there is none.

    Nobody else gets it for a LEASE; if the caller vanishes it is due again at its next time.
    """
    due = Q()
    for behind, age in enumerate(TRIED_AT):
        due |= Q(attempts=behind, created_at__lte=now - age)
    for note in Outbox.objects.filter(due, sent_at=None, created_at__gt=now - STALE).order_by("id"):
        behind = bisect_left(TRIED_AT, now - note.created_at + LEASE)
        if Outbox.objects.filter(pk=note.pk, attempts=note.attempts, sent_at=None).update(attempts=behind):
            note.attempts = behind
            return note
    return None


def mark_sent(note: Outbox, now: datetime) -> None:
    Outbox.objects.filter(pk=note.pk).update(sent_at=now, last_error="")


def mark_failed(note: Outbox, reason: str) -> None:
    """It is due again at its next time, if there is one. The reason is shown to administrators: no secrets."""
    Outbox.objects.filter(pk=note.pk, sent_at=None).update(last_error=reason.replace("\0", "")[:500])


def state(note: Outbox, now: datetime) -> str:
    """`sent`, `waiting` for its first time, `trying` again, or `given up`."""
    if note.sent_at:
        return "sent"
    if note.attempts >= len(TRIED_AT) or note.created_at <= now - STALE:
        return "given up"
    return "trying" if note.attempts else "waiting"


def sweep(now: datetime) -> int:
    """Deletes old notes, but none whose row still keeps the same from being told again. Returns how many."""
    # PostgreSQL sorts a JSON null below every number: what never ends must not pass for what ended.
    is_over = Q(payload__ends_at__isnull=True) | Q(payload__ends_at__gt=0, payload__ends_at__lt=(now - KEPT).timestamp())
    return Outbox.objects.filter(is_over, created_at__lt=now - KEPT).delete()[0]
