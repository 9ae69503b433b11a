"""A model of LiteLLM's: one thing with a public name and a key. Here it is a route, a deployment and a credential, changed together.

Each of these runs inside the caller's transaction.
"""

from typing import Any

from audit.trail import Actor
from console.management.errors import Refused
from console.management.fields import echoed
from console.management.model_fields import ModelFields
from routing.actions import (
    ROUTE_FIELDS,
    Target,
    change_credential,
    create_credential,
    create_route,
    delete_credential,
    delete_route,
    set_targets,
)
from routing.models import Credential, Deployment, Origin, Route, RouteTarget

ALL_OF_A_ROUTE = (ROUTE_FIELDS - {"name"}) | {"rpm_limit", "tpm_limit", "parallel_limit"}


def refuse_if_from_file(row: Deployment | Route) -> None:
    if row.origin == Origin.FILE:
        raise Refused(f"{row.name} stands in the configuration file; change it there.", param="model_name")


# ── routes ────────────────────────────────────────────────────────────────────
def lead(name: str, target: Target, *, actor: Actor) -> None:
    """The route of this name leads there too; it is made if there is none."""
    route = Route.objects.select_for_update().filter(name=name).first()
    if route is None:
        create_route(Route(name=name), [target], actor=actor)
        return
    refuse_if_from_file(route)
    set_targets(route, [*_others(route, target.deployment), target], actor=actor)


def take_out(deployment: Deployment, *, actor: Actor) -> None:
    """No route leads there any more. A route that says nothing but its name goes with the last of its deployments."""
    routes = [target.route_id for target in deployment.targets.all()]
    for route in Route.objects.select_for_update().filter(pk__in=routes):
        others = _others(route, deployment)
        if others or not _is_bare(route):
            set_targets(route, others, actor=actor)
        else:
            delete_route(route, actor=actor)


def lead_anew(deployment: Deployment, asked: ModelFields, *, actor: Actor) -> None:
    """Another public name, order or weight, where these were sent."""
    rows = list(deployment.targets.select_related("route"))
    if asked.model_name and all(row.route.name != asked.model_name for row in rows):
        if len(rows) > 1:
            raise Refused("Several names lead to this model. Change them in the admin.", param="model_name")
        take_out(deployment, actor=actor)
        lead(asked.model_name, _target(deployment, asked, *rows), actor=actor)
        return
    if asked.litellm_params.order is not None or asked.litellm_params.weight is not None:
        for row in rows:
            lead(row.route.name, _target(deployment, asked, row), actor=actor)


def _target(deployment: Deployment, asked: ModelFields, known: RouteTarget | None = None) -> Target:
    order, weight = asked.litellm_params.order, asked.litellm_params.weight
    known = known or RouteTarget()
    return Target(deployment, known.order if order is None else order, known.weight if weight is None else weight)


def first_target(deployment: Deployment, asked: ModelFields) -> Target:
    """LiteLLM takes the capacity for a weight where no other is given."""
    params = asked.litellm_params
    weight = (params.rpm or params.tpm or 1) if params.weight is None else params.weight
    return Target(deployment, 1 if params.order is None else params.order, min(weight, 2**31 - 1))


def _others(route: Route, deployment: Deployment) -> list[Target]:
    rows = route.targets.exclude(deployment=deployment).select_related("deployment")
    return [Target(row.deployment, row.order, row.weight) for row in rows]


def _is_bare(route: Route) -> bool:
    fresh = Route()
    return route.origin == Origin.PAGE and all(getattr(route, name) == getattr(fresh, name) for name in ALL_OF_A_ROUTE)


# ── credentials ───────────────────────────────────────────────────────────────
def own_key(deployment: Deployment, secret: str, *, actor: Actor) -> Credential:
    """The credential that was made for this deployment alone."""
    known = _own_key(deployment)
    if known is None:
        return create_credential(Credential(name=_key_name(deployment), provider=deployment.provider), secret, actor=actor)
    return change_credential(known, {"secret": secret, "provider": deployment.provider}, actor=actor)


def drop_unused_key(deployment: Deployment, *, actor: Actor) -> None:
    known = _own_key(deployment)
    if known is not None and not known.deployments.exists():
        delete_credential(known, actor=actor)


def _own_key(deployment: Deployment) -> Credential | None:
    return Credential.objects.filter(name=_key_name(deployment), origin=Origin.PAGE).first()


def _key_name(deployment: Deployment) -> str:
    return f"key of model {deployment.pk}"


# ── answering ─────────────────────────────────────────────────────────────────
def model_row(deployment: Deployment) -> dict[str, Any]:
    """As LiteLLM's row of a model. The key is not among it, not even sealed."""
    target = deployment.targets.select_related("route").order_by("route__name").first()
    credential = deployment.credential
    params: dict[str, Any] = {
        "model": f"{deployment.provider}/{deployment.model}",
        "custom_llm_provider": deployment.provider,
        "api_base": deployment.base_url,
        "api_version": deployment.api_version,
        "rpm": deployment.rpm_limit,
        "tpm": deployment.tpm_limit,
        "weight": target.weight if target else None,
        "order": target.order if target else None,
        "litellm_credential_name": credential.name if credential else None,
    }
    return echoed({}, deployment.extra) | {
        "model_id": deployment.pk,
        "model_name": target.route.name if target else None,
        "litellm_params": {name: value for name, value in params.items() if value not in (None, "")},
        "model_info": {"id": deployment.pk, "db_model": True, "base_model": deployment.base_model or None},
        "created_at": deployment.created_at,
        "updated_at": deployment.created_at,
        "created_by": "",
        "updated_by": "",
    }
