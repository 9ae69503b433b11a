"""What the Chargeback page was asked for: a month in a time zone, and a cost centre to look into."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from billing.models import FrozenMonth
from billing.months import Month
from console.dimensions import NOTHING
from keys.preferences import time_zones

LONGEST = 100


@dataclass(frozen=True, slots=True)
class ChargebackFilter:
    """`seen` is what the visitor may see; an empty centre is all of them, NOTHING what has none."""

    month: Month
    seen: Q
    centre: str = ""

    @classmethod
    def read(cls, query: QueryDict, seen: Q, now: datetime) -> "ChargebackFilter":
        """A value that means nothing is as if it were not there. Unless told, the month that has just ended, by the gateway's clock."""
        given = {name: query.get(name, "").replace("\x00", "").strip()[:LONGEST] for name in query}
        zone = ZoneInfo(given["zone"]) if given.get("zone") in time_zones() else ZoneInfo(usual_zone())
        running = Month.at(now, zone)
        month = Month.read(given.get("month", ""), zone) or running.before
        return cls(month if month.first <= running.first else running, seen, given.get("centre", ""))

    @property
    def query(self) -> str:
        zone = self.month.zone.key
        pairs = [("month", self.month.key), ("zone", "" if zone == usual_zone() else zone), ("centre", self.centre)]
        return urlencode([pair for pair in pairs if pair[1]])

    @property
    def named(self) -> str:
        """Month and zone, both told: for what changes something."""
        return urlencode({"month": self.month.key, "zone": self.month.zone.key})

    def of_month(self, month: Month) -> str:
        return replace(self, month=month).query

    def of_centre(self, centre: str) -> str:
        return replace(self, centre=centre).query

    def narrow(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        found = rows.filter(self.seen)
        return found.filter(cost_centre="" if self.centre == NOTHING else self.centre) if self.centre else found

    def traffic(self, **values: str) -> str:
        """The query by which Spend and Requests show the same; they cut months in the visitor's own time zone."""
        centre = {"centre": self.centre} if self.centre else {}
        return urlencode({"period": self.month.key} | centre | {name: value or NOTHING for name, value in values.items()})


def usual_zone() -> str:
    """Months of the books are the gateway's, whatever a visitor's own clock says."""
    return timezone.get_default_timezone_name()


def zones(asked: Month) -> list[str]:
    """Those that somebody closes months in, the gateway's, the visitor's own and the one asked for."""
    closed = FrozenMonth.objects.order_by("time_zone").values_list("time_zone", flat=True).distinct()
    return sorted({*closed, usual_zone(), timezone.get_current_timezone_name(), asked.zone.key})
