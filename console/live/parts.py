"""The parts of the Live page as HTML, each replaced on its own: the same templates for the first paint and for every push after it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from audit.models import RequestRecord
from console.access import traffic
from console.figures import records
from console.live.board import Board, Figures, Health, Kind, Minute, Percentiles
from console.live.look import Look
from console.live.reports import Cooling, Report
from console.outcomes import SIDES, Side
from keys.access import Reach
from routing.models import Deployment

Parts = dict[str, str]
DEPLOYMENTS = 60


@dataclass(slots=True)
class Rows:
    """The list's rows by id: a request that has ended looks the same a second later."""

    html: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """For whom and how, at which moment, out of what."""

    scope: Reach
    look: Look
    now: float
    board: Board
    reports: list[Report]
    rows: Rows

    @property
    def sees_all(self) -> bool:
        return self.scope.is_admin or self.scope.sees_money


class Cells(NamedTuple):
    """A minute's row of the charts' tables."""

    at: datetime
    calls: int
    first: Percentiles | None
    total: Percentiles | None
    errors: list[int]


class Failure(NamedTuple):
    side: Side
    side_name: str
    status: int
    code: str
    times: int


class Standing(NamedTuple):
    """A deployment: where its circuit stands in the process that is worst off, and in how many of them it does."""

    name: str
    provider: str
    health: Health
    cooling: Cooling | None
    in_processes: int
    is_active: bool


def parts_of(shown: Shown) -> Parts:
    figures = shown.board.figures(shown.now)
    with shown.look.on():
        context = _context(shown, figures)
        names = ["numbers", "first", "total", "errors", "failures", *(["deployments"] if shown.scope.is_admin else [])]
        found = {name: render_to_string(f"live/{name}.html", context) for name in names}
        return found | {"rows": _rows(shown)}


def _context(shown: Shown, figures: Figures) -> dict[str, Any]:
    limit, processes = settings.TALLYGATE_MAX_IN_FLIGHT, len(shown.reports)
    return {
        "figures": figures,
        "minutes": [_cells(minute) for minute in figures.minutes],
        "calls": [minute.calls for minute in figures.minutes],
        "errors": [minute.errors for minute in figures.minutes],
        "under_way": [minute.under_way for minute in figures.minutes],
        "limit": limit * processes if shown.sees_all else 0,
        "is_told": bool(processes),
        "failures": [_failure(kind, count) for kind, count in figures.kinds],
        "processes": processes,
    } | (_deployments(shown, figures) if shown.scope.is_admin else {})


def _cells(minute: Minute) -> Cells:
    sides = minute.sides
    at = datetime.fromtimestamp(minute.at, UTC)
    return Cells(at, minute.calls, minute.first.percentiles(), minute.total.percentiles(), [sides[name] for name in SIDES])


def _failure(kind: Kind, count: int) -> Failure:
    side, status, code = kind
    return Failure(SIDES[side], side, status, code, count)


def _deployments(shown: Shown, figures: Figures) -> dict[str, Any]:
    """Those in trouble first, then by how much they serve; of those that nobody called only how many they are."""
    healths = {one.name: one for one in figures.health}
    found, idle = [], 0
    for pk, name, provider, is_active in Deployment.objects.values_list("pk", "name", "provider", "is_active"):
        coolings = [one for report in shown.reports for one in report.cooling if one.deployment_id == pk]
        if name not in healths and not coolings:
            idle += is_active
            continue
        worst = max(coolings, key=lambda one: one.left_s, default=None)
        health = healths.get(name) or Health(name, [""] * len(figures.minutes), 0, 0, 0.0, None)
        found.append(Standing(name, provider, health, worst, len(coolings), is_active))
    found.sort(key=lambda one: (one.cooling is None, -one.health.bad, -one.health.tries, one.name))
    return {"deployments": found[:DEPLOYMENTS], "idle": idle}


def _rows(shown: Shown) -> str:
    ids = shown.board.newest
    known = shown.rows.html
    missing = [one for one in ids if one not in known]
    found: dict[str, RequestRecord] = {}
    if missing:
        of_scope = records(traffic(shown.scope)).filter(Q(pk__in=missing)).order_by().defer("price_lines", "tools", "tags", "error_message")
        found = {record.id: record for record in of_scope}
    fresh = {name: render_to_string("live/row.html", {"row": record}) for name, record in found.items()}
    shown.rows.html = {name: html for name in ids if (html := known.get(name) or fresh.get(name))}
    return SafeString("".join(shown.rows.html.values())) or render_to_string("live/no_rows.html", {})
