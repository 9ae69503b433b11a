"""Step four of the walk: route + chance → deployments in the order in which they are tried. Pure."""

from collections.abc import Callable

from routing.snapshot import DeploymentSnapshot, RouteSnapshot


def choose(route: RouteSnapshot, random: Callable[[], float]) -> tuple[DeploymentSnapshot, ...]:
    """Deployments by order; among equals each next one is drawn by weight (simple-shuffle). `random` gives numbers in [0, 1)."""
    targets = route.targets
    if len(targets) == 1:
        return (targets[0].deployment,)
    # Efraimidis and Spirakis: sorting by u^(1/w), descending, draws without replacement in proportion to the weights.
    drawn = sorted(targets, key=lambda target: (target.order, -(random() ** (1 / target.weight)) if target.weight else 1.0))
    return tuple(target.deployment for target in drawn)
