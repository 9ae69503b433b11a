"""Step four of the walk: route + health + chance → deployments in the order in which they are tried. Pure.

Whatever the strategy: those with room come before those whose capacity is used up, these before those that cool down; then by order.
"""

import math
from collections.abc import Callable
from hashlib import blake2b

from routing.health import UNSEEN, Health, Vitals
from routing.snapshot import DeploymentSnapshot, RouteSnapshot

# A deployment's id → a number in [0, 1).
Chance = Callable[[str], float]
# What a deployment costs, in any unit; infinite where nobody knows.
Price = Callable[[DeploymentSnapshot], float]
Rank = Callable[[DeploymentSnapshot, Vitals, float], float]

READY, FULL, COOLING = 0, 1, 2
# A latency older than this is no longer known: one call at a time finds it out again.
LATENCY_LASTS_S = 60.0


def of_session(name: str) -> Chance:
    """Chance that is the same for the same session in every process, so that all of them begin it at the same deployment."""

    def draw(deployment_id: str) -> float:
        digest = blake2b(f"{name}\0{deployment_id}".encode(), digest_size=6).digest()
        return int.from_bytes(digest, "big") / 2**48

    return draw


def band(deployment: DeploymentSnapshot, health: Health, now: float) -> int:
    """How fit a deployment is: READY, FULL or COOLING."""
    return _fitness(deployment, health.vitals.get(deployment.id, UNSEEN), now)


def choose(route: RouteSnapshot, health: Health, chance: Chance, now: float, price: Price | None = None) -> tuple[DeploymentSnapshot, ...]:
    """All deployments of a route, best first. `price` is asked for only where the strategy goes by cost."""
    targets = route.targets
    if len(targets) == 1:
        return (targets[0].deployment,)
    rank = _by_cost(price) if route.strategy == "cost-based-routing" and price is not None else _RANKS.get(route.strategy)
    vitals = health.vitals
    drawn = []
    for place, target in enumerate(targets):
        deployment, weight = target.deployment, target.weight
        seen = vitals.get(deployment.id, UNSEEN)
        fitness = READY if seen is UNSEEN else _fitness(deployment, seen, now)
        ranked = 0.0 if rank is None else rank(deployment, seen, now)
        # Efraimidis and Spirakis: sorting by u^(1/w), descending, draws without replacement in proportion to the weights.
        luck = -chance(deployment.id) if weight == 1 else -(chance(deployment.id) ** (1 / weight)) if weight else 1.0
        drawn.append((fitness, target.order, ranked, luck, place))
    drawn.sort()
    return tuple([targets[key[4]].deployment for key in drawn])


def _fitness(deployment: DeploymentSnapshot, seen: Vitals, now: float) -> int:
    circuit = seen.circuit
    if circuit.until and circuit.is_cooling(now):
        return COOLING
    return READY if not (deployment.rpm or deployment.tpm) or seen.has_room(deployment, now) else FULL


def _by_calls(deployment: DeploymentSnapshot, seen: Vitals, now: float) -> float:
    return seen.in_flight


def _by_latency(deployment: DeploymentSnapshot, seen: Vitals, now: float) -> float:
    """Within a tenth of each other they count as equally fast. What is not known comes first while nobody is finding it out."""
    if not seen.latency_ms or now - seen.measured_at > LATENCY_LASTS_S:
        return math.inf if seen.in_flight else -math.inf
    return math.floor(math.log(seen.latency_ms) * 10)


def _by_use(deployment: DeploymentSnapshot, seen: Vitals, now: float) -> float:
    """Where there are capacities, by the share that is used; then, as a fraction below any share, by tokens."""
    return seen.used_share(deployment, now) + seen.used_tokens(now) * 1e-15


def _by_cost(price: Price) -> Rank:
    return lambda deployment, _seen, _now: price(deployment)


_RANKS: dict[str, Rank] = {
    "least-busy": _by_calls,
    "latency-based-routing": _by_latency,
    "usage-based-routing": _by_use,
    "usage-based-routing-v2": _by_use,
}
