"""Home: the visitor's month in money, with its budgets, keys and teams. Before the first request: the steps that lead to it."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from billing.models import Budget
from billing.scopes import member_id
from console.access import page, reach, traffic
from console.apps import live_of_this_process
from console.budget_list import BudgetRow, rows_of
from console.connect_blocks import address_of
from console.figures import Source, newest, records
from console.key_states import Mark, mark
from console.processes import alive
from console.this_month import Part, teams, this_month, top_models
from keys.access import Reach
from keys.models import Membership, VirtualKey
from routing.models import Deployment

LAST = 8
BUDGETS = 6
KEYS = 8
TEAMS = 10
OF_A_MONTH = frozenset({"month", "1mo"})


@page()
def home(request: HttpRequest) -> HttpResponse:
    known, now, zone = reach(request), timezone.now(), timezone.get_current_timezone()
    mine = traffic(known) if known.sees_money else Q(user_id=known.person_id)
    last = list(newest(records(mine).without_token_counts())[:LAST])
    context: dict[str, object] = {"public_url": address_of(request), "zone": zone, "now": now}
    if known.is_admin and not last:
        return render(request, "home/first_run.html", context | _progress())
    source = Source(mine, zone)
    month = this_month(source, now)
    budgets = rows_of(concerning(known), now)
    led = [] if known.sees_money else teams(Source(traffic(known), zone), month.period, known.managed)
    context |= {
        "month": month,
        "top": top_models(source, month.period),
        "budgets": budgets[:BUDGETS],
        "main": _main(budgets, known),
        "keys": _keys(known, now),
        "teams": _with_budgets(led[:TEAMS], budgets),
        "last": last,
        "is_whole": known.sees_money,
        "circuits": _circuits(now) if known.is_admin else None,
    }
    return render(request, "home/home.html", context)


@dataclass(frozen=True, slots=True)
class Circuits:
    """Names of deployments that cool down somewhere. Processes hear of each other only while somebody looks at a Live page."""

    cooling: list[str]
    knows_all: bool


def _circuits(now: datetime) -> Circuits | None:
    """As far as this process has heard; None where nobody tells."""
    reports = live_of_this_process().desk.reports.at(now.timestamp())
    if not reports:
        return None
    ids = {one.deployment_id for report in reports for one in report.cooling}
    names = list(Deployment.objects.filter(pk__in=ids).values_list("name", flat=True)) if ids else []
    return Circuits(names, alive() <= {report.process for report in reports})


def _progress() -> dict[str, object]:
    return {
        "key": VirtualKey.objects.filter(revoked_at=None).order_by("created_at").first(),
        "has_provider": Deployment.objects.exclude(provider="demo").exists(),
    }


def concerning(known: Reach) -> QuerySet[Budget]:
    """Budgets of the visitor, their keys and memberships, and the teams they manage; of all teams for those who see all money."""
    keys = _own_keys(known).values_list("pk", flat=True)
    joined = Membership.objects.filter(user_id=known.person_id).values_list("team_id", flat=True)
    own = (
        Q(scope=Budget.Scope.USER, scope_id=known.person_id)
        | Q(scope=Budget.Scope.KEY, scope_id__in=keys)
        | Q(scope=Budget.Scope.MEMBER, scope_id__in=[member_id(team_id, known.person_id) for team_id in joined])
        | Q(scope=Budget.Scope.TEAM, scope_id__in=known.managed)
        | Q(scope=Budget.Scope.ORGANISATION, scope_id__in=known.organisations)
    )
    whole = Q(scope__in=(Budget.Scope.GLOBAL, Budget.Scope.ORGANISATION, Budget.Scope.TEAM))
    return Budget.objects.filter(own | whole if known.sees_money else own)


def _main(budgets: list[BudgetRow], known: Reach) -> BudgetRow | None:
    """The budget that the month's figure is held against: the visitor's own, or everybody's for those who see all money."""
    wanted = ("global", "") if known.sees_money else ("user", known.person_id)
    found = (row for row in budgets if (row.budget.scope, row.budget.scope_id) == wanted)
    return next((row for row in found if not row.budget.model and row.budget.period in OF_A_MONTH), None)


def _own_keys(known: Reach) -> QuerySet[VirtualKey]:
    return VirtualKey.objects.filter(user_id=known.person_id, revoked_at=None)


def _keys(known: Reach, now: datetime) -> list[tuple[VirtualKey, Mark]]:
    """Their state is what callers meet; how much they spend is the Keys page's to say."""
    return [(key, mark(key, None, now, now)) for key in _own_keys(known).select_related("team").order_by("name")[:KEYS]]


def _with_budgets(parts: list[Part], budgets: list[BudgetRow]) -> list[tuple[Part, BudgetRow | None]]:
    by_team = {row.budget.scope_id: row for row in reversed(budgets) if row.budget.scope == "team"}
    return [(part, by_team.get(part.value)) for part in parts]
