"""Quarters of an hour → days as the clocks of a time zone cut them: pure sums for rollup_rows.py to write."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from operator import add, attrgetter
from zoneinfo import ZoneInfo

from audit.rollups import KIND, TAG_KIND, TAG_SUMS, Kind, Sums, TagKind, TagSums

WHO = KIND[1:-1]
DAY_KIND = ("zone", "day", *WHO)
TAG_WHO = TAG_KIND[1:]
DAY_TAG_KIND = ("zone", "day", *TAG_WHO)
# What a day adds up as a quarter does; `failed_calls` stand for the status class, which days do not know.
ADDED = (
    "calls", "unpriced_calls", "estimated_calls", "cost_nano", "input_tokens", "cache_read_tokens", "cache_write_tokens",
    "output_tokens", "thinking_tokens",
)  # fmt: skip
DAY_SUMS = ("failed_calls", *ADDED)
ANSWERED = "2xx"

# The fields of DAY_KIND or DAY_TAG_KIND, the day as databases take it, and those of DAY_SUMS or TAG_SUMS.
DayKind = tuple[str, ...]
DaySums = tuple[int, ...]

_added = attrgetter(*ADDED)
_tag_sums = attrgetter(*TAG_SUMS)


def by_day(by_kind: Mapping[Kind, Sums], zone: str) -> dict[DayKind, DaySums]:
    found: dict[DayKind, DaySums] = {}
    for (quarter, *who, how), sums in by_kind.items():
        of = (zone, day_of(quarter, zone), *who)
        coming = (0 if how == ANSWERED else sums.calls, *_added(sums))
        known = found.get(of)
        found[of] = tuple(map(add, known, coming)) if known else coming
    return found


def tags_by_day(by_tag: Mapping[TagKind, TagSums], zone: str) -> dict[DayKind, DaySums]:
    found: dict[DayKind, DaySums] = {}
    for (quarter, *who), sums in by_tag.items():
        of, coming = (zone, day_of(quarter, zone), *who), _tag_sums(sums)
        known = found.get(of)
        found[of] = tuple(map(add, known, coming)) if known else coming
    return found


@lru_cache(maxsize=1024)
def day_of(quarter: int, zone: str) -> str:
    return datetime.fromtimestamp(quarter, ZoneInfo(zone)).date().isoformat()


def starts(day: date, zone: tzinfo) -> datetime:
    """The first moment of a day, in UTC, whose times compare as they follow; where clocks leave midnight out, the one in which they do."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)


def bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    return starts(day, zone), starts(day + timedelta(days=1), zone)
