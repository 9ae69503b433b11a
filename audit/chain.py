"""Checks of the audit trail's chain. Each check is an event of the trail itself, with who made it and what came out.

A check goes on where the last one ended, and its event keeps the hash it ended with, so that what was proven is not read again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from django.db import transaction

from audit.models import AuditEvent
from audit.trail import Actor, first_broken, record_change

AT_ONCE = 2000
# What a page can wait for: about a second. The task of the night has no such end.
BATCHES_OF_A_PAGE = 10
COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Check:
    """`event` tells who and when. Events were read up to `up_to`; `broken` did not hold. How many are `newer` is counted up to COUNTED."""

    event: AuditEvent
    up_to: int
    broken: int | None
    newer: int

    @property
    def is_whole(self) -> bool:
        return self.broken is None

    @property
    def has_many_newer(self) -> bool:
        return self.newer > COUNTED


@dataclass(frozen=True, slots=True)
class Held:
    """Up to this event the chain holds; `broken` is the one after it, if that does not."""

    id: int = 0
    hash: str = ""
    broken: int | None = None


def _untold(count: int) -> None:
    """Nobody watches."""


def walk(held: Held, batches: int | None = None, tell: Callable[[int], None] = _untold) -> Held:
    """What holds from there on. Queries are many and short: a long one would keep old rows alive."""
    while batches is None or batches > 0:
        events = list(AuditEvent.objects.filter(pk__gt=held.id).order_by("pk")[:AT_ONCE])
        broken = first_broken(events, held.hash)
        good = [event for event in events if broken is None or event.pk < broken.pk]
        held = Held(good[-1].pk, good[-1].hash) if good else held
        if broken is not None:
            return replace(held, broken=broken.pk)
        tell(len(events))
        if len(events) < AT_ONCE:
            break
        batches = None if batches is None else batches - 1
    return held


def check_chain(actor: Actor, batches: int | None = None) -> Check | None:
    """Reads on where the last check ended. None while nothing happened yet."""
    return _checked(actor, _held_last(), batches)


def check_whole_chain(actor: Actor, tell: Callable[[int], None]) -> Check | None:
    """From the first event, whatever was proven before; `tell` hears how many more are read."""
    return _checked(actor, Held(), None, tell)


def _checked(actor: Actor, start: Held, batches: int | None, tell: Callable[[int], None] = _untold) -> Check | None:
    """Outside any transaction: one of that length would keep everybody from writing."""
    found = walk(start, batches, tell)
    read = AuditEvent.objects.filter(pk=found.broken or found.id).first()
    if read is None:
        return None
    told = {"whole": found.broken is None, "broken": found.broken, "after": start.id, "held": found.id, "hash": found.hash}
    with transaction.atomic():
        record_change("audit.checked", read, actor=actor, after=told)
    return last_check()


def last_check() -> Check | None:
    event = _last_event()
    if event is None:
        return None
    up_to = int(event.object_id)
    newer = AuditEvent.objects.filter(pk__gt=up_to).exclude(pk=event.pk)[: COUNTED + 1].count()
    return Check(event, up_to, event.after.get("broken"), newer)


def _last_event() -> AuditEvent | None:
    told_of = AuditEvent.objects.filter(object_type=AuditEvent._meta.model_name)  # few, and found by an index
    return told_of.filter(event="audit.checked").order_by("-id").first()


def _held_last() -> Held:
    """Where the next check goes on; a chain that broke is read again from there."""
    event = _last_event()
    return Held(event.after.get("held", 0), event.after.get("hash", "")) if event else Held()
