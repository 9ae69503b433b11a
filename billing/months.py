"""Months of the calendar in a time zone, as bills are cut: when one begins and ends, which comes before and after. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_WRITTEN = re.compile(r"([0-9]{4})-([0-9]{2})")
YEARS = range(2000, 2999)


@dataclass(frozen=True, slots=True)
class Month:
    """`key` is how it is written: 2026-11."""

    first: date
    zone: ZoneInfo

    @classmethod
    def read(cls, text: str, zone: ZoneInfo) -> "Month | None":
        """None where there is no such month."""
        found = _WRITTEN.fullmatch(text)
        if not found or int(found[1]) not in YEARS or not 1 <= int(found[2]) <= 12:
            return None
        return cls(date(int(found[1]), int(found[2]), 1), zone)

    @classmethod
    def at(cls, moment: datetime, zone: ZoneInfo) -> "Month":
        return cls(moment.astimezone(zone).date().replace(day=1), zone)

    @property
    def key(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def start(self) -> datetime:
        """In UTC; where clocks skip midnight, the moment at which they do."""
        return datetime.combine(self.first, time.min, tzinfo=self.zone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The month after begins there."""
        return self.after.start

    @property
    def after(self) -> "Month":
        return Month((self.first + timedelta(days=31)).replace(day=1), self.zone)

    @property
    def before(self) -> "Month":
        return Month((self.first - timedelta(days=1)).replace(day=1), self.zone)

    def has_ended(self, now: datetime) -> bool:
        return self.end <= now


def months_between(first: Month, last: Month) -> list[Month]:
    """Both included, in their order."""
    found, month = [], first
    while month.first <= last.first:
        found.append(month)
        month = month.after
    return found
