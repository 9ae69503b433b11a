"""Routes and deployments as the data plane sees them: frozen data without Django."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keys.snapshot import Limit
from routing.policy import DEFAULT_POLICY, Policy
from routing.vendor_ids import by_vendor_id, plain

if TYPE_CHECKING:
    from routing.providers.base import Access


@dataclass(frozen=True, slots=True)
class DeploymentSnapshot:
    """One upstream model at one provider. `model` "*" passes on the name that was asked. Timeouts are seconds.

    `secret` is a plain key; `access` what signs or fetches tokens instead. `base_model` names the model for prices where `model` does not.
    """

    id: str
    name: str
    provider: str
    model: str
    base_url: str = ""
    secret: str = field(default="", repr=False)
    problem: str = ""
    access: "Access | None" = field(default=None, repr=False, compare=False)
    region: str = ""
    project: str = ""
    api: str = ""
    api_version: str = ""
    base_model: str = ""
    rpm: int = 0
    tpm: int = 0
    is_operators: bool = False
    connect_timeout_s: float = 5
    first_byte_timeout_s: float = 600
    idle_timeout_s: float = 120
    credential_id: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment in a route: lower `order` first, chance by `weight` among equals."""

    deployment: DeploymentSnapshot
    order: int = 1
    weight: int = 1


@dataclass(frozen=True, slots=True)
class RouteSnapshot:
    name: str
    targets: tuple[Target, ...]
    description: str = ""
    created_at: int = 0
    limits: tuple[Limit, ...] = ()
    strategy: str = "simple-shuffle"
    retries: int = 0
    fallbacks: tuple[str, ...] = ()
    context_window_fallbacks: tuple[str, ...] = ()
    content_policy_fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Public model names. An exact name wins over families; the longest family wins over shorter ones."""

    exact: Mapping[str, RouteSnapshot] = field(default_factory=dict)
    families: tuple[tuple[str, RouteSnapshot], ...] = ()
    policy: Policy = DEFAULT_POLICY
    by_vendor_id: Mapping[str, RouteSnapshot] = field(default_factory=dict)

    @classmethod
    def of(cls, routes: list[RouteSnapshot], policy: Policy = DEFAULT_POLICY) -> "RouteTable":
        families = sorted(((route.name[:-1], route) for route in routes if route.name.endswith("*")), key=lambda pair: -len(pair[0]))
        exact = {route.name: route for route in routes if not route.name.endswith("*")}
        return cls(exact, tuple(families), policy, by_vendor_id(exact.values()))

    def find(self, model: str) -> RouteSnapshot | None:
        route = self.exact.get(model)
        if route is not None:
            return route
        return next((family for prefix, family in self.families if model.startswith(prefix)), None)

    def deployment_ids(self) -> list[str]:
        """Of all deployments that some name leads to, each once."""
        routes = [*self.exact.values(), *(family for _, family in self.families)]
        return list(dict.fromkeys(target.deployment.id for route in routes for target in route.targets))

    def public_name(self, model: str) -> str:
        """What a cloud's own id of a model is called here; the id itself where neither a name nor a family stands for it."""
        bare = plain(model)
        route = self.exact.get(model) or self.by_vendor_id.get(model) or self.by_vendor_id.get(bare)
        if route is not None:
            return route.name
        return bare if self.find(model) is None and self.find(bare) is not None else model
