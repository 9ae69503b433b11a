"""Who changed a budget, from what to what, and why: its events in the audit trail as its page lists them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.events import EVENTS
from audit.models import AuditEvent
from billing.models import Budget
from console.budget_list import MODES, PERIOD_WORDS

LISTED = 20
# The columns that people change, in the order in which they are told; the rest follows from them.
WORDS: dict[str, Promise] = {
    "amount_nano": _("amount"), "period": _("period"), "mode": _("mode"), "model": _("model"), "time_zone": _("time zone"),
    "thresholds": _("alerts at"), "clamp_output": _("lower max_tokens"),
}  # fmt: skip
SPELLED: dict[str, Mapping[str, str | Promise]] = {"period": PERIOD_WORDS, "mode": MODES}


@dataclass(frozen=True, slots=True)
class Difference:
    word: Promise
    before: Any
    after: Any
    is_money: bool


@dataclass(frozen=True, slots=True)
class TrailLine:
    at: datetime
    who: str
    what: str
    reason: str
    differences: tuple[Difference, ...]


def trail_of(budget: Budget) -> list[TrailLine]:
    """The newest first."""
    events = AuditEvent.objects.filter(object_type="budget", object_id=str(budget.pk)).order_by("-id")[:LISTED]
    return [_line(event) for event in events]


def _line(event: AuditEvent) -> TrailLine:
    before: Mapping[str, Any] = event.before if isinstance(event.before, dict) else {}
    after: Mapping[str, Any] = event.after if isinstance(event.after, dict) else {}
    told = (
        Difference(word, _shown(name, before.get(name)), _shown(name, after[name]), name == "amount_nano")
        for name, word in WORDS.items()
        if name in after
    )
    return TrailLine(
        at=event.at,
        who=event.actor_name or event.actor_kind,
        what=gettext(EVENTS.get(event.event, event.event)),
        reason=str(after.get("reason", "")),
        differences=tuple(one for one in told if before or one.after),
    )


def _shown(name: str, value: Any) -> Any:
    """As the page says it elsewhere; what it has no word for stays as it was written."""
    if isinstance(value, list):
        return percents(value)
    return SPELLED.get(name, {}).get(value, value) if isinstance(value, str) else value


def percents(thresholds: list[int]) -> str:
    return ", ".join(f"{item}%" for item in thresholds)
