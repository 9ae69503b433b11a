"""Step four: the deployments of a route in the order in which this call tries them."""

import math
import random
import time

from proxy import sessions
from proxy.exchange import Exchange
from routing.choose import Chance, Price, choose, of_session
from routing.snapshot import DeploymentSnapshot, RouteSnapshot
from routing.sticky import stay_first

BY_COST = "cost-based-routing"


def line_up(exchange: Exchange, route: RouteSnapshot) -> tuple[DeploymentSnapshot, ...]:
    """A conversation goes on where it was; a new one begins at the same place whichever process it comes to."""
    now = time.monotonic()
    if route is exchange.route:
        sessions.recall(exchange, route, now)
    if len(route.targets) == 1:
        return (route.targets[0].deployment,)
    who, stay, health = exchange.who, exchange.stay, exchange.plane.health
    chance: Chance = of_session("\0".join(who)) if who is not None and stay is None else _at_random
    chosen = choose(route, health, chance, now, _price(exchange) if route.strategy == BY_COST else None)
    return chosen if stay is None else stay_first(chosen, stay, health, now)


def _at_random(_deployment_id: str) -> float:
    return random.random()  # noqa: S311 - spreads load, guards nothing


def _price(exchange: Exchange) -> Price:
    """Of a token in and a token out; what nobody knows the price of comes last."""
    prices, ask, at = exchange.snapshot.prices, exchange.ask, exchange.received_at

    def price(deployment: DeploymentSnapshot) -> float:
        model = deployment.base_model or (ask.model if deployment.model == "*" and ask is not None else deployment.model)
        found = prices.find(deployment.provider, model, at)
        return math.inf if found is None else found.bands[0].input + found.bands[0].output

    return price
