"""How a request ended, in words: the badge, whose side it is on, what happened and what to do."""

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.models import RequestRecord
from console.timeline import Attempt


class Side(NamedTuple):
    look: str
    icon: str
    word: Promise
    sentence: Promise


SIDES = {
    "client": Side("warn", "user", gettext_lazy("client"), gettext_lazy("Client's side.")),
    "gateway": Side("bad", "gate", gettext_lazy("gateway"), gettext_lazy("Gateway's side.")),
    "provider": Side("them", "cloud", gettext_lazy("provider"), gettext_lazy("Provider's side.")),
}
_NOBODY = Side("", "warn", gettext_lazy("unknown"), gettext_lazy("Whose side is not known."))
WORDS = {
    "client_left": gettext_lazy("client left"),
    "refused": gettext_lazy("refused"),
    "failed": gettext_lazy("failed"),
    "truncated": gettext_lazy("cut off"),
    "interrupted": gettext_lazy("interrupted"),
}
_REMEDIES: dict[str, Promise] = {
    "budget_exceeded": gettext_lazy("Raise the budget, or wait for its reset."),
    "rate_limited": gettext_lazy("Send less at a time, or raise the limit of the key."),
    "model_not_allowed": gettext_lazy("Allow the model for the key or its team, or ask for another model."),
    "model_not_found": gettext_lazy("Ask for a model that exists, or make a route of that name."),
    "key_expired": gettext_lazy("Issue a new key, or move its expiry."),
    "no_deployment": gettext_lazy("Add a working deployment to the route."),
    "unpriced": gettext_lazy("Set a price for the model."),
}
_REMEDY_OF_SIDE: dict[str, Promise] = {
    "client": gettext_lazy("Correct the request; sending it again unchanged ends the same way."),
    "gateway": gettext_lazy("Look for this request id in the gateway's log."),
    "provider": gettext_lazy("Send it again, or add a further deployment to the route."),
}


class Mark(NamedTuple):
    look: str
    icon: str
    text: str


class Story(NamedTuple):
    """The note of the request page: bold first sentence, then the remedy; `told` is what the caller was told."""

    look: str
    icon: str
    happened: str
    side: str
    remedy: str
    told: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one record, read once for badge and note."""

    record: RequestRecord

    @property
    def side(self) -> Side:
        source = self.record.error_source or ("client" if self.record.outcome == "client_left" else "")
        return SIDES.get(source, _NOBODY)

    @property
    def mark(self) -> Mark:
        if self.record.outcome == "ok":
            return Mark("ok", "ok", str(self.record.status or 200))
        word = WORDS.get(self.record.outcome, self.record.outcome)
        shown = self.record.outcome in ("refused", "failed") and self.record.status
        return Mark(self.side.look, self.side.icon, f"{self.record.status} {word}" if shown else str(word))

    def story(self, attempts: list[Attempt]) -> Story | None:
        """None where there is nothing to tell: a first attempt that went well."""
        if self.record.outcome == "ok":
            return _recovered(attempts)
        return Story(
            self.side.look,
            self.side.icon,
            _happened(self.record, attempts),
            str(self.side.sentence),
            _remedy(self.record),
            self.record.error_message,
        )


def _recovered(attempts: list[Attempt]) -> Story | None:
    failed = next((attempt for attempt in attempts if attempt.failed), None)
    if failed is None:
        return None
    last = attempts[-1]
    them = SIDES["provider"]
    happened = _("%(name)s answered %(status)s.") % {"name": failed.name, "status": failed.status or failed.error_code or _("nothing")}
    remedy = _("Sent to %(name)s instead; the caller saw one answer. Nothing to do.") % {"name": last.name}
    if last.name == failed.name:
        remedy = _("Sent there again; the caller saw one answer. Nothing to do.")
    return Story(them.look, them.icon, happened, str(them.sentence), remedy, "")


def _happened(record: RequestRecord, attempts: list[Attempt]) -> str:
    code = f"{record.status or ''} {record.error_code}".strip()
    sentences = {
        "client_left": _("The client left before the end. What was answered until then is charged."),
        "truncated": _("The answer stopped before its end."),
        "interrupted": _("The answer was broken off after it had begun."),
        "refused": _("Refused (%(code)s).") % {"code": code} if code else _("Refused."),
    }
    if record.outcome in sentences:
        return sentences[record.outcome]
    if record.error_source == "provider" and attempts:
        return _("%(name)s answered %(code)s.") % {"name": attempts[-1].name, "code": code or _("nothing")}
    return _("Failed (%(code)s).") % {"code": code} if code else _("Failed.")


def _remedy(record: RequestRecord) -> str:
    if record.outcome == "client_left":
        return _("Nothing to do.")
    return str(_REMEDIES.get(record.error_code) or _REMEDY_OF_SIDE.get(record.error_source) or "")
