"""What people change about routes, deployments and credentials. Each verb is one transaction: change, audit, notify on commit."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.models import AuditEvent
from audit.rows import ChangeRefused, add_row, change_row, remove_row
from audit.trail import Actor, record_change
from routing.credentials import ReferenceRefused, stored_form
from routing.egress import url_problem
from routing.models import Credential, Deployment, Origin, Route, RouteTarget, RoutingPolicy
from routing.probe import Outcome, probe

CREDENTIAL_FIELDS = frozenset({"name", "provider", "secret", "extra"})
DEPLOYMENT_FIELDS = frozenset(
    {"name", "provider", "model", "credential", "base_url", "is_active", "connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s",
     "region", "project", "api", "api_version", "base_model", "rpm_limit", "tpm_limit", "extra"}
)  # fmt: skip
FALLBACK_FIELDS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
ROUTE_FIELDS = frozenset({"name", "description", "is_active", "strategy", "retries", *FALLBACK_FIELDS})
POLICY_FIELDS = frozenset(
    {"strategy", "retries", "allowed_fails", "cooldown_s", "is_sticky", "has_health_checks", "health_check_interval_s", "default_fallbacks"}
)
MOST_NAMES, LONGEST_NAME = 20, 200
TESTS_PER_MINUTE = 20
# What may stand in a model id on its way into an address: no traversal, no query, no fragment, no user part.
_MODEL = re.compile(r"[A-Za-z0-9*][\w.:@+*-]*(/[A-Za-z0-9*][\w.:@+*-]*)*")


@dataclass(frozen=True, slots=True)
class Target:
    deployment: Deployment
    order: int = 1
    weight: int = 1


def _allowed(changes: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    unknown = sorted(set(changes) - names)
    if unknown:
        raise ChangeRefused(_("%(name)s cannot be changed.") % {"name": unknown[0]}, field=unknown[0])
    return dict(changes)


# ── credentials ───────────────────────────────────────────────────────────────
def kept_secret(typed: str, credential: Credential) -> str:
    try:
        return stored_form(typed, credential.pk, origin=credential.origin)
    except ReferenceRefused as error:
        raise ChangeRefused(str(error), field="secret") from error


def create_credential(credential: Credential, secret: str, *, actor: Actor) -> Credential:
    """`secret` is a provider key or a reference; it is encrypted here, and nobody reads it again but the data plane."""
    credential.secret = kept_secret(secret, credential)
    return add_row(credential, event="credential.created", actor=actor)


def change_credential(credential: Credential, changes: Mapping[str, Any], *, actor: Actor) -> Credential:
    """`changes["secret"]`, when there, is what a person typed."""
    wanted = _allowed(changes, CREDENTIAL_FIELDS)
    if "secret" in wanted:
        wanted["secret"] = kept_secret(wanted["secret"], credential)
    return change_row(credential, wanted, event="credential.changed", actor=actor)


def delete_credential(credential: Credential, *, actor: Actor) -> None:
    remove_row(credential, event="credential.deleted", actor=actor)


# ── deployments ───────────────────────────────────────────────────────────────
def check_deployment(model: str, base_url: str, origin: str) -> None:
    if not _MODEL.fullmatch(model) or ".." in model:
        raise ChangeRefused(_("%(name)s is no model id.") % {"name": repr(model)}, field="model")
    if not base_url:
        return
    if problem := url_problem(base_url, settings.TALLYGATE_EGRESS_ALLOW, is_operators=origin == Origin.FILE):
        raise ChangeRefused(problem, field="base_url")


def create_deployment(deployment: Deployment, *, actor: Actor) -> Deployment:
    check_deployment(deployment.model, deployment.base_url, deployment.origin)
    return add_row(deployment, event="deployment.created", actor=actor)


def change_deployment(deployment: Deployment, changes: Mapping[str, Any], *, actor: Actor) -> Deployment:
    wanted = _allowed(changes, DEPLOYMENT_FIELDS)
    check_deployment(wanted.get("model", deployment.model), wanted.get("base_url", deployment.base_url), deployment.origin)
    return change_row(deployment, wanted, event="deployment.changed", actor=actor)


def delete_deployment(deployment: Deployment, *, actor: Actor) -> None:
    """Refused while routes lead to it."""
    remove_row(deployment, event="deployment.deleted", actor=actor)


def test_deployment(deployment: Deployment, *, actor: Actor, send: Callable[[Deployment], Outcome] = probe) -> Outcome:
    """Makes one tiny real call. All tests together are limited, since each one costs at the provider."""
    minute_ago = timezone.now() - timedelta(minutes=1)
    if AuditEvent.objects.filter(event="deployment.tested", at__gt=minute_ago).count() >= TESTS_PER_MINUTE:
        raise ChangeRefused(_("Too many connection tests in the last minute. Wait a little."))
    outcome = send(deployment)
    with transaction.atomic():
        record_change("deployment.tested", deployment, actor=actor, after=asdict(outcome))
    return outcome


# ── routes ────────────────────────────────────────────────────────────────────
@transaction.atomic
def create_route(route: Route, targets: Sequence[Target] = (), *, actor: Actor) -> Route:
    for field in FALLBACK_FIELDS:
        check_names(getattr(route, field), field, besides=route.name)
    add_row(route, event="route.created", actor=actor)
    set_targets(route, targets, actor=actor)
    return route


def change_route(route: Route, changes: Mapping[str, Any], *, actor: Actor) -> Route:
    wanted = _allowed(changes, ROUTE_FIELDS)
    for field in set(FALLBACK_FIELDS).intersection(wanted):
        check_names(wanted[field], field, besides=wanted.get("name", route.name))
    return change_row(route, wanted, event="route.changed", actor=actor)


def check_names(names: object, field: str, *, besides: str = "") -> None:
    """Public names to fall back to. They need not exist yet: what leads nowhere is passed over."""
    if not isinstance(names, list) or not all(isinstance(name, str) and 0 < len(name) <= LONGEST_NAME for name in names):
        raise ChangeRefused(_("A list of model names is needed."), field=field)
    if len(set(names)) < len(names) or len(names) > MOST_NAMES:
        raise ChangeRefused(_("At most %(n)s names, each once.") % {"n": MOST_NAMES}, field=field)
    if besides in names:
        raise ChangeRefused(_("A route does not fall back to itself."), field=field)


@transaction.atomic
def set_targets(route: Route, targets: Sequence[Target], *, actor: Actor) -> None:
    """Leads the route to exactly these deployments."""
    if len({target.deployment.pk for target in targets}) < len(targets):
        raise ChangeRefused(_("A route names each deployment once."), field="targets")
    before = _told([Target(row.deployment, row.order, row.weight) for row in route.targets.select_related("deployment")])
    after = _told(targets)
    if before == after:
        return
    route.targets.all().delete()
    RouteTarget.objects.bulk_create(
        RouteTarget(route=route, deployment=item.deployment, order=item.order, weight=item.weight) for item in targets
    )
    record_change("route.changed", route, actor=actor, before={"targets": before}, after={"targets": after})


def _told(targets: Sequence[Target]) -> list[dict[str, Any]]:
    rows = [
        {"deployment_id": target.deployment.pk, "deployment": target.deployment.name, "order": target.order, "weight": target.weight}
        for target in targets
    ]
    return sorted(rows, key=lambda row: (row["order"], -row["weight"], row["deployment"]))


@transaction.atomic
def delete_route(route: Route, *, actor: Actor) -> None:
    set_targets(route, (), actor=actor)
    remove_row(route, event="route.deleted", actor=actor)


# ── what holds for all routes ─────────────────────────────────────────────────
def create_policy(policy: RoutingPolicy, *, actor: Actor) -> RoutingPolicy:
    """The one row there is."""
    if RoutingPolicy.objects.exists():
        raise ChangeRefused(_("There is a routing policy already. Change that one."))
    check_names(policy.default_fallbacks, "default_fallbacks")
    return add_row(policy, event="routing.changed", actor=actor)


def change_policy(policy: RoutingPolicy, changes: Mapping[str, Any], *, actor: Actor) -> RoutingPolicy:
    wanted = _allowed(changes, POLICY_FIELDS)
    if "default_fallbacks" in wanted:
        check_names(wanted["default_fallbacks"], "default_fallbacks")
    return change_row(policy, wanted, event="routing.changed", actor=actor)
