"""Step three: may this caller ask this model, and is there money for it? Plain decisions over the snapshot and the tallies."""

import math
from datetime import UTC, datetime

from billing.limits import Exceeded, first_exceeded
from billing.money import money
from keys.snapshot import Caller
from proxy.errors import ClientError, GatewayError
from proxy.exchange import Exchange
from routing.dialects.messages import Ask
from routing.snapshot import RouteSnapshot


def admit(exchange: Exchange, ask: Ask) -> tuple[RouteSnapshot, list[tuple[int, float]]]:
    """The route, and the budget windows that the call counts against; raises ClientError or GatewayError."""
    if exchange.plane.is_draining:
        raise GatewayError(503, "shutting_down", "The gateway is stopping. Gateway's side. Try again.", retry_after_s=5)
    route = _route(exchange, ask.model)
    if not exchange.endpoint.is_billed:
        return route, []
    # The moment that the posting will carry, so that window and ledger agree across a boundary.
    now = exchange.received_at
    tallies = exchange.plane.tallies
    applying = tallies.applying(exchange.caller, exchange.snapshot.budgets, now)
    exceeded = first_exceeded(applying, tallies) if applying else None
    if exceeded is not None:
        raise spent(exchange.caller, exceeded, now)
    return route, [one.key for one in applying]


def _route(exchange: Exchange, model: str) -> RouteSnapshot:
    """403 and not 404 for a model one may not or cannot have: Claude Code hides the text of a 404."""
    caller, routes = exchange.caller, exchange.snapshot.routes
    route = routes.find(model)
    if route is None or not caller.allows(model):
        allowed = [name for name in routes.exact if caller.allows(name)]
        listed = ", ".join(sorted(allowed)[:12]) + (", ..." if len(allowed) > 12 else "")
        raise ClientError(
            403,
            "model_not_allowed",
            f"Model {model} is not open to key {caller.key_name}. Your side. Choose one of: {listed or 'none yet'}.",
        )
    if not route.targets:
        raise GatewayError(503, "no_deployment", f"Model {model} has no active deployment. Gateway's side. Ask your administrator.")
    return route


def spent(caller: Caller, exceeded: Exceeded, now: float) -> ClientError:
    """429 billing_error with x-should-retry false: the text is shown and the client does not hammer."""
    name = {"key": caller.key_name, "user": caller.user_name, "team": caller.team_name}.get(exceeded.scope, "")
    whose = f"{exceeded.scope} {name}".strip()
    resets = datetime.fromtimestamp(exceeded.resets_at, UTC).strftime("%d %b %Y %H:%M UTC") if exceeded.resets_at else ""
    return ClientError(
        429,
        "budget_exceeded",
        f"The budget of {whose} is used up: {money(exceeded.posted_nano)} of {money(exceeded.amount_nano)}. Your side. "
        + (f"It resets {resets}, or ask for it to be raised." if resets else "Ask for it to be raised."),
        retry_after_s=max(1, math.ceil(exceeded.resets_at - now)) if exceeded.resets_at else None,
        error_type="billing_error",
    )
