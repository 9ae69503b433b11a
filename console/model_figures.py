"""Models as their page shows them: names with prices and use for everybody who may call them, for administrators where they lead."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Max, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext

from audit.models import AuditEvent, RollUp
from billing.loading import load_prices
from billing.scopes import names_of
from billing.snapshot import PriceBook, Rates
from console.access import traffic
from console.figures import Group, Source, Usage
from console.grants import covers_names
from keys.access import Reach
from keys.models import Team, VirtualKey
from routing.diagnosis import SENTENCES
from routing.models import Deployment, Route, RouteTarget

USED_DAYS = 30
HEALTH = timedelta(hours=24)
FAILED = ("5xx", "failed", "truncated")
USERS = 20
Lists = tuple[list[str], ...]


@dataclass(frozen=True, slots=True)
class Test:
    """What the last connection test said, in the words of `tallygate doctor`."""

    at: datetime
    ok: bool
    sentence: str
    status: int
    ms: int


@dataclass(frozen=True, slots=True)
class TargetRow:
    target: RouteTarget
    share: int
    rates: Rates | None
    test: Test | None

    @property
    def deployment(self) -> Deployment:
        return self.target.deployment


@dataclass(slots=True)
class ModelRow:
    """One public name. Targets are in the order in which they are asked."""

    name: str
    route: Route
    targets: list[TargetRow] = field(default_factory=list)
    used: Usage = field(default_factory=Usage)
    calls: int = 0
    failed: int = 0

    @property
    def rates(self) -> Rates | None:
        """Those of the target that is asked first."""
        return next((target.rates for target in self.targets if target.deployment.is_active), None)

    @property
    def takes_any_name(self) -> bool:
        """Calls are priced by the name that they ask for."""
        return any(target.deployment.model == "*" for target in self.targets)

    @property
    def broken(self) -> int:
        return len([one for one in self.targets if one.test and not one.test.ok])

    @property
    def working(self) -> int:
        return len([one for one in self.targets if one.test and one.test.ok])


@dataclass(frozen=True, slots=True)
class UserRow:
    """Who called a model: a key, and whose it is."""

    team: str
    key: str
    person: str
    usage: Usage


# ── which ─────────────────────────────────────────────────────────────────────
def model_rows(reach: Reach, now: datetime) -> list[ModelRow]:
    """All for administrators, active ones for finance, else those that the visitor's teams and keys may call."""
    routes = Route.objects.order_by("name")
    if reach.is_admin:
        named = [(route.name, route) for route in routes]
    elif reach.sees_money:
        named = [(route.name, route) for route in routes.filter(is_active=True)]
    else:
        named = _callable(list(routes.filter(is_active=True)), _lists(reach))
    rows = [ModelRow(name, route) for name, route in named]
    _add_targets(rows, now)
    _add_use(rows, reach, now)
    return rows


def _lists(reach: Reach) -> list[Lists]:
    """The lists of models of each place that somebody calls from: all of a place's must name a model."""
    teams = Team.objects.filter(pk__in=reach.joined).select_related("organisation")
    found = [(team.allowed_models, team.organisation.allowed_models if team.organisation else []) for team in teams]
    keys = VirtualKey.objects.filter(user_id=reach.person_id, team=None, revoked_at=None).select_related("organisation")
    own = [(key.allowed_models, key.organisation.allowed_models if key.organisation else []) for key in keys]
    return [*found, *own]


def _callable(routes: list[Route], places: list[Lists]) -> list[tuple[str, Route]]:
    """Routes by name, and single names of lists that a family of routes answers to."""
    found = {route.name: route for route in routes if _may(route.name, places)}
    families = sorted((route for route in routes if route.name.endswith("*")), key=lambda route: -len(route.name))
    exact = {route.name for route in routes}
    for name in {name for lists in places for names in lists for name in names if not name.endswith("*")} - exact:
        family = next((route for route in families if name.startswith(route.name[:-1])), None)
        if family and family.name not in found and _may(name, places):
            found[name] = family
    return sorted(found.items())


def _may(name: str, places: list[Lists]) -> bool:
    return any(all(covers_names(names, [name]) for names in lists) for lists in places)


