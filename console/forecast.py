"""What the rest of a month will cost if weekdays go on as they did: the mean of each weekday over the last four weeks. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

LOOK_BACK = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Forecast:
    """`so_far` is this month's until now, `before` the whole month before; `ahead` what each day to come is expected to cost.

    Known after one whole day since the first spend.
    """

    last_day: date
    so_far_nano: int
    before_nano: int
    before_day: date
    is_known: bool = False
    ahead: Mapping[date, int] = field(default_factory=dict)
    rest_of_today_nano: int = 0

    @property
    def total_nano(self) -> int:
        return self.so_far_nano + self.rest_of_today_nano + sum(self.ahead.values())


def month_end(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def forecast(spent: Mapping[date, int], today: date) -> Forecast:
    """`spent` by day, from the first day of the month before."""
    first, last = today.replace(day=1), month_end(today)
    before = first - timedelta(days=1)
    expected = _expected({day: nano for day, nano in spent.items() if today - LOOK_BACK <= day < today}, today)
    days = [today + timedelta(days=ahead) for ahead in range(1, (last - today).days + 1)]
    return Forecast(
        last_day=last,
        so_far_nano=sum(nano for day, nano in spent.items() if first <= day <= today),
        before_nano=sum(nano for day, nano in spent.items() if before.replace(day=1) <= day <= before),
        before_day=before,
        is_known=bool(expected),
        ahead={day: expected[day.weekday()] for day in days} if expected else {},
        rest_of_today_nano=max(0, expected[today.weekday()] - spent.get(today, 0)) if expected else 0,
    )


def _expected(spent: Mapping[date, int], today: date) -> list[int]:
    """By weekday, of the whole days since the first that cost something; a weekday not yet seen is like the mean of all. Never below 0."""
    days = _since_first(spent, today)
    if not days:
        return []
    by_weekday: dict[int, list[int]] = defaultdict(list)
    for day in days:
        by_weekday[day.weekday()].append(spent.get(day, 0))
    overall = _mean([spent.get(day, 0) for day in days])
    return [_mean(by_weekday[weekday]) if by_weekday[weekday] else overall for weekday in range(7)]


def _since_first(spent: Mapping[date, int], today: date) -> Iterable[date]:
    paid = [day for day, nano in spent.items() if nano]
    return [min(paid) + timedelta(days=at) for at in range((today - min(paid)).days)] if paid else []


def _mean(values: list[int]) -> int:
    return max(0, sum(values) // len(values))
