"""What clouds call the models that have public names here. Pure."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routing.snapshot import DeploymentSnapshot, RouteSnapshot

# What clouds put around the name of a model: where it may be served, who made it, a version of the packaging.
_around = re.compile(r"(?:(?:global|us|us-gov|eu|apac|jp|au|ca|sa|me|af)\.)?(?:anthropic\.)?(.+?)(?:-v[0-9]+(?::[0-9]+[a-z0-9]*)?)?")


def plain(model: str) -> str:
    """One name for what clouds call differently: `us.anthropic.claude-sonnet-4-5-20250929-v1:0` is `claude-sonnet-4-5-20250929`."""
    found = _around.fullmatch(model)
    return (found.group(1) if found else model).replace("@", "-")


def by_vendor_id(routes: "Iterable[RouteSnapshot]") -> "dict[str, RouteSnapshot]":
    """Which public name a cloud's id stands for: that of the route whose deployments serve this very model; the first, by name, wins."""
    ordered = sorted(routes, key=lambda route: route.name)
    served = [(target.deployment, route) for route in ordered for target in route.targets if target.deployment.model != "*"]
    found: dict[str, RouteSnapshot] = {}
    for name_of in (_whole, _plain):
        for deployment, route in served:
            found.setdefault(name_of(deployment), route)
    for route in ordered:
        found.setdefault(plain(route.name), route)
    return found


def _whole(deployment: "DeploymentSnapshot") -> str:
    return deployment.model


def _plain(deployment: "DeploymentSnapshot") -> str:
    return plain(deployment.base_model or deployment.model)
