"""How a request ended, in words: the badge, whose side it is on, what happened and what to do."""

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.models import RequestRecord
from console.attempts import RETHOUGHT, Attempt, read_attempts
from console.templatetags.figures import duration


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
    who: str
    happened: str
    side: str
    remedy: str
    told: str


# Nothing was sent, so what the caller was told is not about these.
_UNASKED = ("not_served", "not_translatable", "invalid_request", "credential_unusable")


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one record, read once for badge and note."""

    record: RequestRecord

    @property
    def blamed(self) -> Attempt | None:
        """The attempt whose failure was told to the caller. Its reason says whose side that was on: a provider also refuses what is wrong
        with the request, or with our key.
        """
        if self.record.error_source != "provider":
            return None
        return next((one for one in reversed(read_attempts(self.record)) if one.failed and one.error_code not in _UNASKED), None)

    @property
    def side(self) -> Side:
        blamed = self.blamed
        source = blamed.side if blamed else self.record.error_source or ("client" if self.record.outcome == "client_left" else "")
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
        side = self.side
        return Story(
            side.look,
            side.icon,
            str(side.word),
            _happened(self.record, self.blamed),
            str(side.sentence),
            self._what_to_do(attempts),
            self.record.error_message,
        )

    def _what_to_do(self, attempts: list[Attempt]) -> str:
        is_all = len(attempts) > 1 and all(attempt.failed for attempt in attempts)
        many = _("All %(n)s attempts failed.") % {"n": len(attempts)} if is_all else ""
        return f"{many} {_remedy(self.record, self.blamed)}".strip()


def _recovered(attempts: list[Attempt]) -> Story | None:
    """What somebody should mend comes before what passed by itself."""
    failures = [attempt for attempt in attempts if attempt.failed]
    if not failures:
        return None
    told = next((attempt for attempt in failures if attempt.side == "gateway"), failures[0])
    side = SIDES[told.side]
    after = {"name": attempts[-1].name, "time": duration(attempts[-1].started_ms)}
    if attempts[-1].step == RETHOUGHT:
        served = _("Sent there again without it after %(time)s; the caller saw one answer.") % after
    elif attempts[-1].name == told.name:
        served = _("Sent there again after %(time)s; the caller saw one answer.") % after
    else:
        served = _("Sent to %(name)s after %(time)s; the caller saw one answer.") % after
    remedy = str(told.reason.remedy) if told.reason and told.side == "gateway" else _("Nothing to do.")
    return Story(side.look, side.icon, str(side.word), told.happened, str(side.sentence), f"{served} {remedy}", "")


def _happened(record: RequestRecord, blamed: Attempt | None) -> str:
    code = f"{record.status or ''} {record.error_code}".strip()
    sentences = {
        "client_left": _("The client left before the end. What was answered until then is charged."),
        "truncated": " ".join([_("The answer stopped before its end."), *([blamed.happened] if blamed and blamed.reason else [])]),
        "interrupted": _("The answer was broken off after it had begun."),
        "refused": _("Refused (%(code)s).") % {"code": code} if code else _("Refused."),
    }
    if record.outcome in sentences:
        return sentences[record.outcome]
    if blamed:
        return blamed.happened
    return _("Failed (%(code)s).") % {"code": code} if code else _("Failed.")


def _remedy(record: RequestRecord, blamed: Attempt | None) -> str:
    if record.outcome == "client_left":
        return _("Nothing to do.")
    if blamed and blamed.reason:
        return str(blamed.reason.remedy)
    return str(_REMEDIES.get(record.error_code) or _REMEDY_OF_SIDE.get(record.error_source) or "")
