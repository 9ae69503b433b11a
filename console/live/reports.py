"""What only the processes themselves know, told once a second: calls under way and deployments that cool down. The newest word counts.

Each process tells all others through the channel layer: there is nothing to add up over time, so a word that gets lost does no harm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

GROUP = "live"
LAYER = "live"
# A process that said nothing for so long is not counted.
SILENT_S = 5.0
# Of a process that has more kinds of callers at once, the rest is told as nobody's.
MOST_CALLERS = 2000


class Cooling(NamedTuple):
    """A deployment that one process leaves alone: for how long yet, or it is being tried again right now."""

    deployment_id: str
    reason: str
    left_s: float
    is_probed: bool


@dataclass(frozen=True, slots=True)
class Report:
    """One process, now. `under_way` counts calls by team and person."""

    process: str
    under_way: Mapping[tuple[str, str], int] = field(default_factory=dict)
    cooling: tuple[Cooling, ...] = ()

    def message(self) -> dict[str, Any]:
        callers = [[team, person, count] for (team, person), count in self.under_way.items()]
        return {"type": "live.report", "process": self.process, "under_way": callers, "cooling": [list(one) for one in self.cooling]}

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> "Report":
        callers = {(team, person): count for team, person, count in message["under_way"]}
        return cls(message["process"], callers, tuple(Cooling(*one) for one in message["cooling"]))


class Reports:
    """The last report of each process. Replaced whole, so that any thread may read."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[float, Report]] = {}

    def hear(self, report: Report, now: float) -> None:
        kept = {name: one for name, one in self._heard.items() if now - one[0] <= SILENT_S}
        self._heard = kept | {report.process: (now, report)}

    def at(self, now: float) -> list[Report]:
        return [report for heard, report in self._heard.values() if now - heard <= SILENT_S]
