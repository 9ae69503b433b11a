"""What state a key is in, as lists show and filter it."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.budget_list import NEAR, BudgetRow
from keys.models import VirtualKey

UNUSED_AFTER = timedelta(days=60)
STATES: dict[str, Promise] = {
    "active": gettext_lazy("active"),
    "blocked": gettext_lazy("blocked"),
    "expired": gettext_lazy("expired"),
    "revoked": gettext_lazy("revoked"),
}


class Mark(NamedTuple):
    """How a state looks: the colour's class, the icon, the words."""

    look: str
    icon: str
    text: str


def in_state(keys: QuerySet[VirtualKey], state: str, now: datetime) -> QuerySet[VirtualKey]:
    """Those of one state; of none, all of them."""
    live, expired = Q(revoked_at=None), Q(expires_at__lte=now)
    wanted = {
        "active": live & Q(is_blocked=False) & ~expired,
        "blocked": live & Q(is_blocked=True),
        "expired": live & Q(is_blocked=False) & expired,
        "revoked": ~live,
    }
    return keys.filter(wanted.get(state, Q()))


def mark(key: VirtualKey, budget: BudgetRow | None, last_used: datetime | None, now: datetime) -> Mark:
    """What matters most: that it does not work, that its money runs out, that nobody uses it."""
    state = key.state(now)
    if state == "revoked":
        return Mark("quiet", "x", _("revoked"))
    if state == "blocked":
        return Mark("bad", "bad", str(STATES[state]))
    if state != "active":
        return Mark("warn", "clock", str(STATES[state]))
    if budget and budget.is_used_up:
        return Mark("bad", "bad", _("budget used up"))
    if budget and budget.percent >= NEAR:
        return Mark("warn", "warn", _("%d%% used") % budget.percent)
    if max(last_used or key.created_at, key.created_at) < now - UNUSED_AFTER:
        return Mark("quiet", "clock", _("unused 60 days"))
    return Mark("ok", "ok", _("active"))
