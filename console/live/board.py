"""One scope's last half hour, minute by minute: how many calls, how fast, what failed. Fed call by call, so that a glance costs no scan.

Waits are counted in steps of a sixty-fourth of a doubling: a percentile is of all the calls in question, never a mean of percentiles, and
at most one in a hundred off. Pure; times are epoch seconds, and the time is always told.
"""

from bisect import insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, log2
from typing import NamedTuple

MINUTES = 30
# What counts as now: the minute under way and those before it.
NOW_MINUTES = 5
NEWEST = 50
KINDS = 8
STEPS = 64
RATE_S = 60
# Records come this much after the end of their calls.
LATE_S = 2
AGO_S = 300
SLOW_MS = 1000.0


class Try(NamedTuple):
    """An attempt as its deployment's health sees it; a request that was itself at fault speaks against nobody."""

    deployment: str
    is_bad: bool
    first_ms: float | None


class Call(NamedTuple):
    """A finished call. `side` is whose failure it was, "" where it did not fail."""

    id: str
    ended_s: float
    first_ms: float | None
    total_ms: float
    side: str
    status: int
    code: str
    team_id: str
    user_id: str
    tries: tuple[Try, ...]


# Whose side, which status, which code.
Kind = tuple[str, int, str]


class Percentiles(NamedTuple):
    p50: float
    p95: float
    p99: float


class Waits(Counter[int]):
    def note(self, ms: float | None) -> None:
        if ms is not None:
            self[round(STEPS * log2(max(ms, 0.1)))] += 1

    def percentiles(self) -> Percentiles | None:
        steps, total = sorted(self.items()), self.total()
        if not total:
            return None
        found: list[float] = []
        reached = 0
        wanted = [ceil(total * share / 100) for share in (50, 95, 99)]
        for step, count in steps:
            reached += count
            while len(found) < len(wanted) and reached >= wanted[len(found)]:
                found.append(2 ** (step / STEPS))
        return Percentiles(*found)


@dataclass(slots=True)
class Beat:
    """One deployment's minute."""

    tries: int = 0
    bad: int = 0
    first: Waits = field(default_factory=Waits)


@dataclass(slots=True)
class Minute:
    at: int = 0
    calls: int = 0
    under_way: int = 0
    first: Waits = field(default_factory=Waits)
    total: Waits = field(default_factory=Waits)
    kinds: Counter[Kind] = field(default_factory=Counter)
    beats: dict[str, Beat] = field(default_factory=dict)

    @property
    def sides(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (side, _, _), count in self.kinds.items():
            found[side] += count
        return found

    @property
    def errors(self) -> int:
        return self.kinds.total()


class Health(NamedTuple):
    """One deployment's half hour. `strokes` has a word for each minute: ok, slow, err, or nothing where it was not asked."""

    name: str
    strokes: list[str]
    tries: int
    bad: int
    rate: float
    first: Percentiles | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a board says at one moment; `first` and `total` and the errors are of the last minutes, as are those of `ago`."""

    minutes: list[Minute]
    calls: int
    errors: int
    sides: Counter[str]
    rate: float
    rate_ago: float
    under_way: int
    first: Percentiles | None
    first_ago: Percentiles | None
    total: Percentiles | None
    kinds: list[tuple[Kind, int]]
    health: list[Health]


class Board:
    def __init__(self, calls: Iterable[Call] = ()) -> None:
        self._minutes: dict[int, Minute] = {}
        self._seconds: Counter[int] = Counter()
        self._newest: list[tuple[float, str]] = []
        for call in calls:
            self.add(call)

    @property
    def newest(self) -> list[str]:
        """The ids of the calls that ended last, the very last one first."""
        return [name for _, name in reversed(self._newest)]

    def add(self, call: Call) -> None:
        minute = self._minute(call.ended_s)
        minute.calls += 1
        minute.total.note(call.total_ms)
        minute.first.note(call.first_ms)
        if call.side:
            minute.kinds[call.side, call.status, call.code] += 1
        for one in call.tries:
            beat = minute.beats.setdefault(one.deployment, Beat())
            beat.tries += 1
            beat.bad += one.is_bad
            beat.first.note(one.first_ms)
        self._seconds[int(call.ended_s)] += 1
        insort(self._newest, (call.ended_s, call.id))
        del self._newest[:-NEWEST]

    def saw(self, under_way: int, now: float) -> None:
        self._minute(now).under_way = under_way

    def _minute(self, at: float) -> Minute:
        number = int(at // 60)
        return self._minutes.setdefault(number, Minute(number * 60))

    def forget(self, now: float) -> None:
        """Drops what no figure is made of any more."""
        oldest_minute, oldest_second = int(now // 60) - MINUTES, int(now) - AGO_S - RATE_S - 2 * LATE_S
        for number in [number for number in self._minutes if number < oldest_minute]:
            del self._minutes[number]
        for second in [second for second in self._seconds if second < oldest_second]:
            del self._seconds[second]

    def figures(self, now: float) -> Figures:
        last = int(now // 60)
        minutes = [self._minutes.get(number) or Minute(number * 60) for number in range(last - MINUTES + 1, last + 1)]
        recent, before = minutes[-NOW_MINUTES - 1 :], minutes[-2 * NOW_MINUTES - 1 : -NOW_MINUTES - 1]
        sides = sum((one.sides for one in recent), Counter[str]())
        kinds = sum((one.kinds for one in minutes), Counter[Kind]())
        return Figures(
            minutes=minutes,
            calls=sum(one.calls for one in recent),
            errors=sides.total(),
            sides=sides,
            rate=self._rate(now),
            rate_ago=self._rate(now - AGO_S),
            under_way=minutes[-1].under_way,
            first=_together(one.first for one in recent).percentiles(),
            first_ago=_together(one.first for one in before).percentiles(),
            total=_together(one.total for one in recent).percentiles(),
            kinds=sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:KINDS],
            health=[_health(name, minutes) for name in sorted({name for one in minutes for name in one.beats})],
        )

    def _rate(self, now: float) -> float:
        """Calls a second that ended in the minute before."""
        end = int(now) - LATE_S + 1
        return sum(self._seconds[second] for second in range(end - RATE_S, end)) / RATE_S


def _together(all_waits: Iterable[Waits]) -> Waits:
    found = Waits()
    for waits in all_waits:
        found.update(waits)
    return found


def _health(name: str, minutes: list[Minute]) -> Health:
    beats = [one.beats.get(name) or Beat() for one in minutes]
    recent = beats[-NOW_MINUTES - 1 :]
    usual = _together(beat.first for beat in beats).percentiles()
    return Health(
        name,
        [_stroke(beat, usual) for beat in beats],
        sum(beat.tries for beat in recent),
        sum(beat.bad for beat in recent),
        sum(beat.tries for beat in beats[-2:-1]) / 60,
        _together(beat.first for beat in recent).percentiles(),
    )


def _stroke(beat: Beat, usual: Percentiles | None) -> str:
    """Failed from half of the tries on; slow with any failure, or at twice the usual wait."""
    if not beat.tries:
        return ""
    if beat.bad * 2 >= beat.tries:
        return "err"
    own = beat.first.percentiles()
    is_slow = own is not None and usual is not None and own.p50 >= max(2 * usual.p50, SLOW_MS)
    return "slow" if beat.bad or is_slow else "up1"
