"""Calls → what their quarters of an hour gain: pure sums by everything that people ask about, for rollup_rows.py to write.

Calls and tokens are the request records', money is the ledger's: `add_call` once per record, `add_money` once per ledger entry.
Token counts are free and clients ask for them by the dozen: they are in no sum.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

QUARTER_S = 900
HOUR_S = 3600
TAGS_PER_HOUR = 50
TAG_LENGTH = 100
OTHER_TAG = "other"
# A call that took a bound's time counts below it. What is in databases was counted by these: they never change.
BOUNDS_MS = (50, 100, 200, 300, 500, 800, 1300, 2000, 3000, 5000, 8000, 13_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000)
MOST_MS = 10**9
TOKEN_COUNTS = ("count_tokens", "count-tokens", "countTokens")

KIND = ("starts_at", "organisation_id", "team_id", "cost_centre", "user_id", "key_id", "route", "provider", "client", "status_class")
TAG_KIND = ("starts_at", "tag", "team_id", "route")

# The fields of KIND, the quarter as epoch seconds.
Kind = tuple[int, str, str, str, str, str, str, str, str, str]
TagKind = tuple[int, str, str, str]
# How a call went, for its ledger entries: client and status class.
Seen = tuple[str, str]
NOT_SEEN: Seen = ("", "")


class Payer(Protocol):
    """Whom a call or a ledger entry names."""

    @property
    def organisation_id(self) -> str: ...
    @property
    def team_id(self) -> str: ...
    @property
    def cost_centre(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def tags(self) -> Sequence[str]: ...


class Call(Payer, Protocol):
    """What is counted of a request, be it on its way to the database or read from there."""

    @property
    def endpoint(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def outcome(self) -> str: ...
    @property
    def is_unpriced(self) -> bool: ...
    @property
    def is_estimated(self) -> bool: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def cache_read_tokens(self) -> int: ...
    @property
    def cache_write_5m_tokens(self) -> int: ...
    @property
    def cache_write_1h_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def thinking_tokens(self) -> int: ...
    @property
    def duration_ms(self) -> float: ...
    @property
    def first_byte_ms(self) -> float | None: ...


def _no_waits() -> list[int]:
    return [0] * (len(BOUNDS_MS) + 1)


@dataclass(slots=True)
class Sums:
    """Field for field what a RollUp adds up."""

    calls: int = 0
    unpriced_calls: int = 0
    estimated_calls: int = 0
    cost_nano: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    duration_ms: int = 0
    waits: list[int] = field(default_factory=_no_waits)
    first_waits: list[int] = field(default_factory=_no_waits)


@dataclass(slots=True)
class TagSums:
    """Field for field what a TagRollUp adds up. `input_tokens` is all that was sent, cached or not."""

    calls: int = 0
    cost_nano: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, other: "TagSums") -> None:
        self.calls += other.calls
        self.cost_nano += other.cost_nano
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens


TAG_SUMS = tuple(TagSums.__slots__)


@dataclass(slots=True)
class RollUps:
    """What a batch adds. Tags stay together as calls named them until it is known which of them keep their names."""

    by_kind: dict[Kind, Sums] = field(default_factory=dict)
    tagged: dict[tuple[int, str, str, tuple[str, ...]], TagSums] = field(default_factory=dict)

    def add_call(self, call: Call, quarter: int) -> None:
        if is_token_count(call.endpoint):
            return
        sums = self._sums(kind(call, quarter, seen(call)))
        written = call.cache_write_5m_tokens + call.cache_write_1h_tokens
        sums.calls += 1
        sums.unpriced_calls += call.is_unpriced
        sums.estimated_calls += call.is_estimated
        sums.input_tokens += call.input_tokens
        sums.cache_read_tokens += call.cache_read_tokens
        sums.cache_write_tokens += written
        sums.output_tokens += call.output_tokens
        sums.thinking_tokens += call.thinking_tokens
        lasted = min(max(call.duration_ms, 0), MOST_MS)
        sums.duration_ms += round(lasted)
        sums.waits[bisect_left(BOUNDS_MS, lasted)] += 1
        if call.first_byte_ms is not None:
            sums.first_waits[bisect_left(BOUNDS_MS, call.first_byte_ms)] += 1
        if call.tags:
            tagged = self._tagged(call, quarter)
            tagged.calls += 1
            tagged.input_tokens += call.input_tokens + call.cache_read_tokens + written
            tagged.output_tokens += call.output_tokens

    def add_money(self, entry: Payer, quarter: int, how: Seen, amount_nano: int, provider: str) -> None:
        """Of one ledger entry; `provider` is that of its attempt."""
        if not amount_nano:
            return
        self._sums(kind(entry, quarter, how, provider)).cost_nano += amount_nano
        if entry.tags:
            self._tagged(entry, quarter).cost_nano += amount_nano

    def _sums(self, of: Kind) -> Sums:
        sums = self.by_kind.get(of)
        if sums is None:
            sums = self.by_kind[of] = Sums()
        return sums

    def _tagged(self, entry: Payer, quarter: int) -> TagSums:
        of = (quarter, entry.team_id, entry.route, tuple(entry.tags))
        sums = self.tagged.get(of)
        if sums is None:
            sums = self.tagged[of] = TagSums()
        return sums

    def tags_by_hour(self) -> dict[int, list[str]]:
        """The tags of each hour, each once, in the order in which they came."""
        hours: dict[int, dict[str, None]] = {}
        for quarter, _, _, tags in self.tagged:
            hours.setdefault(hour_of(quarter), {}).update(dict.fromkeys(name_of(tag) for tag in tags))
        return {hour: list(tags) for hour, tags in hours.items()}

    def by_tag(self, named: Mapping[int, frozenset[str]]) -> dict[TagKind, TagSums]:
        """By the tags that are `named` in their hour; the rest is `other`, under which a call counts once."""
        found: dict[TagKind, TagSums] = {}
        for (quarter, team_id, route, tags), sums in self.tagged.items():
            names = named[hour_of(quarter)]
            for tag in {name if name in names else OTHER_TAG for name in map(name_of, tags)}:
                found.setdefault((quarter, tag, team_id, route), TagSums()).add(sums)
        return found


def kind(entry: Payer, quarter: int, how: Seen, provider: str | None = None) -> Kind:
    served_by = entry.provider if provider is None else provider
    return (
        quarter, entry.organisation_id, entry.team_id, entry.cost_centre, entry.user_id, entry.key_id, entry.route, served_by, *how,
    )  # fmt: skip


def seen(call: Call) -> Seen:
    return call.client, status_class(call.status, call.outcome)


@lru_cache(maxsize=256)
def status_class(status: int, outcome: str) -> str:
    """`2xx`, `4xx`, `5xx`; the outcome where an answer began well and did not end so, or nothing was answered."""
    return f"{status // 100}xx" if status >= 400 or (outcome == "ok" and status) else outcome[:12]


def is_token_count(endpoint: str) -> bool:
    return endpoint.endswith(TOKEN_COUNTS)


def quarter_of(epoch_s: float) -> int:
    """The quarter's start. Times are kept to the microsecond: what rounds up to the next quarter belongs to it."""
    return int(epoch_s + 0.0000005) // QUARTER_S * QUARTER_S


def hour_of(quarter: int) -> int:
    return quarter // HOUR_S * HOUR_S


def name_of(tag: str) -> str:
    return tag[:TAG_LENGTH]


def named_tags(known: Iterable[str], coming: Iterable[str]) -> frozenset[str]:
    """Which tags an hour names: those it has, then newcomers while there is room. `other` is no name."""
    names = dict.fromkeys(tag for tag in known if tag != OTHER_TAG)
    for tag in coming:
        if len(names) >= TAGS_PER_HOUR:
            break
        if tag != OTHER_TAG:
            names[tag] = None
    return frozenset(names)
