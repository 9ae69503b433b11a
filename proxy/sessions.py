"""Conversations and the accounts that serve them: where one was last, and what another account must not be shown of it."""

import time
from dataclasses import replace

from proxy.exchange import Attempt, Exchange
from routing.dialects.base import Ask
from routing.dialects.thinking import count_turns, is_bound, strip
from routing.snapshot import RouteSnapshot
from routing.sticky import account_of


def session_of(exchange: Exchange) -> str:
    """The id that the client gave this conversation; empty where it gave none."""
    client, ask = exchange.client, exchange.ask
    named = client.header(b"x-claude-code-session-id") or (exchange.dialect.user_and_session(ask)[1] if ask is not None else "")
    return (named or client.header(b"x-litellm-session-id"))[:100]


def recall(exchange: Exchange, route: RouteSnapshot, now: float) -> None:
    """Looks up where the conversation was, for calls that could go to more than one place."""
    policy = exchange.snapshot.routes.policy
    ask = exchange.ask
    if ask is None or not policy.is_sticky or (len(route.targets) == 1 and not (route.fallbacks or policy.default_fallbacks)):
        return
    session = session_of(exchange)
    if session:
        exchange.who = (exchange.caller.key_id, session, ask.model)
        exchange.stay = exchange.plane.sticky.find(exchange.who, now)


def note(exchange: Exchange, attempt: Attempt) -> None:
    """The conversation is served by this attempt. Counting tokens moves nobody."""
    if exchange.who is not None and exchange.endpoint.is_billed:
        exchange.plane.sticky.note(exchange.who, attempt.deployment, attempt.model, attempt.foreign_turns, time.monotonic())


def ask_for(exchange: Exchange, attempt: Attempt, ask: Ask, *, is_other_name: bool, strips_all: bool) -> Ask:
    """What this attempt may be shown: the call itself, or a copy without the thinking that other accounts have signed."""
    messages = ask.fields.get("messages")
    if messages is None or attempt.spoken.family != "messages":
        return ask
    stay = exchange.stay
    if strips_all:
        is_change = True
    elif stay is None:
        is_change = is_other_name
    else:
        is_here = stay.deployment_id == attempt.deployment.id or stay.account == account_of(attempt.deployment, attempt.model)
        is_change = not is_here
    before = stay.foreign_turns if stay is not None and not is_change else 0
    if not (is_change or before) or not is_bound(ask.fields):
        return ask
    attempt.foreign_turns = count_turns(messages) if is_change else before
    return replace(ask, fields={**ask.fields, "messages": strip(messages, attempt.foreign_turns)})
