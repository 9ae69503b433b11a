"""Closing a month, and opening it again: what finance does at its end. Each verb is one transaction: change, audit, notify on commit."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.rows import ChangeRefused, add_row, remove_row
from audit.trail import Actor
from billing.backlog import backlog
from billing.frozen_text import COLUMNS, FROZEN, canonical, digest
from billing.models import Budget, FrozenLine, FrozenMonth, Instance
from billing.month_bills import LINE, SUMS, Bill, bills
from billing.months import Month
from billing.scopes import Scoped, names_of
from billing.shares import is_one_disk, lease

# Calls that began before a month's end come to theirs after it.
SETTLED_AFTER = timedelta(hours=1)
ROWS_AT_ONCE = 500
NAMED = {"team": Budget.Scope.TEAM, "user": Budget.Scope.USER, "key": Budget.Scope.KEY}


@transaction.atomic
def freeze_month(month: Month, *, actor: Actor, without_silent: bool = False) -> FrozenMonth:
    """Keeps the month's lines as they are now. `without_silent`: even if processes went silent in it, whose journals may hold calls."""
    now = timezone.now()
    if month.key in _locked(month.zone.key):
        raise ChangeRefused(_("%(month)s is frozen already.") % {"month": month.key})
    _check_ended(month, now)
    _check_posted(month)
    if not without_silent:
        _check_nobody_is_silent(month, now)
    [bill] = bills(month, month, LINE)
    lines = list(_lines(bill))
    row = FrozenMonth(
        month=month.key,
        time_zone=month.zone.key,
        starts_at=month.start,
        ends_at=month.end,
        frozen_by=actor.id,
        frozen_by_name=actor.name,
        frozen_at=now,
        **{name: sum(getattr(line, name) for line in lines) for name in SUMS},
    )
    row.sha256 = digest(canonical(row, ([getattr(line, name) for name in COLUMNS] for line in lines)))
    added = add_row(row, event=FROZEN, actor=actor)
    for line in lines:
        line.frozen = added
    FrozenLine.objects.bulk_create(lines, batch_size=ROWS_AT_ONCE)
    return added


@transaction.atomic
def unfreeze_month(frozen: FrozenMonth, *, actor: Actor) -> None:
    """Throws the snapshot away; the audit trail keeps its sums and its hash. The actor's reason is needed."""
    if not actor.reason.strip():
        raise ChangeRefused(_("Say why: the audit trail keeps it."), field="reason")
    _locked(frozen.time_zone)
    carriers = FrozenLine.objects.filter(frozen__time_zone=frozen.time_zone, adjusts=frozen.month)
    if later := carriers.order_by("-frozen__starts_at").values_list("frozen__month", flat=True).first():
        told = _("%(later)s is frozen and charges an adjustment of %(month)s. Unfreeze %(later)s first.")
        raise ChangeRefused(told % {"later": later, "month": frozen.month})
    remove_row(frozen, event="month.unfrozen", actor=actor)


def silent_in(month: Month, now: datetime) -> list[str]:
    """Processes that lived in the month, went silent and have not brought their journal since. One disk: what they had is posted."""
    lived = Instance.objects.filter(started_at__lt=month.end, beat_at__gte=month.start, beat_at__lt=now - lease())
    return list((lived.filter(lost_at=None) if is_one_disk() else lived).order_by("pk").values_list("pk", flat=True))


def closes_at(month: Month) -> datetime:
    """From when on it can be frozen."""
    return month.end + SETTLED_AFTER


def _check_ended(month: Month, now: datetime) -> None:
    if not month.has_ended(now):
        raise ChangeRefused(_("%(month)s has not ended yet in %(zone)s.") % {"month": month.key, "zone": month.zone.key})
    if now < closes_at(month):
        told = _("%(month)s has just ended: calls that began in it may still be under way. Freeze it in an hour.")
        raise ChangeRefused(told % {"month": month.key})


def _check_posted(month: Month) -> None:
    """The journals of this machine: those of others are not to be seen from here."""
    behind = backlog(settings.TALLYGATE_HOME / "journal")
    if behind.oldest is not None and behind.oldest < month.end:
        told = _("Calls of this month or before, %(count)d on this machine, wait to be written to the ledger. Try again soon.")
        raise ChangeRefused(told % {"count": behind.waiting})


def _check_nobody_is_silent(month: Month, now: datetime) -> None:
    if silent := silent_in(month, now):
        told = _(
            "Process %(name)s was heard of in this month and is silent now: its journal may hold calls that are not in the ledger yet. "
            "Start Tallygate where its journal lies, or freeze without it: what comes later is charged as an adjustment."
        )
        raise ChangeRefused(told % {"name": silent[0]})


def _locked(time_zone: str) -> set[str]:
    """The frozen months of the zone; until the transaction ends nobody else unfreezes one."""
    rows: QuerySet[FrozenMonth, str] = FrozenMonth.objects.select_for_update().filter(time_zone=time_zone).values_list("month", flat=True)
    return set(rows)


def _lines(bill: Bill) -> Iterator[FrozenLine]:
    groups = {"": bill.own} | bill.adjustments
    named = _named(line for lines in groups.values() for line in lines)
    for adjusts, lines in groups.items():
        for values, amounts in lines.items():
            whose = dict(zip(LINE, values, strict=True))
            called = {f"{one}_name": named.get((scope, whose[f"{one}_id"]), "")[:200] for one, scope in NAMED.items()}
            yield FrozenLine(adjusts=adjusts, **whose, **called, **{name: getattr(amounts, name) for name in SUMS})


def _named(lines: Iterable[tuple[str, ...]]) -> dict[Scoped, str]:
    """Some at a time: databases bound how many values a query may have."""
    ids = {name: LINE.index(f"{name}_id") for name in NAMED}
    wanted = sorted({(scope, line[ids[name]]) for line in lines for name, scope in NAMED.items()})
    found: dict[Scoped, str] = {}
    for start in range(0, len(wanted), ROWS_AT_ONCE):
        found |= names_of(wanted[start : start + ROWS_AT_ONCE])
    return found
