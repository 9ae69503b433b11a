"""A request's price lines as the page shows them: named, in dollars per million, adding up to the cost."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.models import RequestRecord

KINDS: dict[str, Promise] = {
    "input": _("Fresh input"),
    "cache_read": _("Cache read"),
    "cache_write_5m": _("Cache write, 5 min"),
    "cache_write_1h": _("Cache write, 1 h"),
    "output": _("Output"),
    "web_search": _("Web searches"),
    "web_fetch": _("Web fetches"),
}
_PIECES = ("web_search", "web_fetch")


@dataclass(frozen=True, slots=True)
class Line:
    kind: str
    label: str | Promise
    count: int
    unit_pico: int
    amount_nano: int
    model: str

    @property
    def is_by_piece(self) -> bool:
        return self.kind in _PIECES

    @property
    def piece_nano(self) -> int:
        return self.unit_pico // 1000


@dataclass(frozen=True, slots=True)
class Bill:
    lines: list[Line]
    total_nano: int
    tokens: int
    digits: int
    has_models: bool
    """More than one model worked on the answer, so lines name theirs."""


def _line(entry: dict[str, Any]) -> Line:
    kind = str(entry.get("kind", "")).removesuffix("_tokens").removesuffix("_requests")
    return Line(
        kind=kind,
        label=KINDS.get(kind) or kind.replace("_", " "),
        count=int(entry.get("count") or 0),
        unit_pico=int(entry.get("unit_pico") or 0),
        amount_nano=int(entry.get("amount_nano") or 0),
        model=str(entry.get("model") or ""),
    )


def digits(amounts: Iterable[int]) -> int:
    return 9 if any(amount % 100 for amount in amounts) else 7


def bill(record: RequestRecord) -> Bill:
    lines = [_line(entry) for entry in record.price_lines if isinstance(entry, dict)]
    return Bill(
        lines,
        sum(line.amount_nano for line in lines),
        sum(line.count for line in lines if not line.is_by_piece),
        digits(line.amount_nano for line in lines),
        len({line.model for line in lines}) > 1,
    )
