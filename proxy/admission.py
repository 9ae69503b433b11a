"""Step three: may this caller ask this model, and how often, and which budgets does it count in?"""

from billing.estimate import input_tokens_guess
from billing.limits import Spender
from proxy.errors import ClientError, GatewayError
from proxy.exchange import Exchange
from proxy.holding import GRANT_STEP
from proxy.rates import enter
from proxy.record import end_user_in, tags
from routing.dialects.base import Ask
from routing.snapshot import RouteSnapshot


async def admit(exchange: Exchange, ask: Ask) -> RouteSnapshot:
    """The route, a place under the caller's rate limits, and the budgets that the call counts in; raises ClientError or GatewayError.

    Money is held per attempt (holding.py).
    """
    route = _route(exchange, ask.model)
    if exchange.snapshot.keys.blocked_end_users:
        _check_end_user(exchange, ask)
    if not exchange.endpoint.is_billed:
        return route
    tokens = input_tokens_guess(exchange.request_bytes) + min(ask.max_tokens, GRANT_STEP)
    exchange.slot = await enter(exchange, ask, route, tokens)
    if exchange.snapshot.budgets.scopes:
        # The moment that the posting will carry, so that window and ledger agree across a boundary.
        now, book = exchange.received_at, exchange.snapshot.budgets
        exchange.applying = exchange.plane.budgets.applying(_spender(exchange, ask), book, now)
    return route


def _route(exchange: Exchange, model: str) -> RouteSnapshot:
    """403 and not 404 for a model one may not or cannot have: Claude Code hides the text of a 404."""
    caller, routes = exchange.caller, exchange.snapshot.routes
    route = routes.find(model)
    if route is None or not caller.allows(model):
        allowed = [name for name in routes.exact if caller.allows(name)]
        listed = ", ".join(sorted(allowed)[:12]) + (", ..." if len(allowed) > 12 else "")
        text = f"Model {model} is not open to key {caller.key_name}. Your side. Choose one of: {listed or 'none yet'}."
        error = ClientError(403, "model_not_allowed", text)
        error.facts = {"model": model, "models": f"[{listed}]"}
        error.words_as = "model_unknown" if caller.allows(model) else ""
        raise error
    if not route.targets:
        raise GatewayError(503, "no_deployment", f"Model {model} has no active deployment. Gateway's side. Ask your administrator.")
    return route


def _end_user(exchange: Exchange, ask: Ask) -> str:
    return end_user_in(exchange.client) or exchange.dialect.user_and_session(ask)[0]


def _check_end_user(exchange: Exchange, ask: Ask) -> None:
    end_user = _end_user(exchange, ask)
    if end_user in exchange.snapshot.keys.blocked_end_users:
        text = f"End user {end_user} is blocked, so no key calls for them. Your side. Ask your administrator."
        raise ClientError(403, "end_user_blocked", text)


def _spender(exchange: Exchange, ask: Ask) -> Spender:
    """Who spends, as far as some budget asks: tags and end users are looked for only where one does."""
    caller, book = exchange.caller, exchange.snapshot.budgets
    return Spender(
        caller.key_id,
        caller.user_id,
        caller.team_id,
        caller.organisation_id,
        tuple(tags(exchange.client, caller.tags, ask.tags)) if "tag" in book.scopes else (),
        _end_user(exchange, ask) if "end_user" in book.scopes else "",
        ask.model if book.names_models else "",
    )