# ── where they lead ───────────────────────────────────────────────────────────
def _add_targets(rows: list[ModelRow], now: datetime) -> None:
    book, at = load_prices(), now.timestamp()
    by_route: dict[str, list[RouteTarget]] = {}
    ids = {row.route.pk for row in rows}
    found = RouteTarget.objects.filter(route_id__in=ids).select_related("deployment")
    for target in found.order_by("order", "-weight", "deployment__name"):
        by_route.setdefault(target.route_id, []).append(target)
    tests = last_tests(target.deployment_id for targets in by_route.values() for target in targets)
    for row in rows:
        targets = by_route.get(row.route.pk, [])
        for one in targets:
            equals = sum(other.weight for other in targets if other.order == one.order)
            share = one.weight * 100 // equals if equals else 0
            row.targets.append(TargetRow(one, share, _rates(row.name, one.deployment, book, at), tests.get(one.deployment_id)))


def _rates(name: str, deployment: Deployment, book: PriceBook, at: float) -> Rates | None:
    """What a short prompt costs; None where that depends on the name asked, or nobody knows it."""
    model = deployment.base_model or (name if deployment.model == "*" else deployment.model)
    price = None if "*" in model else book.find(deployment.provider, model, at)
    return price.bands[0] if price else None


def last_tests(deployment_ids: Iterable[str]) -> dict[str, Test]:
    """By deployment, from the audit trail: every test stands there."""
    of = AuditEvent.objects.filter(event="deployment.tested", object_type="deployment", object_id__in=set(deployment_ids))
    newest = of.order_by().values_list("object_id").annotate(newest=Max("pk")).values_list("newest", flat=True)
    return {event.object_id: _test(event) for event in AuditEvent.objects.filter(pk__in=list(newest))}


def _test(event: AuditEvent) -> Test:
    told = event.after if isinstance(event.after, dict) else {}
    sentence = gettext(SENTENCES.get(str(told.get("error", "")), SENTENCES["provider_error"]))
    return Test(event.at, bool(told.get("ok")), sentence, int(told.get("status") or 0), int(told.get("ms") or 0))


# ── who uses them ─────────────────────────────────────────────────────────────
def _add_use(rows: list[ModelRow], reach: Reach, now: datetime) -> None:
    """Calls bear the name that was asked, so a family has those that no name of its own takes."""
    exact = {row.name: row for row in rows}
    families = sorted((row for row in rows if row.name.endswith("*")), key=lambda row: -len(row.name))

    def row_of(asked: str) -> ModelRow | None:
        return exact.get(asked) or next((row for row in families if asked.startswith(row.name[:-1])), None)

    mine = RollUp.objects.filter(traffic(reach)).exclude(route="").order_by()
    for (asked,), usage in _lately(traffic(reach), now, "route"):
        if asked and (row := row_of(asked)):
            row.used.add(usage)
    day = mine.filter(starts_at__gte=now - HEALTH).values_list("route")
    for asked, calls, failed in day.annotate(all=Sum("calls"), bad=Sum("calls", filter=Q(status_class__in=FAILED))):
        if row := row_of(asked):
            row.calls, row.failed = row.calls + int(calls), row.failed + int(failed or 0)


def _lately(where: Q, now: datetime, *by: str) -> list[Group]:
    return Source(where, timezone.get_current_timezone()).sums((now - timedelta(days=USED_DAYS), now), *by)


def _used(name: str, reach: Reach, now: datetime, *by: str) -> list[Group]:
    asked = Q(route=name)
    if name.endswith("*"):
        asked |= Q(route__startswith=name[:-1]) & ~Q(route="") & ~Q(route__in=Route.objects.values("name"))
    return _lately(asked & traffic(reach), now, *by)


def users_of(name: str, reach: Reach, now: datetime) -> list[UserRow]:
    """The keys that spent most on a model in thirty days."""
    found = _used(name, reach, now, "team_id", "key_id", "user_id")
    rows = sorted(found, key=lambda row: (-row[1].cost_nano, -row[1].calls))[:USERS]
    scoped: list[list[tuple[str, str]]] = [list(zip(("team", "key", "user"), values, strict=True)) for values, _ in rows]
    names = names_of({pair for pairs in scoped for pair in pairs if pair[1]})
    called = [[names.get(pair, pair[1]) for pair in pairs] for pairs in scoped]
    return [UserRow(team, key, user, usage) for (team, key, user), (_, usage) in zip(called, rows, strict=True)]


def user_count(name: str, reach: Reach, now: datetime) -> int:
    return len(_used(name, reach, now, "key_id"))
