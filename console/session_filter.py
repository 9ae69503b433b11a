"""What the Sessions page was asked for: the query string as data, as a query and as removable chips."""

from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from urllib.parse import urlencode

from django.db.models import Q, Sum
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.models import RollUp
from console.dimensions import DIMENSIONS, NOTHING, shown
from console.filters import Chip
from console.period import Period, between, is_period, period
from console.sessions import SINCE, Place, Run, Sought, calls
from keys.access import Reach

PAGE = 50
USUAL = "7d"
SORTS: dict[str, Promise] = {"newest": _("newest first"), "cost": _("dearest first")}
TEXTS: dict[str, Promise] = {key: DIMENSIONS[key].label for key in ("user", "team", "key", "client", "model")}
# To find the dearest all calls of the period are read: so many at most, or somebody would wait for minutes.
MOST_BY_COST = 200_000


@dataclass(frozen=True, slots=True)
class SessionFilter:
    period: str = USUAL
    sort: str = "newest"
    search: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    place: Place | None = None

    @classmethod
    def read(cls, query: QueryDict) -> "SessionFilter":
        """A value that means nothing is as if it were not there."""
        given = {name: query.get(name, "").replace("\x00", "").strip() for name in query}
        asked = between(given.get("from", ""), given.get("to", "")) or given.get("period", "")
        return cls(
            period=asked if is_period(asked) else USUAL,
            sort=given["sort"] if given.get("sort") in SORTS else "newest",
            search=given.get("q", ""),
            texts=tuple((name, given[name]) for name in TEXTS if given.get(name)),
            place=Place.read(given.get("after", "")),
        )

    @property
    def query(self) -> str:
        """The query string that asks for the same again, from the first run on."""
        pairs = [("period", self.period), ("sort", self.sort if self.sort != "newest" else ""), ("q", self.search), *self.texts]
        return urlencode([pair for pair in pairs if pair[1]])

    def further(self, run: Run) -> str:
        place = Place(run.usage.cost_nano, run.one_id) if self.sort == "cost" else Place.in_time(run)
        return f"{self.query}&{urlencode({'after': str(place)})}"

    def chips(self, known: Reach) -> list[Chip]:
        chips = [Chip(TEXTS[name], shown(known, name, value), self._without(name)) for name, value in self.texts]
        return [*chips, Chip(_("Session"), self.search, replace(self, search="").query)] if self.search else chips

    def _without(self, name: str) -> str:
        return replace(self, texts=tuple(pair for pair in self.texts if pair[0] != name)).query

    def within(self, seen: Q, span: Period) -> "SessionFilter":
        """By cost only what can be added up while somebody waits; where there is more the newest come first."""
        return replace(self, sort="newest", place=None) if self.sort == "cost" and _calls(seen, span) > MOST_BY_COST else self

    def sought(self, seen: Q, span: Period) -> Sought:
        """A whole session id is looked for in all times, a part of one in the period."""
        only = _condition(self.texts)
        if self.search and calls(seen).filter(session_id=self.search).exists():
            return Sought(seen, SINCE, span.end, (only or Q()) & Q(session_id=self.search))
        if self.search:
            only = (only or Q()) & Q(session_id__icontains=self.search)
        return Sought(seen, span.start, span.end, only)

    def found(self, sought: Sought, many: int) -> list[Run]:
        return sought.dearest(many, self.place) if self.sort == "cost" else sought.newest(many, self.place)

    def span(self, now: datetime, zone: tzinfo) -> Period:
        return period(self.period, now, zone)


def _calls(seen: Q, span: Period) -> int:
    """About how many, told by the roll-ups: they are few."""
    rows = RollUp.objects.filter(seen, starts_at__gte=span.start, starts_at__lt=span.end)
    return int(rows.aggregate(many=Sum("calls", default=0))["many"])


def _condition(texts: tuple[tuple[str, str], ...]) -> Q | None:
    if not texts:
        return None
    wanted = Q()
    for name, value in texts:
        columns = (DIMENSIONS[name].column,) if value == NOTHING else DIMENSIONS[name].recorded
        wanted &= Q(*((column, "" if value == NOTHING else value) for column in columns), _connector=Q.OR)
    return wanted
