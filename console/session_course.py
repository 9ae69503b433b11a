"""One run from call to call: what each cost and all up to it, when it ran, how much the cache knew; and what the whole run was spent on."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Min, Q, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.functional import Promise

from audit.models import RequestRecord
from audit.querysets import RequestQuerySet
from console.figures import Usage, usage_of
from console.price_lines import KINDS, bill
from console.sessions import KEYS, MOST_CALLS_READ, SUMS, Run, calls

# Calls of one page.
SHOWN = 100
_NARROWEST = 0.6


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `so_far_nano` is what the run had cost with it; `start` and `width` lay it out on the run's time, ready for SVG."""

    number: int
    record: RequestRecord
    usage: Usage
    so_far_nano: int
    start: str
    width: str
    tools: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Course:
    """A page of a run's calls, oldest first."""

    steps: list[Step]
    page: int
    pages: int

    @property
    def rises(self) -> list[int]:
        """What each call added; the first also brings what came before this page."""
        return [step.so_far_nano if at == 0 else step.usage.cost_nano for at, step in enumerate(self.steps)]

    @property
    def earlier(self) -> int:
        return self.page - 1

    @property
    def later(self) -> int:
        return self.page + 1 if self.page < self.pages else 0


@dataclass(frozen=True, slots=True)
class Part:
    """What one agent, or one model, used of a run. The agent that people talk to has no name."""

    name: str
    usage: Usage


@dataclass(slots=True)
class Kind:
    label: str | Promise
    count: int = 0
    amount_nano: int = 0


@dataclass(slots=True)
class Spent:
    """What the calls say one by one; `is_whole` unless there are more of them than a page reads."""

    kinds: dict[str, Kind] = field(default_factory=dict)
    tags: Counter[str] = field(default_factory=Counter)
    end_users: Counter[str] = field(default_factory=Counter)
    programs: Counter[str] = field(default_factory=Counter)
    is_whole: bool = True

    @property
    def itemised_nano(self) -> int:
        return sum(kind.amount_nano for kind in self.kinds.values())


def calls_of(run: Run, seen: Q) -> RequestQuerySet:
    """By the index on session ids. Of bare columns SQLite would choose that on keys, and read all that the key ever called."""
    session_id, *others = run.run_key
    its = {f"its_{column}": Coalesce(column, Value("")) for column in KEYS[1:]}
    return calls(seen).alias(**its).filter(session_id=session_id, **dict(zip(its, others, strict=True)))


def course(run: Run, found: RequestQuerySet, page: int) -> Course:
    pages = max(1, -(-run.usage.calls // SHOWN))
    page = min(page, pages)
    ordered = found.order_by("received_at", "id").defer("price_lines", "error_message", "tags")
    before = (page - 1) * SHOWN
    so_far: int = ordered[:before].aggregate(nano=Sum("cost_nano", default=0))["nano"] if before else 0
    steps = []
    for number, record in enumerate(ordered[before : before + SHOWN], start=before + 1):
        so_far += record.cost_nano or 0
        tools = Counter(str(tool) for tool in record.tools).most_common()
        steps.append(Step(number, record, usage_of(record), so_far, *_lane(run, record), tools))
    return Course(steps, page, pages)


def _lane(run: Run, record: RequestRecord) -> tuple[str, str]:
    whole = max(run.duration_ms, record.duration_ms, 1.0)
    start = 100 * ((record.received_at - run.first_at) / timedelta(milliseconds=1)) / whole
    start = min(max(start, 0), 100 - _NARROWEST)
    width = max(_NARROWEST, min(100 * record.duration_ms / whole, 100 - start))
    return f"{start:.2f}%", f"{width:.2f}%"


def parts(found: RequestQuerySet, column: str) -> list[Part]:
    """By agent or by model, in the order in which they began."""
    names = dict(zip(Usage.__slots__, ("nano", "calls", "unpriced", "fresh", "read", "written", "output"), strict=True))
    rows = found.values(column).annotate(begun=Min("received_at"), **{name: SUMS[name] for name in names.values()}).order_by("begun")
    return [Part(row[column], Usage(**{field_name: row[name] for field_name, name in names.items()})) for row in rows]


def spent(run: Run, found: RequestQuerySet) -> Spent:
    told = Spent(is_whole=run.usage.calls <= MOST_CALLS_READ)
    if not told.is_whole:
        return told
    for record in found.only("price_lines", "tags", "end_user", "client").iterator():
        for line in bill(record).lines:
            kind = told.kinds.setdefault(line.kind, Kind(line.label))
            kind.count += line.count
            kind.amount_nano += line.amount_nano
        told.tags.update(map(str, record.tags))
        told.end_users.update(filter(None, [record.end_user]))
        told.programs.update(filter(None, [record.client]))
    told.kinds = {name: told.kinds[name] for name in sorted(told.kinds, key=_place)}
    return told


def _place(kind: str) -> int:
    return list(KINDS).index(kind) if kind in KINDS else len(KINDS)
