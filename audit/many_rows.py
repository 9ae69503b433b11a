"""Adding many rows at once with an audit event for each, as when another system's people and keys move in; and what became of such rows."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.db import models, transaction

from audit.models import AuditEvent
from audit.notice import notify
from audit.trail import Actor, describe, digest, drafted, last_hash, plain

ROWS_AT_ONCE = 500


@transaction.atomic
def add_rows(rows: Sequence[models.Model], *, event: str, actor: Actor) -> None:
    """Like `add_row` for rows of one model that the caller has checked: some statements for hundreds of rows instead of ten for each."""
    if not rows:
        return
    type(rows[0])._default_manager.bulk_create(rows, batch_size=ROWS_AT_ONCE)
    AuditEvent.objects.bulk_create(_chained(rows, event, actor), batch_size=ROWS_AT_ONCE)
    transaction.on_commit(notify)


def _chained(rows: Sequence[models.Model], event: str, actor: Actor) -> list[AuditEvent]:
    last, found = last_hash(), []
    for row in rows:
        one = drafted(event, row, actor)
        one.after = plain(describe(row) | one.after)
        one.previous_hash = last
        one.hash = last = digest(one)
        found.append(one)
    return found


def touched_by_others(model: type[models.Model], ids: Collection[object], actor: Actor) -> set[str]:
    """Which of these rows anybody but `actor` ever made or changed."""
    found: set[str] = set()
    for part in parts([str(one) for one in ids]):
        events = AuditEvent.objects.filter(object_type=model._meta.model_name, object_id__in=part)
        others = events.exclude(actor_kind=actor.kind, actor_name=actor.name)
        found.update(others.order_by().values_list("object_id", flat=True).distinct())
    return found


def removed(event: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(id, what it was) of every row that was ever removed with this event."""
    return AuditEvent.objects.filter(event=event).order_by().values_list("object_id", "before").iterator()


def parts(items: Sequence[Any], size: int = ROWS_AT_ONCE) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
