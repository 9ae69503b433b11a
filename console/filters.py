"""What the Requests page was asked for: the query string as data, as a query and as removable chips."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from urllib.parse import urlencode

from django.db.models import Q
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.models import RequestRecord
from audit.querysets import RequestQuerySet
from console.figures import newest, records
from console.period import NAMES, period

PAGE = 50
EVERYTHING = "all"
OUTCOMES: dict[str, Promise] = {
    "ok": _("answered"),
    "problem": _("any problem"),
    "refused": _("refused"),
    "failed": _("failed"),
    "truncated": _("cut off"),
    "interrupted": _("interrupted"),
    "client_left": _("client left"),
}
SIDES: dict[str, Promise] = {"client": _("client"), "gateway": _("gateway"), "provider": _("provider")}
# each text field of the form: its label, and the columns of which one must be equal
TEXTS: dict[str, tuple[Promise, tuple[str, ...]]] = {
    "model": (_("Model"), ("route", "served_model")),
    "key": (_("Key"), ("key_name", "key_id")),
    "team": (_("Team"), ("team_name", "team_id")),
    "user": (_("User"), ("user_name", "user_id")),
    "session": (_("Session"), ("session_id",)),
}
# What a provider refuses for our key's or our deployment's sake, and of all other refusals below 500 those that are its own.
_SET_UP = Q(status__in=(401, 402, 403, 404))
_ITS_OWN = Q(status__in=(408, 424, 429))
_REFUSED = Q(error_source="provider", status__gte=400, status__lt=500)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def on_side(side: str) -> Q:
    """By status, as near as a query comes to what the pages read from the reason of the last attempt."""
    if side == "client":
        return Q(error_source=side) | (_REFUSED & ~_SET_UP & ~_ITS_OWN)
    if side == "gateway":
        return Q(error_source=side) | (_REFUSED & _SET_UP)
    return Q(error_source=side) & (~_REFUSED | _ITS_OWN)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last record of the page before: the next page starts behind it."""

    received_at: datetime
    record_id: str

    @classmethod
    def of(cls, record: RequestRecord) -> "Cursor":
        return cls(record.received_at, record.id)

    @classmethod
    def read(cls, text: str) -> "Cursor | None":
        moment, mark, record_id = text.partition("-")
        if not mark or not moment.isascii() or not moment.isdigit() or len(moment) > 16:
            return None
        return cls(_EPOCH + timedelta(microseconds=int(moment)), record_id)

    def __str__(self) -> str:
        return f"{(self.received_at - _EPOCH) // timedelta(microseconds=1)}-{self.record_id}"


@dataclass(frozen=True, slots=True)
class Chip:
    label: Promise
    value: str | Promise
    without: str


@dataclass(frozen=True, slots=True)
class RequestFilter:
    period: str = "7d"
    outcome: str = ""
    side: str = ""
    status: str = ""
    search: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    token_counts: bool = False
    cursor: Cursor | None = None

    @classmethod
    def read(cls, query: QueryDict) -> "RequestFilter":
        """A value that means nothing is as if it were not there."""
        given = {name: query.get(name, "").replace("\x00", "").strip() for name in query}
        texts = tuple((name, given[name]) for name in TEXTS if given.get(name))
        usual = EVERYTHING if dict(texts).get("session") else "7d"
        asked = given.get("period", "")
        status = given.get("status", "")
        return cls(
            period=asked if asked in NAMES or asked == EVERYTHING else usual,
            outcome=given["outcome"] if given.get("outcome") in OUTCOMES else "",
            side=given["side"] if given.get("side") in SIDES else "",
            status=status if status.isascii() and status.isdigit() and len(status) == 3 else "",
            search=given.get("q", ""),
            texts=texts,
            token_counts=given.get("counts") == "1",
            cursor=Cursor.read(given.get("before", "")),
        )

    @property
    def query(self) -> str:
        """The query string that asks for the same again, from the newest record on."""
        pairs = [("period", self.period), ("outcome", self.outcome), ("side", self.side), ("status", self.status), ("q", self.search)]
        pairs += [*self.texts, ("counts", "1" if self.token_counts else "")]
        return urlencode([pair for pair in pairs if pair[1]])

    def older(self, record: RequestRecord) -> str:
        return f"{self.query}&{urlencode({'before': str(Cursor.of(record))})}"

    @property
    def chips(self) -> list[Chip]:
        """What is set beside the period and the outcome, each with the address of the page without it."""
        chips = [Chip(TEXTS[name][0], value, self._without_text(name)) for name, value in self.texts]
        if self.search:
            chips.append(Chip(_("Request"), self.search, replace(self, search="").query))
        if self.side:
            chips.append(Chip(_("Side"), SIDES[self.side], replace(self, side="").query))
        if self.status:
            chips.append(Chip(_("Status"), self.status, replace(self, status="").query))
        if self.token_counts:
            chips.append(Chip(_("Token counts"), _("shown"), replace(self, token_counts=False).query))
        return chips

    def _without_text(self, name: str) -> str:
        return replace(self, texts=tuple(pair for pair in self.texts if pair[0] != name)).query

    def condition(self) -> Q:
        wanted = Q()
        if self.outcome:
            wanted &= ~Q(outcome="ok") if self.outcome == "problem" else Q(outcome=self.outcome)
        if self.side:
            wanted &= on_side(self.side)
        if self.status:
            wanted &= Q(status=int(self.status))
        for name, value in self.texts:
            one = Q()
            for column in TEXTS[name][1]:
                one |= Q((column, value))
            wanted &= one
        return wanted & (Q(id__icontains=self.search) | Q(upstream_request_id=self.search) if self.search else Q())

    def rows(self, now: datetime, zone: tzinfo) -> RequestQuerySet:
        """The records asked for, newest first. An id is looked for in all times."""
        found = records().filter(self.condition())
        if not self.token_counts:
            found = found.without_token_counts()
        if self.period != EVERYTHING and not self.search:
            span = period(self.period, now, zone)
            found = found.received_between(span.start, span.end)
        if self.cursor:
            found = found.before(self.cursor.received_at, self.cursor.record_id)
        return newest(found)
