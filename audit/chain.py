"""Checks of the audit trail's chain. Each check is an event of the trail itself, with who made it and what came out."""

from dataclasses import dataclass

from django.db import transaction

from audit.models import AuditEvent
from audit.trail import Actor, first_broken, record_change


@dataclass(frozen=True, slots=True)
class Check:
    """`event` tells who and when. `up_to` was the newest event then, `broken` the first that did not hold; `newer` came since."""

    event: AuditEvent
    up_to: int
    broken: int | None
    newer: int

    @property
    def is_whole(self) -> bool:
        return self.broken is None


def check_chain(actor: Actor) -> Check | None:
    """Reads the whole trail, outside any transaction: a long one would keep everybody from writing. None while nothing happened yet."""
    newest = AuditEvent.objects.order_by("-id").first()
    if newest is None:
        return None
    broken = first_broken()
    found = {"whole": broken is None, "broken": broken.pk if broken else None}
    with transaction.atomic():
        record_change("audit.checked", newest, actor=actor, after=found)
    return last_check()


def last_check() -> Check | None:
    told_of = AuditEvent.objects.filter(object_type=AuditEvent._meta.model_name)  # few, and found by an index
    event = told_of.filter(event="audit.checked").order_by("-id").first()
    if event is None:
        return None
    up_to = int(event.object_id)
    return Check(event, up_to, event.after.get("broken"), AuditEvent.objects.filter(pk__gt=event.pk).count())
