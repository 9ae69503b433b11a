"""Routes with everything that a route can say, put in force behind a rig."""

from dataclasses import replace
from typing import Any

from billing.journal import Entry
from routing.policy import DEFAULT_POLICY, Policy
from routing.snapshot import DeploymentSnapshot, RouteSnapshot, RouteTable, Target
from tests.fakes.provider import FakeProvider
from tests.proxy.rig import Rig
from tests.proxy.talk import MODEL, plane_of


def deployment(rig: Rig, name: str, **changes: Any) -> DeploymentSnapshot:
    """Like the rig's own, with a model that has a price."""
    return replace(rig.deployment, id=f"dep-{name}", name=name, **{"model": MODEL, **changes})


def route(name: str, *deployments: DeploymentSnapshot, **fields: Any) -> RouteSnapshot:
    """Its deployments are tried in this order."""
    return RouteSnapshot(name, tuple(Target(one, order=number) for number, one in enumerate(deployments)), **fields)


def put(rig: Rig, *routes: RouteSnapshot, policy: Policy = DEFAULT_POLICY) -> str:
    """These routes and no others; returns the name of the first."""
    plane = plane_of(rig)
    plane.snapshot = replace(plane.snapshot, routes=RouteTable.of(list(routes), policy))
    return routes[0].name


def cool(rig: Rig, name: str) -> None:
    """As after a rate limit of a minute."""
    plane_of(rig).health.of(f"dep-{name}").circuit.until = float("inf")


def served_by(entry: Entry) -> list[str]:
    """The names of the deployments tried, in order."""
    return [note.deployment for note in entry.summary.attempts]


def asked(fake: FakeProvider) -> int:
    return len(fake.seen)
