"""Sums out of the roll-ups for the spend addresses, and names for what they are grouped by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any

from django.db.models import Q, Sum
from django.db.models.functions import TruncDate

from audit.models import RollUp, TagRollUp
from console.figures import COLUMNS, Usage
from console.management.spend_access import Reader
from console.management.wire import usd
from keys.models import Team, VirtualKey

ANSWERED = Q(status_class="2xx")
TAG_COLUMNS = ("cost_nano", "calls", "input_tokens", "output_tokens")
NAMELESS = "Unassigned"


@dataclass(slots=True)
class Tally:
    usage: Usage = field(default_factory=Usage)
    answered: int = 0

    def add(self, other: "Tally") -> None:
        self.usage.add(other.usage)
        self.answered += other.answered

    @property
    def dollars(self) -> Decimal | None:
        return usd(self.usage.cost_nano)


# What is grouped by, in the order asked, and the sums.
Group = tuple[tuple[Any, ...], Tally]


def tallies(where: Q, by: Sequence[str], zone: tzinfo = UTC) -> list[Group]:
    """One query; `day` is a day in `zone`."""
    rows = RollUp.objects.filter(where).order_by()
    if "day" in by:
        rows = rows.annotate(day=TruncDate("starts_at", tzinfo=zone))
    sums = {f"sum_{column}": Sum(column) for column in COLUMNS}
    found = rows.values_list(*by).annotate(**sums, answered=Sum("calls", filter=ANSWERED, default=0))
    cut = len(by)
    return [(row[:cut], Tally(Usage(*map(int, row[cut:-1])), int(row[-1]))) for row in found]


def tag_tallies(where: Q, by: Sequence[str]) -> list[Group]:
    """A call with two tags counts under both."""
    rows = TagRollUp.objects.filter(where).order_by()
    if "day" in by:
        rows = rows.annotate(day=TruncDate("starts_at", tzinfo=UTC))
    found = rows.values_list(*by).annotate(**{f"sum_{column}": Sum(column) for column in TAG_COLUMNS})
    cut = len(by)
    return [(row[:cut], _tagged(*map(int, row[cut:]))) for row in found]


def total(groups: Iterable[Group]) -> Tally:
    summed = Tally()
    for _, tally in groups:
        summed.add(tally)
    return summed


def dearest(groups: Iterable[Group], limit: int | None = None) -> list[Group]:
    return sorted(groups, key=lambda group: (-group[1].usage.cost_nano, -group[1].usage.calls, group[0]))[:limit]


def team_names(team_ids: Iterable[str]) -> dict[str, str]:
    """Calls of no team are unassigned; a team that is gone is called by its id."""
    ids = set(team_ids)
    known = dict(Team.objects.filter(pk__in=ids).values_list("pk", "name"))
    return {team_id: known.get(team_id, team_id or NAMELESS) for team_id in ids}


@dataclass(frozen=True, slots=True)
class KeyName:
    """A key as scripts know it: `token` is the hash of today's."""

    token: str
    alias: str | None = None
    hint: str | None = None
    team_id: str | None = None


class KeyNames:
    def __init__(self, key_ids: Iterable[str]) -> None:
        keys = VirtualKey.objects.filter(pk__in=set(key_ids)).only("token_hash", "name", "last_four", "team")
        self._known = {key.pk: KeyName(key.token_hash, key.name or None, key.hint, key.team_id) for key in keys}

    def of(self, key_id: str) -> KeyName:
        return self._known.get(key_id) or KeyName(key_id)


def tag_scope(reader: Reader) -> Q:
    """Tags are counted by team, not by key."""
    return Q() if reader.sees_all else Q(team_id__in=reader.team_ids)


def _tagged(cost_nano: int, calls: int, sent: int, output: int) -> Tally:
    return Tally(Usage(cost_nano=cost_nano, calls=calls, fresh=sent, output=output))
