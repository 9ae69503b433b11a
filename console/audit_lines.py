"""Audit events as people read them: who did what to which thing, and what it was and became, field by field. Never a secret."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.events import EVENTS
from audit.models import AuditEvent
from audit.trail import SECRET_FIELDS
from billing.money import money
from console.audit_objects import KINDS, links
from console.spreadsheets import Cell

SHOWN_IN_LIST, FEW = 2, 4
LONGEST = 2000
# Ids of keys, which names of other things may hold.
HASH = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")
MOMENT = re.compile(r"(?a:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+\d\d:\d\d)")
REASON = "reason"
MASK: dict[Any, Promise] = {"changed": _("changed"), "set": _("set")}
ACTORS: dict[str, Promise] = {
    "user": _("person"),
    "master-key": _("master key"),
    "command-line": _("command line"),
    "config-file": _("configuration file"),
    "system": _("Tallygate itself"),
}
HEADS = (
    "number", "at", "event", "actor_kind", "actor_id", "actor_name", "ip", "request_id", "object_type", "object_id", "object_name",
    "before", "after", "hash",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """A field's values as text, empty where there was or is none."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AuditLine:
    """`link` leads to the thing, if there is a page of it and it still exists."""

    event: AuditEvent
    what: str
    kind: Promise | str
    actor_kind: Promise | str
    link: str
    reason: str
    changes: list[Change]

    @property
    def who(self) -> str:
        return self.event.actor_name or self.event.actor_id or str(self.actor_kind)

    @property
    def name(self) -> str:
        """The thing's; of what has none, what kind of thing it is."""
        if self.event.object_type == "auditevent":
            return gettext("Event %(number)s") % {"number": self.event.object_id}
        return HASH.sub(r"\1…", self.event.object_name or self.event.object_id) or str(self.kind)

    @property
    def how(self) -> str:
        """What besides a person it was, unless the name says so."""
        return "" if self.event.actor_kind in {"user", "system"} or self.who == str(self.actor_kind) else str(self.actor_kind)

    @property
    def is_change(self) -> bool:
        return bool(self.event.before) and bool(self.event.after)

    @property
    def first(self) -> list[Change]:
        """What a list tells of it: of a change its first fields; what is new or gone has too many."""
        return self.changes[:SHOWN_IN_LIST] if self.is_change or len(self.changes) <= FEW else []

    @property
    def more(self) -> int:
        return len(self.changes) - len(self.first)


def audit_lines(events: Iterable[AuditEvent]) -> list[AuditLine]:
    listed = list(events)
    known = links(listed)
    return [_line(event, known.get((event.object_type, event.object_id), "")) for event in listed]


def _line(event: AuditEvent, link: str) -> AuditLine:
    kind = KINDS.get(event.object_type)
    return AuditLine(
        event=event,
        what=sentence(event),
        kind=kind.label if kind else event.object_type,
        actor_kind=ACTORS.get(event.actor_kind, event.actor_kind),
        link=link,
        reason=_reason(event),
        changes=changes(event),
    )


def sentence(event: AuditEvent) -> str:
    return gettext(EVENTS[event.event]) if event.event in EVENTS else event.event


def _reason(event: AuditEvent) -> str:
    return str(_side(event.after).get(REASON, ""))


def changes(event: AuditEvent) -> list[Change]:
    """In the order of the columns; what is empty on both sides is no news."""
    before, after = _side(event.before), _side(event.after)
    names = [name for name in dict.fromkeys([*before, *after]) if name != REASON]
    found = (Change(name.removesuffix("_nano"), _text(name, before.get(name)), _text(name, after.get(name))) for name in names)
    return [one for one in found if one.before or one.after]


def _side(values: Any) -> dict[str, Any]:
    return values if isinstance(values, dict) else {}


def _text(name: str, value: Any) -> str:
    if name in SECRET_FIELDS:
        return str(MASK.get(value, MASK["set"])) if value else ""
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if name.endswith("_nano") and isinstance(value, int):
        return money(value)
    return _written(value)[:LONGEST]


def _written(value: Any, *, is_inside: bool = False) -> str:
    """Lists and mappings as a person would write them, names instead of ids; what lies deeper than that as JSON."""
    if isinstance(value, dict | list) and is_inside:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        named = {name: inner for name, inner in value.items() if not (name.endswith("_id") and name.removesuffix("_id") in value)}
        return ", ".join(f"{name} {_written(inner, is_inside=True)}" for name, inner in named.items())
    if isinstance(value, list):
        return "; ".join(_written(item) for item in value) if any(isinstance(item, dict) for item in value) else ", ".join(map(str, value))
    return _moment(value) if isinstance(value, str) and MOMENT.fullmatch(value) else str(value)


def _moment(text: str) -> str:
    """A time of a column, as clocks show it in the page's time zone."""
    try:
        return f"{timezone.localtime(datetime.fromisoformat(text)):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):
        return text


def cells(event: AuditEvent) -> list[Cell]:
    """A row of the export, under HEADS."""
    sides = [json.dumps(_masked(side), ensure_ascii=False, sort_keys=True) for side in (event.before, event.after)]
    return [
        event.pk, event.at.isoformat(), event.event, event.actor_kind, event.actor_id, event.actor_name, event.ip, event.request_id,
        event.object_type, event.object_id, event.object_name, *sides, event.hash,
    ]  # fmt: skip


def _masked(values: Any) -> dict[str, Any]:
    """The trail keeps no secrets; should one ever get in, it does not get out."""
    return {name: value if name not in SECRET_FIELDS or value in MASK or not value else "set" for name, value in _side(values).items()}
