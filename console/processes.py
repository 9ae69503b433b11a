"""Processes that admit calls: those that beat lately, how long ago, and what of their spend is still on its way to the ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, Sum
from django.db.models.functions import Now

from billing.models import Instance

# A process that lives beats each second; by the database's clock, for machines may differ.
ALIVE_S = 10
LATELY = timedelta(days=1)
LISTED = 50


@dataclass(frozen=True, slots=True)
class Process:
    instance: Instance
    is_alive: bool
    unposted_nano: int

    @property
    def is_silent(self) -> bool:
        """Gone without having said so, and not given up yet."""
        return not self.is_alive and self.instance.lost_at is None


def processes(now: datetime) -> list[Process]:
    """Those alive, and those that were within a day; the newest beat first."""
    lately = Q(beat_at__gte=now - LATELY) | Q(lost_at=None)
    rows = Instance.objects.filter(lately).annotate(unposted=Sum("shares__unposted_nano"), clock=Now()).order_by("-beat_at")[:LISTED]
    return [Process(row, _is_alive(row, row.clock), row.unposted or 0) for row in rows]


def alive() -> set[str]:
    rows = Instance.objects.filter(lost_at=None).annotate(clock=Now())
    return {row.pk for row in rows if _is_alive(row, row.clock)}


def _is_alive(row: Instance, clock: datetime) -> bool:
    return row.lost_at is None and (clock - row.beat_at).total_seconds() < ALIVE_S
