"""What the Spend page was asked for: the query string as data, as queries and as removable chips."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from urllib.parse import urlencode

from django.db.models import Q
from django.http import QueryDict

from console.dimensions import BESIDE_TAGS, DIMENSIONS, NOTHING, TIMES, Value, label, rolled_up, shown
from console.figures import Source
from console.filters import Chip
from console.period import Period, between, is_period
from keys.access import Reach

USUAL = "month"
GROUP = "model"
HOURS_WITHIN = timedelta(days=8)
HOURLY_WITHIN = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class SpendFilter:
    """`by` and `then` are keys of DIMENSIONS or TIMES; `left_out` are those asked for that do not go together with tags."""

    period: str = USUAL
    by: str = GROUP
    then: str = ""
    texts: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def read(cls, query: QueryDict, known: Reach) -> "SpendFilter":
        """A value that means nothing is as if it were not there."""
        given = {name: query.get(name, "").replace("\x00", "").strip() for name in query}
        asked = between(given.get("from", ""), given.get("to", "")) or given.get("period", "")
        usable = [key for key in (*DIMENSIONS, *TIMES) if key != "tag" or sees_tags(known)]
        by = given["by"] if given.get("by") in usable else GROUP
        then = given["then"] if given.get("then") in usable and given["then"] != by else ""
        texts = tuple((key, given[key]) for key in DIMENSIONS if key in usable and given.get(key))
        return cls(asked if is_period(asked) else USUAL, by, then, texts)._beside_tags()

    def _beside_tags(self) -> "SpendFilter":
        """Roll-ups of tags know team and model alone: what does not go with them is left out, and said to be."""
        texts = dict(self.texts)
        if "tag" not in {self.by, self.then, *texts}:
            return self
        fits = BESIDE_TAGS | TIMES.keys()
        by = self.by if self.by in fits else GROUP
        then = self.then if self.then in fits and self.then != by else ""
        out = [key for key in dict.fromkeys((self.by, self.then, *texts)) if key and key not in fits]
        return replace(self, by=by, then=then, texts=tuple(pair for pair in self.texts if pair[0] in fits), left_out=tuple(out))

    def within(self, span: Period) -> "SpendFilter":
        """Hours of a long period are too many to read: its days instead."""
        if span.length <= HOURS_WITHIN or "hour" not in {self.by, self.then}:
            return self
        by = "day" if self.by == "hour" else self.by
        then = "day" if self.then == "hour" else self.then
        return replace(self, by=by, then="" if then == by else then, left_out=(*self.left_out, "hour"))

    @property
    def query(self) -> str:
        pairs = [("period", self.period), ("by", self.by), ("then", self.then), *self.texts]
        return urlencode([pair for pair in pairs if pair[1]])

    @property
    def has_tag(self) -> bool:
        return "tag" in dict(self.texts)

    def chips(self, known: Reach) -> list[Chip]:
        return [Chip(label(key), shown(known, key, value), self._without(key).query) for key, value in self.texts]

    def _without(self, key: str) -> "SpendFilter":
        return replace(self, texts=tuple(pair for pair in self.texts if pair[0] != key))

    def requests(self, *values: tuple[str, Value]) -> str:
        """The query that lists the requests behind a row: the same filters, and the row's own values."""
        pairs = {"period": self.period} | dict(self.texts)
        for key, value in values:
            pairs |= _asking(key, value)
        return urlencode(pairs)

    def source(self, known: Reach, seen: Q, zone: tzinfo, *, of_tags: bool = False) -> Source:
        """`seen` is what the visitor may see: console.access.traffic, which tags know by team alone."""
        where = _tags_seen(known) if of_tags else seen
        for key, value in self.texts:
            where &= rolled_up(key, value)
        return Source(where, zone, of_tags=of_tags)


def _asking(key: str, value: Value) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"period": f"{value:%Y-%m-%dT%H}"}
    if isinstance(value, date):
        return {"period": value.isoformat()}
    return {key: value or NOTHING}


def sees_tags(known: Reach) -> bool:
    return known.sees_money or bool(known.managed)


def _tags_seen(known: Reach) -> Q:
    return Q() if known.sees_money else Q(team_id__in=known.managed)


def column(key: str) -> str:
    """What a group is called in roll-ups; times are called what they are."""
    return key if key in TIMES else DIMENSIONS[key].column
