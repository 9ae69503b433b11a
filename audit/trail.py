"""record_change(): the one way to write an AuditEvent, inside the transaction of the change it tells of.

The newest event's id is also the configuration version that the data plane watches.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from audit.events import EVENTS
from audit.models import AuditEvent
from audit.notice import notify

SECRET_FIELDS = frozenset({"password", "secret", "token_hash", "previous_hash", "value", "required_header_hash"})
CHAIN_LOCK = 7_115_001


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something: kind is user, master-key, command-line, config-file or system. `reason` is why, in their own words."""

    kind: str
    id: str = ""
    name: str = ""
    ip: str = ""
    request_id: str = ""
    reason: str = ""


SYSTEM = Actor("system", name="Tallygate")
COMMAND_LINE = Actor("command-line", name="command line")


def describe(row: models.Model) -> dict[str, Any]:
    """A row as plain JSON values, with secrets replaced by whether they are set."""
    values: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        value = field.value_from_object(row)
        if field.name in SECRET_FIELDS:
            value = "set" if value else ""
        elif isinstance(value, datetime):
            value = value.isoformat()
        values[field.attname] = value
    return values


def digest(event: AuditEvent) -> str:
    """The event's hash: SHA-256 over its fields and the hash of the event before it."""
    content = [
        event.at.isoformat(), event.event, event.actor_kind, event.actor_id, event.actor_name, event.object_type, event.object_id,
        event.object_name, event.before, event.after, event.ip, event.request_id, event.previous_hash,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def last_hash() -> str:
    """That of the newest event; until the transaction ends nobody else adds one."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
    return AuditEvent.objects.order_by("-id").values_list("hash", flat=True).first() or ""


def drafted(event: str, row: models.Model, actor: Actor) -> AuditEvent:
    """An event about a row, not yet in the chain; `after` has the actor's reason, if there is one."""
    if event not in EVENTS:
        raise ValueError(f"{event} is not an audit event")
    return AuditEvent(
        at=timezone.now(),
        event=event,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        object_type=row._meta.model_name or "",
        object_id=str(row.pk),
        object_name=str(row)[:200],
        after={"reason": actor.reason} if actor.reason else {},
        ip=actor.ip,
        request_id=actor.request_id,
    )


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """As the database gives it back."""
    read: dict[str, Any] = json.loads(json.dumps(values, default=str))
    return read


def record_change(
    event: str, row: models.Model, *, actor: Actor, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None
) -> AuditEvent:
    """Appends one event to the chain. Must run inside `transaction.atomic()`; `before` and `after` default to nothing and the row."""
    if not connection.in_atomic_block:
        raise RuntimeError("record_change needs the transaction of its change")
    previous = last_hash()
    was = before or {}
    now = describe(row) if after is None else after
    changed = sorted(name for name in {*was, *now} if was.get(name) != now.get(name)) if was and now else None
    entry = drafted(event, row, actor)
    entry.before = plain(was if changed is None else {name: was.get(name) for name in changed})
    entry.after = plain((now if changed is None else {name: now.get(name) for name in changed}) | entry.after)
    entry.previous_hash = previous
    entry.hash = digest(entry)
    entry.save(force_insert=True)
    transaction.on_commit(notify)
    return entry


def version() -> int:
    """The configuration version: the id of the newest audit event."""
    return AuditEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0


def first_broken(events: Iterable[AuditEvent] | None = None, previous: str = "") -> AuditEvent | None:
    """The first event whose hash or link to its predecessor does not hold, or None; of all, or of `events` that follow `previous`."""
    for event in AuditEvent.objects.order_by("id").iterator() if events is None else events:
        if event.previous_hash != previous or event.hash != digest(event):
            return event
        previous = event.hash
    return None
