"""Sessions as runs: the calls of one agent run as one row, added up from the request records.

Clients make up their session ids, so two people may send the same one. A run is therefore the calls of one session id with one key, person
and team: whoever may see one call of a run may see all of them. Each run counts where its last call lies; no period counts one twice.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from audit.querysets import RequestQuerySet
from console.figures import Usage, records

# What all calls of a run have in common.
KEYS = ("session_id", "key_id", "user_id", "team_id")
RunKey = tuple[str, str, str, str]
SINCE = datetime(2000, 1, 1, tzinfo=UTC)
# Tools are read call by call, of runs up to this length.
MOST_CALLS_READ = 5000
_SLICE, _GROWTH = timedelta(minutes=15), 4
_INSTANT = timedelta(microseconds=1)
SUMS: dict[str, Any] = {
    "first_at": Min("received_at"),
    "last_at": Max("received_at"),
    "one_id": Min("pk"),
    "nano": Sum("cost_nano", default=0),
    "calls": Count("pk"),
    "unpriced": Count("pk", filter=Q(is_unpriced=True)),
    "fresh": Sum("input_tokens"),
    "read": Sum("cache_read_tokens"),
    "written": Sum("cache_write_5m_tokens") + Sum("cache_write_1h_tokens"),
    "output": Sum("output_tokens"),
    "thinking": Sum("thinking_tokens"),
    "agents": Count("agent_id", filter=~Q(agent_id=""), distinct=True),
    "key": Max("key_name"),
    "user": Max("user_name"),
    "team": Max("team_name"),
    "program": Max("client"),
}


@dataclass(slots=True)
class Run:
    """`one_id` is one of its calls, which is how it is addressed. What follows `program` is read apart: see `complete`."""

    session_id: str
    key_id: str
    user_id: str
    team_id: str
    one_id: str
    first_at: datetime
    last_at: datetime
    usage: Usage
    thinking: int
    agents: int
    key: str
    user: str
    team: str
    program: str
    last_ms: float = 0
    problems: int = 0
    rerouted: int = 0
    models: list[str] = field(default_factory=list)
    tools: list[tuple[str, int]] = field(default_factory=list)

    @property
    def run_key(self) -> RunKey:
        return (self.session_id, self.key_id, self.user_id, self.team_id)

    @property
    def duration_ms(self) -> float:
        """From the start of its first call to the end of its last."""
        return (self.last_at - self.first_at) / timedelta(milliseconds=1) + self.last_ms

    @property
    def who(self) -> str:
        return self.user or self.key or self.session_id


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a list ended: the last run's number (microseconds of its last call, or its cost) and one of its calls."""

    number: int
    one_id: str

    @classmethod
    def in_time(cls, run: Run) -> "Place":
        return cls((run.last_at - SINCE) // _INSTANT, run.one_id)

    @classmethod
    def read(cls, text: str) -> "Place | None":
        number, mark, one_id = text.partition("-")
        is_number = number.isascii() and number.isdigit() and len(number) <= 18
        return cls(int(number), one_id) if mark and is_number else None

    def __str__(self) -> str:
        return f"{self.number}-{self.one_id}"


@dataclass(frozen=True, slots=True)
class Sought:
    """Runs that may be `seen`, whose last call lies from `start` up to but without `end`, and of which some call is as `only` says."""

    seen: Q
    start: datetime
    end: datetime
    only: Q | None = None

    def newest(self, many: int, after: Place | None = None) -> list[Run]:
        """Looks back slice by slice, each longer than the one before, so that it reads little more of the records than it shows."""
        end, behind = self.end, Q()
        if after:
            moment = min(SINCE + timedelta(microseconds=after.number), self.end)
            end = min(self.end, moment + _INSTANT)
            behind = Q(last_at__lt=moment) | Q(last_at=moment, one_id__lt=after.one_id)
        found: list[Run] = []
        for start, stop in slices(self.start, end):
            rows = self._between(start, stop).filter(behind).order_by("-last_at", "-one_id")
            found += [_run(row) for row in rows[: many - len(found)]]
            if len(found) >= many:
                break
        return found

    def dearest(self, many: int, after: Place | None = None) -> list[Run]:
        """Reads all runs of the period, for any of them may be the dearest."""
        rows = self._between(self.start, self.end).order_by("-nano", "-one_id")
        if after:
            rows = rows.filter(Q(nano__lt=after.number) | Q(nano=after.number, one_id__lt=after.one_id))
        return [_run(row) for row in rows[:many]]

    def _between(self, start: datetime, end: datetime) -> QuerySet[Any]:
        called = calls(self.seen).received_between(start, end)
        called = called.filter(self.only) if self.only is not None else called
        rows = added_up(calls(self.seen).filter(session_id__in=called.values("session_id")))
        if self.only is not None:
            rows = rows.annotate(fitting=Count("pk", filter=self.only)).filter(fitting__gt=0)
        return rows.filter(last_at__gte=start, last_at__lt=end)


def slices(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    width = _SLICE
    while end > start:
        begins = end - width if end - start > width else start
        yield begins, end
        end, width = begins, width * _GROWTH


def calls(seen: Q) -> RequestQuerySet:
    """Calls that are part of a run."""
    return records(seen).without_token_counts().exclude(session_id="").order_by()


def added_up(found: RequestQuerySet) -> QuerySet[Any]:
    rows: QuerySet[Any] = found.values(*KEYS).annotate(**SUMS)
    return rows


def runs_of(session_id: str, seen: Q) -> list[Run]:
    """All that go by that session id, newest first: mostly one."""
    return [_run(row) for row in added_up(calls(seen).filter(session_id=session_id)).order_by("-last_at", "-one_id")]


def _run(row: dict[str, Any]) -> Run:
    usage = Usage(row["nano"], row["calls"], row["unpriced"], row["fresh"], row["read"], row["written"], row["output"])
    same = (*KEYS, "one_id", "first_at", "last_at", "thinking", "agents", "key", "user", "team", "program")
    return Run(usage=usage, **{name: row[name] for name in same})


def complete(found: list[Run], seen: Q) -> list[Run]:
    """The same runs with what their sums do not tell: models, failures, tools and how long the last call took."""
    known = {run.run_key: run for run in found}
    theirs = calls(seen).filter(session_id__in={run.session_id for run in found})
    _add_models(known, theirs)
    _add_ends(known, theirs)
    if found:
        _add_tools(known, theirs)
    return found


def _add_models(known: dict[RunKey, Run], theirs: RequestQuerySet) -> None:
    again = Q(attempts__1__isnull=False)
    rows = theirs.values_list(*KEYS, "route").annotate(
        many=Count("pk"), problems=Count("pk", filter=~Q(outcome="ok")), rerouted=Count("pk", filter=again)
    )
    for *run_key, route, _many, problems, rerouted in rows.order_by("-many", "route"):
        if run := known.get(_key(run_key)):
            run.problems += problems
            run.rerouted += rerouted
            run.models.append(route)


def _add_ends(known: dict[RunKey, Run], theirs: RequestQuerySet) -> None:
    last = theirs.filter(received_at__in={run.last_at for run in known.values()})
    for *run_key, received_at, duration_ms in last.values_list(*KEYS, "received_at", "duration_ms"):
        run = known.get(_key(run_key))
        if run and run.last_at == received_at:
            run.last_ms = max(run.last_ms, duration_ms)


def _add_tools(known: dict[RunKey, Run], theirs: RequestQuerySet) -> None:
    counted: dict[RunKey, Counter[str]] = defaultdict(Counter)
    short = {run.session_id for run in known.values() if run.usage.calls <= MOST_CALLS_READ}
    rows: Iterable[Any] = theirs.filter(session_id__in=short).exclude(tools=[]).values_list(*KEYS, "tools")
    for *run_key, tools in rows:
        counted[_key(run_key)].update(map(str, tools))
    for run_key, tools in counted.items():
        if run_key in known:
            known[run_key].tools = tools.most_common()


def _key(values: list[str]) -> RunKey:
    session_id, key_id, user_id, team_id = values
    return (session_id, key_id, user_id, team_id)


def run_key_of(request_id: str, seen: Q) -> RunKey | None:
    """Of the run that this request is part of."""
    return records(seen).filter(pk=request_id).exclude(session_id="").values_list(*KEYS).first()
