"""Step three, rates: a place for the call under every limit that holds for it, and how limits are told."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from billing.rates import WINDOW_S, Exceeded, Slot, limits_of
from billing.usage import Usage
from keys.snapshot import LimitKind
from proxy.asgi import Fields
from proxy.errors import ClientError
from routing.dialects.base import Ask
from routing.snapshot import RouteSnapshot

if TYPE_CHECKING:
    from proxy.exchange import Exchange

_requests, _tokens = b"anthropic-ratelimit-requests-", b"anthropic-ratelimit-tokens-"
HEADER_NAMES: tuple[tuple[LimitKind, bytes, bytes, bytes], ...] = (
    ("rpm", _requests + b"limit", _requests + b"remaining", _requests + b"reset"),
    ("tpm", _tokens + b"limit", _tokens + b"remaining", _tokens + b"reset"),
)
KINDS = {"rpm": "requests a minute", "tpm": "tokens a minute", "parallel": "calls at once"}
LITELLMS_KINDS = {"rpm": "requests", "tpm": "tokens", "parallel": "max_parallel_requests"}


class NeverOpen(ClientError):
    """A limit of 0: no waiting helps."""

    @property
    def client_may_retry(self) -> bool:
        return False


async def enter(exchange: "Exchange", ask: Ask, route: RouteSnapshot, tokens: int) -> Slot:
    """The call's slot, nearly always without a wait; raises ClientError 429. `tokens` is what the call may need."""
    rates, limits = exchange.plane.rates, limits_of(exchange.caller, route.limits, ask.model)
    now = time.monotonic()
    outcome = rates.enter(limits, tokens, now)
    if isinstance(outcome, Exceeded) and outcome.may_ask:
        outcome = await rates.ask(limits, tokens, now)
    if isinstance(outcome, Exceeded):
        raise refusal(exchange, outcome)
    return outcome


def tokens_of(usage: Usage) -> int:
    """What counts against a limit on tokens: what is read from a prompt cache does not, as in Anthropic's own limits."""
    if not usage.iterations:
        return usage.input_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens + usage.output_tokens
    return sum([tokens_of(part) for part in usage.iterations])


def refusal(exchange: "Exchange", exceeded: Exceeded) -> ClientError:
    """Says which limit, how large it is, how much of it is used, and when to come back."""
    limit, caller = exceeded.limit, exchange.caller
    name = {"key": caller.key_name, "user": caller.user_name, "team": caller.team_name}.get(limit.scope, limit.scope_id)
    whose = f"{limit.scope} {name}" + (f" for {limit.model}" if limit.model else "")
    if exceeded.retry_after_s is None:
        text = f"No {KINDS[limit.kind]} are allowed to {whose}. Your side. Ask for the limit to be raised."
        return _with_facts(NeverOpen(429, "rate_limited", text), exceeded, name)
    used = f"{min(exceeded.used, limit.size)} of {limit.size} {KINDS[limit.kind]} {'under way' if limit.kind == 'parallel' else 'used'}"
    more = f", and this call may need {exceeded.amount}" if limit.kind == "tpm" else ""
    error = ClientError(
        429,
        "rate_limited",
        f"The rate limit of {whose} is reached: {used}{more}. "
        f"Your side. Try again in {exceeded.retry_after_s} s, or ask for the limit to be raised.",
        retry_after_s=exceeded.retry_after_s,
    )
    return _with_facts(error, exceeded, name)


def _with_facts(error: ClientError, exceeded: Exceeded, name: str) -> ClientError:
    limit = exceeded.limit
    error.facts = {
        "scope": "api_key" if limit.scope == "key" else limit.scope,
        "name": name,
        "kind": LITELLMS_KINDS[limit.kind],
        "limit": limit.size,
        "remaining": max(0, limit.size - exceeded.used),
    }
    return error


def headers(slot: Slot) -> Fields:
    """How the tightest limits on requests and on tokens stand; the provider's own figures are its account's and are not passed on."""
    fields: Fields = []
    for kind, limit, remaining, reset in HEADER_NAMES:
        tightest = slot.tightest(kind)
        if tightest is not None:
            size, room = tightest
            fields += ((limit, b"%d" % size), (remaining, b"%d" % room), (reset, _reset(int(time.time()))))
    return fields


@lru_cache(maxsize=2)
def _reset(now_s: int) -> bytes:
    """When all of it is free again, should nothing else be called."""
    return datetime.fromtimestamp(now_s + WINDOW_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
