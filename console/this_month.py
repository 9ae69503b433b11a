"""A month as Home looks at it: to date, today, to its end, and the models and teams that made it up. Out of roll-ups."""

from dataclasses import dataclass
from datetime import datetime

from console.breakdown import ranked
from console.dimensions import names
from console.figures import Source, Usage, add_up
from console.forecast import Forecast, forecast
from console.period import Period, period

TOP = 5


@dataclass(frozen=True, slots=True)
class ThisMonth:
    """`days` are those so far, today last."""

    period: Period
    days: list[Usage]
    forecast: Forecast

    @property
    def total(self) -> Usage:
        return add_up(self.days)

    @property
    def today(self) -> Usage:
        return self.days[-1]


def this_month(source: Source, now: datetime) -> ThisMonth:
    """In one query, from the first day of the month before."""
    month = period("month", now, source.zone)
    used = source.by_day((month.earlier[0], month.end))
    spent = {day: usage.cost_nano for day, usage in used.items()}
    return ThisMonth(month, [used.get(day, Usage()) for day in month.days], forecast(spent, month.last_day))


@dataclass(frozen=True, slots=True)
class Part:
    value: str
    name: str
    usage: Usage


def top_models(source: Source, month: Period) -> list[Part]:
    found = ranked("model", source.sums((month.start, month.end), "route"))
    return [Part(str(name), str(name), usage) for name, usage in found if name][:TOP]


def teams(source: Source, month: Period, ids: frozenset[str]) -> list[Part]:
    """Those teams, the dearest first; one without a call has its line, too."""
    found = dict.fromkeys(ids, Usage())
    found |= {team_id: usage for (team_id,), usage in source.sums((month.start, month.end), "team_id", only=("team_id", ids))}
    called = names("team", ids)
    return sorted((Part(one, called[one], usage) for one, usage in found.items()), key=lambda part: (-part.usage.cost_nano, part.name))
