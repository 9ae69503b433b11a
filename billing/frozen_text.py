"""The text over which a frozen month's hash is taken, and whether both still hold. Anybody can take it again: `sha256sum` of the text."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from audit.models import AuditEvent
from billing.models import FrozenLine, FrozenMonth

FORM = "tallygate frozen month 1"
COLUMNS = (
    "adjusts", "organisation_id", "cost_centre", "team_id", "team_name", "user_id", "user_name", "key_id", "key_name",
    "cost_nano", "calls", "unpriced_calls", "estimated_calls",
)  # fmt: skip
FROZEN = "month.frozen"


def canonical(month: FrozenMonth, lines: Iterable[Sequence[str | int]]) -> str:
    """What was frozen, by whom and when; then each line (its COLUMNS) as JSON, in the order of their texts. Ends with a line break."""
    listed = sorted(map(_json, lines))
    head = [
        FORM,
        f"month {month.month}",
        f"time zone {month.time_zone}",
        f"from {_moment(month.starts_at)}",
        f"until {_moment(month.ends_at)}",
        f"currency {month.currency}",
        f"frozen at {_moment(month.frozen_at)}",
        f"frozen by {_json([month.frozen_by, month.frozen_by_name])}",
        f"sums {_json([month.cost_nano, month.calls, month.unpriced_calls, month.estimated_calls])}",
        f"lines {len(listed)}",
        _json(COLUMNS),
    ]
    return "\n".join([*head, *listed, ""])


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def text_of(month: FrozenMonth) -> str:
    return canonical(month, FrozenLine.objects.filter(frozen=month).order_by().values_list(*COLUMNS))


def is_intact(month: FrozenMonth) -> bool:
    """Whether the lines give the hash that the month has and that the audit trail was told when it was frozen."""
    told = AuditEvent.objects.filter(event=FROZEN, object_type=month._meta.model_name, object_id=str(month.pk)).order_by("-id").first()
    witness = told.after.get("sha256", "") if told and isinstance(told.after, dict) else ""
    return digest(text_of(month)) == month.sha256 == witness


def _json(values: Sequence[str | int]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
