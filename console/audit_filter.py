"""What the Audit page was asked for: the query string as data, as a query and as removable chips."""

from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.events import EVENTS
from audit.models import AuditEvent
from console.audit_objects import KINDS
from console.filters import Chip
from console.period import between, is_period, period

PAGE = 50
EVERYTHING = "all"
USUAL = "30d"
MOST = 2**63 - 1
# The text fields of the form; also the columns in which `q` looks.
TEXTS: dict[str, Promise] = {"actor": _("Who"), "id": _("Object id")}
SEARCHED = ("actor_name", "object_name", "object_id", "ip", "request_id")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """`before` is the last event of the page before: the next page begins behind it."""

    period: str = USUAL
    action: str = ""
    kind: str = ""
    actor: str = ""
    object_id: str = ""
    search: str = ""
    before: int | None = None

    @classmethod
    def read(cls, query: QueryDict) -> "AuditFilter":
        """A value that means nothing is as if it were not there."""
        given = {name: query.get(name, "").replace("\x00", "").strip() for name in query}
        asked = between(given.get("from", ""), given.get("to", "")) or given.get("period", "")
        before = given.get("before", "")
        return cls(
            period=asked if asked == EVERYTHING or is_period(asked) else EVERYTHING if given.get("id") else USUAL,
            action=given["action"] if given.get("action") in EVENTS else "",
            kind=given["kind"] if given.get("kind") in KINDS else "",
            actor=given.get("actor", ""),
            object_id=given.get("id", ""),
            search=given.get("q", ""),
            before=int(before) if before.isascii() and before.isdigit() and len(before) < len(str(MOST)) else None,
        )

    @property
    def query(self) -> str:
        """The query string that asks for the same again, from the newest event on."""
        pairs = {
            "period": self.period,
            "action": self.action,
            "kind": self.kind,
            "actor": self.actor,
            "id": self.object_id,
            "q": self.search,
        }
        return urlencode({name: value for name, value in pairs.items() if value})

    @property
    def is_narrowed(self) -> bool:
        return self.query != urlencode({"period": USUAL})

    def older(self, event: AuditEvent) -> str:
        return f"{self.query}&{urlencode({'before': event.pk})}"

    @property
    def texts(self) -> list[tuple[str, Promise, str]]:
        return [("actor", TEXTS["actor"], self.actor), ("id", TEXTS["id"], self.object_id)]

    def chips(self) -> list[Chip]:
        """What the bar does not show, each with the address of the page without it."""
        chips = []
        if self.actor:
            chips.append(Chip(TEXTS["actor"], self.actor, replace(self, actor="").query))
        if self.object_id:
            chips.append(Chip(TEXTS["id"], self.object_id, replace(self, object_id="").query))
        return chips

    def condition(self) -> Q:
        wanted = Q()
        if self.action:
            wanted &= Q(event=self.action)
        if self.kind:
            wanted &= Q(object_type=self.kind)
        if self.object_id:
            wanted &= Q(object_id=self.object_id)
        if self.actor:
            wanted &= Q(actor_name__icontains=self.actor) | Q(actor_id=self.actor) | Q(actor_kind=self.actor)
        if self.search:
            wanted &= Q(*((f"{column}__icontains", self.search) for column in SEARCHED), _connector=Q.OR)
        return wanted

    def events(self, now: datetime, zone: tzinfo) -> QuerySet[AuditEvent]:
        """Newest first."""
        found = AuditEvent.objects.filter(self.condition()).order_by("-pk")
        if self.period != EVERYTHING:
            span = period(self.period, now, zone)
            found = found.filter(at__gte=span.start, at__lt=span.end)
        return found if self.before is None else found.filter(pk__lt=self.before)
