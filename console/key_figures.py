"""One key in figures: what it spent by model, who changed it and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.events import EVENTS
from audit.models import AuditEvent
from billing.models import Budget
from console.figures import Source, Usage, add_up
from keys.models import VirtualKey

DAYS = 30
LISTED = 20
# The columns that people change, as the history calls them; the rest follows from them.
WORDS: dict[str, Promise] = {
    "name": _("name"), "allowed_models": _("models"), "expires_at": _("expiry"), "tpm_limit": _("tokens per minute"),
    "rpm_limit": _("requests per minute"), "parallel_limit": _("calls at the same time"), "tags": _("tags"),
    "allowed_ips": _("allowed addresses"), "required_header": _("required header"), "team_id": _("team"), "user_id": _("owner"),
    "cost_centre": _("cost centre"), "amount_nano": _("budget"), "period": _("period"),
}  # fmt: skip
_ANY = "any"


@dataclass(frozen=True, slots=True)
class ModelSpend:
    name: str
    usage: Usage


def by_model(key: VirtualKey, now: datetime, seen: Q) -> list[ModelSpend]:
    """The last thirty days out of the roll-ups, the most expensive first."""
    source = Source(seen & Q(key_id=key.pk), timezone.get_current_timezone())
    rows = [ModelSpend(name, usage) for (name,), usage in source.sums((now - timedelta(days=DAYS), now), "route")]
    return sorted(rows, key=lambda row: (-row.usage.cost_nano, -row.usage.calls, row.name))


def total(rows: list[ModelSpend]) -> Usage:
    return add_up(row.usage for row in rows)


@dataclass(frozen=True, slots=True)
class Difference:
    word: Promise
    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class HistoryLine:
    at: datetime
    who: str
    what: str
    differences: tuple[Difference, ...]


def history(key: VirtualKey) -> list[HistoryLine]:
    """Of the key and its budgets, the newest first."""
    budgets = [str(pk) for pk in Budget.objects.filter(scope=Budget.Scope.KEY, scope_id=key.pk).values_list("pk", flat=True)]
    of_key = Q(object_type="virtualkey", object_id=key.pk)
    events = AuditEvent.objects.filter(of_key | Q(object_type="budget", object_id__in=budgets)).order_by("-id")[:LISTED]
    return [_line(event) for event in events]


def _line(event: AuditEvent) -> HistoryLine:
    before: Mapping[str, Any] = event.before if isinstance(event.before, dict) else {}
    after: Mapping[str, Any] = event.after if isinstance(event.after, dict) else {}
    told = [
        Difference(word, name, _told(before.get(name)) if before else None, _told(after[name]))
        for name, word in WORDS.items()
        if name in after
    ]
    if not before:  # something new: of a budget its terms, of a key nothing, for its page shows them
        told = [one for one in told if one.after != _ANY] if event.object_type == "budget" else []
    what = gettext(EVENTS.get(event.event, event.event))
    return HistoryLine(event.at, event.actor_name or event.actor_kind, what, tuple(told))


def _told(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _ANY
    return _ANY if value in (None, "") else value
