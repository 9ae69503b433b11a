"""A record's attempts as its page shows them: where each went, why it was made, how it ended and what it cost."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.models import RequestRecord
from console.reasons import PROVIDER, REASONS, Reason

_ENDED_WELL = ("ok", "client_left", "")
# Reasons whose message says which address, field or part it was.
_DETAILED = ("address_refused", "not_served", "not_translatable", "invalid_request")
FIRST, RETRY, FALLBACK, RECONNECTED, RETHOUGHT = "first", "retry", "fallback", "reconnected", "rethought"
STEPS: dict[str, Promise] = {
    FIRST: gettext_lazy("first try"),
    RETRY: gettext_lazy("retry"),
    FALLBACK: gettext_lazy("fallback"),
    RECONNECTED: gettext_lazy("again, on a fresh connection"),
    RETHOUGHT: gettext_lazy("again, without thinking"),
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One entry of a record's `attempts`; whatever the entry lacks is nothing. Milliseconds count from when the call came in.

    `step` is why it was made; `other_name` the public name it was made for, where that is another than was asked. What ended the last one
    may stand on the record alone.
    """

    number: int
    step: str
    other_name: str
    deployment: str
    provider: str
    model: str
    started_ms: float
    first_byte_ms: float | None
    duration_ms: float
    status: int
    outcome: str
    error_code: str
    error_message: str
    upstream_request_id: str
    cost_nano: int
    is_unpriced: bool
    side: str
    left_out: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.deployment or self.provider or self.model

    @property
    def failed(self) -> bool:
        return self.outcome not in _ENDED_WELL

    @property
    def was_refused(self) -> bool:
        """With an answer of its own that said no; nothing is billed then."""
        return self.status >= 400

    @property
    def had_begun(self) -> bool:
        """Failed inside an answer that had begun well."""
        return self.failed and not self.was_refused and self.first_byte_ms is not None

    @property
    def reason(self) -> Reason | None:
        return REASONS.get(self.error_code) if self.failed else None

    @property
    def happened(self) -> str:
        """How it failed, for a sentence that stands alone."""
        return self._told(self.name, f" ({self.status})" if self.was_refused else "")

    @property
    def failure(self) -> str:
        """The same for where name and status stand beside it."""
        told = self._told(_("the provider"), "")
        return told[:1].upper() + told[1:]

    def _told(self, name: str, status: str) -> str:
        if self.reason is not None:
            return str(self.reason.happened) % {"name": name, "status": status}
        code = f" ({self.error_code})" if self.error_code else status
        if self.had_begun:
            return _("%(name)s failed after its answer had begun%(code)s.") % {"name": name, "code": code}
        return _("%(name)s failed%(code)s.") % {"name": name, "code": code}

    @property
    def said(self) -> str:
        """What the provider itself said."""
        return self.error_message if self.was_refused or (self.failed and self.reason is None) else ""

    @property
    def detail(self) -> str:
        """What the gateway found, where that is more than the reason says."""
        return self.error_message if self.failed and self.error_code in _DETAILED else ""

    @property
    def step_label(self) -> Promise:
        return STEPS[self.step]

    @property
    def ended_ms(self) -> float:
        return self.started_ms + self.duration_ms

    @property
    def until_first_byte_ms(self) -> float | None:
        """From its own start."""
        return None if self.first_byte_ms is None or self.was_refused else max(0.0, self.first_byte_ms - self.started_ms)


def read_attempts(record: RequestRecord) -> list[Attempt]:
    entries = [entry for entry in record.attempts if isinstance(entry, dict)]
    if entries and not entries[-1].get("error_code"):
        entries[-1] = entries[-1] | {
            "error_code": record.error_code,
            "error_message": record.error_message,
            "error_source": record.error_source,
        }
    return [_read(record, entries[:place], entry) for place, entry in enumerate(entries)]


def _read(record: RequestRecord, before: list[dict[str, Any]], entry: dict[str, Any]) -> Attempt:
    first, route, status = entry.get("first_byte_ms"), str(entry.get("route") or ""), int(entry.get("status") or 0)
    code, left_out = str(entry.get("error_code") or ""), entry.get("left_out")
    return Attempt(
        number=len(before) + 1,
        step=_step(before, entry),
        other_name=route if route != record.route else "",
        deployment=str(entry.get("deployment") or ""),
        provider=str(entry.get("provider") or ""),
        model=str(entry.get("model") or ""),
        started_ms=float(entry.get("started_ms") or 0),
        first_byte_ms=None if first is None else float(first),
        duration_ms=float(entry.get("duration_ms") or 0),
        status=status,
        outcome=str(entry.get("outcome") or ""),
        error_code=code,
        error_message=str(entry.get("error_message") or ""),
        upstream_request_id=str(entry.get("upstream_request_id") or ""),
        cost_nano=int(entry.get("cost_nano") or 0),
        is_unpriced=record.is_unpriced and entry.get("cost_nano") is None and status < 400,
        side=REASONS[code].side if code in REASONS else str(entry.get("error_source") or PROVIDER),
        left_out=tuple(str(name) for name in left_out) if isinstance(left_out, list) else (),
    )


def tally(attempts: list[Attempt]) -> str:
    """3 attempts, 1 fallback, 1 retry."""
    fallbacks = sum(attempt.step == FALLBACK for attempt in attempts)
    again = len(attempts) - 1 - fallbacks
    told = [ngettext("%(n)s attempt", "%(n)s attempts", len(attempts)) % {"n": len(attempts)}]
    told += [ngettext("%(n)s fallback", "%(n)s fallbacks", fallbacks) % {"n": fallbacks}] if fallbacks else []
    told += [ngettext("%(n)s retry", "%(n)s retries", again) % {"n": again}] if again > 0 else []
    return ", ".join(told)


def _step(before: list[dict[str, Any]], entry: dict[str, Any]) -> str:
    """A deployment that was asked before is asked again; which failure leads to which way of asking is the walk's (proxy/attempts.py)."""
    if not before:
        return FIRST
    place = _place(entry)
    if place not in [_place(one) for one in before]:
        return FALLBACK
    if _place(before[-1]) == place:
        return {"thinking_refused": RETHOUGHT, "provider_connection_lost": RECONNECTED}.get(before[-1].get("error_code") or "", RETRY)
    return RETRY


def _place(entry: dict[str, Any]) -> tuple[Any, Any]:
    return entry.get("deployment"), entry.get("route")
