"""Spend by group and subgroup, over time and against the span before: all that the Spend page and its files say, out of roll-ups alone."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.utils.translation import gettext as _

from console.dimensions import TIMES, Value, names
from console.figures import Group, Source, Usage, add_up
from console.forecast import Forecast
from console.period import Period
from console.spend_filter import HOURLY_WITHIN, SpendFilter, column

SERIES = 6
ROWS = 30
PARTS = 5
# With more groups there are fewer parts of each: a page is to be read.
LINES = 120


@dataclass(slots=True)
class Row:
    """One group, or one part of it; its colour is 1 to 6, 0 beyond. `link` lists its requests."""

    value: Value
    name: str
    usage: Usage
    link: str = ""
    colour: int = 0
    earlier_nano: int = 0
    trend: list[int] = field(default_factory=list)
    parts: list["Row"] = field(default_factory=list)
    rest: Usage | None = None
    rest_count: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """A day or an hour: the series in their order, then what the others cost together."""

    at: date | datetime
    series_nano: list[int]
    other_nano: int
    total_nano: int
    is_ahead: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    colour: int


@dataclass(frozen=True, slots=True)
class Breakdown:
    period: Period
    total: Usage
    earlier: Usage
    rows: list[Row]
    rest: Usage | None
    rest_count: int
    series: list[Series]
    other_count: int
    bars: list[Bar]
    totals: list[Usage]

    @property
    def unpriced(self) -> list[str]:
        return [row.name for row in self.rows if row.usage.unpriced]


@dataclass(frozen=True, slots=True)
class Question:
    """`whole` answers for everything asked, `table` for the groups, `nested` for the groups' parts: two of them may be tags'."""

    asked: SpendFilter
    period: Period
    whole: Source
    table: Source
    nested: Source

    @property
    def bucket(self) -> str:
        """Bars are days; hours where the period is short or hours were asked for."""
        return "hour" if self.asked.by == "hour" or self.period.length <= HOURLY_WITHIN else "day"

    @property
    def counts_twice(self) -> bool:
        """Whether series are tags: a call with two tags counts in both, so they may add up to more than was spent."""
        return "tag" in ((self.asked.then,) if self.asked.by in TIMES else (self.asked.by,))

    @property
    def compared_by(self) -> str:
        """What the span before is asked by: the groups, for they are compared, too, unless they are not all there is."""
        return "route" if self.asked.by in TIMES or self.table.of_tags else column(self.asked.by)

    @property
    def span(self) -> tuple[datetime, datetime]:
        return self.period.start, self.period.end

    @property
    def moments(self) -> Sequence[date | datetime]:
        return self.period.hours if self.bucket == "hour" else self.period.days


def breakdown(question: Question) -> Breakdown:
    """By models, the usual, one query for each span; two more by anything else. And one or two for names."""
    groups = ranked(question.asked.by, question.table.sums(question.span, column(question.asked.by)))
    by_moment = {moment: usage for (moment,), usage in question.whole.sums(question.span, question.bucket)}
    shown, rest = groups[:ROWS] if question.asked.by not in TIMES else groups, groups[ROWS:] if question.asked.by not in TIMES else []
    earlier = add_up(usage for _, usage in question.whole.sums(question.period.earlier, question.compared_by))
    rows = _rows(question, shown)
    _compare(question, rows)
    _nest(question, rows)
    drawn, others, over_time = _over_time(question, rows)
    if not drawn:
        drawn, over_time = [Series(_("Spend"), 1)], {moment: [usage.cost_nano] for moment, usage in by_moment.items()}
    return Breakdown(
        period=question.period,
        total=add_up(by_moment.values()),
        earlier=earlier,
        rows=rows,
        rest=add_up(usage for _, usage in rest) if rest else None,
        rest_count=len(rest),
        series=drawn,
        other_count=others + sum(1 for _, usage in rest if usage.cost_nano),
        bars=_bars(question, by_moment, over_time, len(drawn)),
        totals=[by_moment.get(moment, Usage()) for moment in question.moments],
    )


def ranked(by: str, found: Iterable[Group]) -> list[tuple[Value, Usage]]:
    """The dearest first; days and hours in their order."""
    groups = [(values[0], usage) for values, usage in found]
    if by in TIMES:
        return sorted(groups, key=lambda group: group[0])
    return sorted(groups, key=lambda group: (-group[1].cost_nano, -group[1].calls, group[0]))


def _rows(question: Question, groups: list[tuple[Value, Usage]]) -> list[Row]:
    by = question.asked.by
    called = names(by, [value for value, _ in groups])
    rows = [Row(value, called[value], usage, question.asked.requests((by, value))) for value, usage in groups]
    for place, row in enumerate(rows[:SERIES] if by not in TIMES else (), start=1):
        row.colour = place if row.usage.cost_nano else 0
    return rows


def _compare(question: Question, rows: list[Row]) -> None:
    """Each row with its spend over time and in the span before. Times have neither."""
    if question.asked.by in TIMES or not rows:
        return
    of = column(question.asked.by)
    shown = of, [row.value for row in rows]
    earlier = question.table.costs(question.period.earlier, of, only=shown)
    trend = question.table.costs(question.span, of, question.bucket, only=shown)
    moments = question.moments
    for row in rows:
        row.earlier_nano = earlier.get((row.value,), 0)
        row.trend = [trend.get((row.value, moment), 0) for moment in moments]


def _nest(question: Question, rows: list[Row]) -> None:
    """Where rows are many, their parts are in the chart and in files alone."""
    asked = question.asked
    most = min(PARTS, LINES // len(rows) - 1) if asked.then and rows else 0
    if most < 1:
        return
    found: dict[Value, list[Group]] = defaultdict(list)
    of = column(asked.by)
    only = None if asked.by in TIMES else (of, [row.value for row in rows])
    for (value, part), usage in question.nested.sums(question.span, of, column(asked.then), only=only):
        found[value].append(((part,), usage))
    called = names(asked.then, {part[0] for parts in found.values() for part, _ in parts})
    for row in rows:
        parts = ranked("", found[row.value])
        row.rest = add_up(usage for _, usage in parts[most:]) if parts[most:] else None
        row.rest_count = len(parts[most:])
        row.parts = [
            Row(part, called[part], usage, asked.requests((asked.by, row.value), (asked.then, part))) for part, usage in parts[:most]
        ]


# Of each moment what each series cost.
OverTime = Mapping[date | datetime, Sequence[int]]


def _over_time(question: Question, rows: list[Row]) -> tuple[list[Series], int, OverTime]:
    """What the bars are made of: the rows that have a colour, or by time what the parts have in common."""
    if question.asked.by in TIMES:
        return _parts_over_time(question)
    coloured = [row for row in rows if row.colour]
    over_time = {moment: [row.trend[at] for row in coloured] for at, moment in enumerate(question.moments)}
    others = sum(1 for row in rows if not row.colour and row.usage.cost_nano)
    return [Series(row.name, row.colour) for row in coloured], others, over_time


def _parts_over_time(question: Question) -> tuple[list[Series], int, OverTime]:
    then = question.asked.then
    if not then or then in TIMES:
        return [], 0, {}
    parts = [(value, usage) for value, usage in ranked(then, question.nested.sums(question.span, column(then))) if usage.cost_nano]
    drawn = [value for value, _ in parts[:SERIES]]
    cost = question.nested.costs(question.span, question.bucket, column(then), only=(column(then), drawn))
    called = names(then, drawn)
    over_time = {moment: [cost.get((moment, value), 0) for value in drawn] for moment in question.moments}
    return [Series(called[one], place) for place, one in enumerate(drawn, start=1)], len(parts) - len(drawn), over_time


def _bars(question: Question, by_moment: Mapping[date | datetime, Usage], over_time: OverTime, series: int) -> list[Bar]:
    bars = []
    for moment in question.moments:
        cost, total = list(over_time.get(moment, [0] * series)), by_moment.get(moment, Usage()).cost_nano
        left = total - sum(cost)
        bars.append(Bar(moment, cost, max(0, left) if question.counts_twice else left, total))
    return bars


def ahead(figures: Breakdown, forecast: Forecast) -> list[Bar]:
    """Days to come, each made up as the days so far have been."""
    whole = sum(bar.total_nano for bar in figures.bars)
    parts = [sum(bar.series_nano[at] for bar in figures.bars) for at in range(len(figures.series))]
    bars = []
    for day, nano in forecast.ahead.items():
        cost = [nano * part // whole if whole > 0 else 0 for part in parts]
        bars.append(Bar(day, cost, nano - sum(cost), nano, is_ahead=True))
    return bars


def every_row(question: Question) -> Iterator[tuple[str, str, Usage]]:
    """For files: every group, or every part of every group, by name; nothing is summed as other."""
    by, then = question.asked.by, question.asked.then
    if not then:
        groups = ranked(by, question.table.sums(question.span, column(by)))
        called = names(by, [value for value, _ in groups])
        yield from ((called[value], "", usage) for value, usage in groups)
        return
    found = question.nested.sums(question.span, column(by), column(then))
    outer, inner = names(by, {values[0] for values, _ in found}), names(then, {values[1] for values, _ in found})
    parts: dict[Value, list[Group]] = defaultdict(list)
    for (value, part), usage in found:
        parts[value].append(((part,), usage))
    sums: list[Group] = [((value,), add_up(group[1] for group in each)) for value, each in parts.items()]
    for value, _usage in ranked(by, sums):
        yield from ((outer[value], inner[part], usage) for part, usage in ranked(then, parts[value]))
