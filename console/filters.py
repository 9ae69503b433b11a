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
from console.dimensions import DIMENSIONS, NOTHING, shown
from console.figures import newest, records
from console.period import between, is_period, period
from console.tagged import tagged
from keys.access import Reach

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
# What may be particular about a price, and the record's column that says so.
PRICES: dict[str, Promise] = {"unpriced": _("unpriced"), "estimated": _("estimated")}
_PRICED = {"unpriced": "is_unpriced", "estimated": "is_estimated"}
SESSION = "session"
# The text fields of the form.
TEXTS: dict[str, Promise] = {key: one.label for key, one in DIMENSIONS.items()} | {SESSION: _("Session")}
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


def _equal(name: str, value: str) -> Q:
    """Records of that name or id; of what has none, those that roll-ups count so."""
    if name == SESSION:
        return Q(session_id=value)
    if name == "tag":
        return tagged(value)
    if value == NOTHING:
        return Q((DIMENSIONS[name].column, ""))
    return Q(*((column, value) for column in DIMENSIONS[name].recorded), _connector=Q.OR)


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
    price: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    token_counts: bool = False
    cursor: Cursor | None = None

    @classmethod
    def read(cls, query: QueryDict) -> "RequestFilter":
        """A value that means nothing is as if it were not there."""
        given = {name: query.get(name, "").replace("\x00", "").strip() for name in query}
        texts = tuple((name, given[name]) for name in TEXTS if given.get(name))
        usual = EVERYTHING if dict(texts).get("session") else "7d"
        asked = between(given.get("from", ""), given.get("to", "")) or given.get("period", "")
        status = given.get("status", "")
        return cls(
            period=asked if asked == EVERYTHING or is_period(asked) else usual,
            outcome=given["outcome"] if given.get("outcome") in OUTCOMES else "",
            side=given["side"] if given.get("side") in SIDES else "",
            status=status if status.isascii() and status.isdigit() and len(status) == 3 else "",
            search=given.get("q", ""),
            price=given["price"] if given.get("price") in PRICES else "",
            texts=texts,
            token_counts=given.get("counts") == "1",
            cursor=Cursor.read(given.get("before", "")),
        )

    @property
    def query(self) -> str:
        """The query string that asks for the same again, from the newest record on."""
        pairs = [("period", self.period), ("outcome", self.outcome), ("side", self.side), ("status", self.status), ("q", self.search)]
        pairs += [*self.texts, ("price", self.price), ("counts", "1" if self.token_counts else "")]
        return urlencode([pair for pair in pairs if pair[1]])

    def older(self, record: RequestRecord) -> str:
        return f"{self.query}&{urlencode({'before': str(Cursor.of(record))})}"

    def chips(self, known: Reach) -> list[Chip]:
        """What is set beside the period and the outcome, each with the address of the page without it."""
        chips = [Chip(TEXTS[name], shown(known, name, value), self._without_text(name)) for name, value in self.texts]
        if self.search:
            chips.append(Chip(_("Request"), self.search, replace(self, search="").query))
        if self.side:
            chips.append(Chip(_("Side"), SIDES[self.side], replace(self, side="").query))
        if self.status:
            chips.append(Chip(_("Status"), self.status, replace(self, status="").query))
        if self.price:
            chips.append(Chip(_("Price"), PRICES[self.price], replace(self, price="").query))
        if self.token_counts:
            chips.append(Chip(_("Token counts"), _("shown"), replace(self, token_counts=False).query))
        return chips

    def _own_id(self) -> str:
        return self.search if self.search.startswith("req_") else f"req_{self.search.lower()}"

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
        if self.price:
            wanted &= Q((_PRICED[self.price], True))
        for name, value in self.texts:
            wanted &= _equal(name, value)
        return wanted

    def rows(self, seen: Q, now: datetime, zone: tzinfo) -> RequestQuerySet:
        """The records asked for of those that may be `seen`, newest first. Ids of ours are looked for in all times, by how they begin."""
        found = records(seen).filter(self.condition())
        if not self.token_counts:
            found = found.without_token_counts()
        is_found = bool(self.search) and (by_id := found.filter(id__startswith=self._own_id())).exists()
        if is_found:
            found = by_id
        elif self.search:
            found = found.filter(upstream_request_id=self.search)
        if self.period != EVERYTHING and not is_found:
            span = period(self.period, now, zone)
            found = found.received_between(span.start, span.end)
        if self.cursor:
            found = found.before(self.cursor.received_at, self.cursor.record_id)
        return newest(found)
