"""What attempts tell of their deployments: each begins once, says at most once how it went, and ends once."""

import time
from typing import TYPE_CHECKING

from billing.estimate import input_tokens_guess
from proxy.holding import GRANT_STEP
from routing.failures import Reason

if TYPE_CHECKING:
    from proxy.exchange import Attempt, Exchange


def begin(exchange: "Exchange", attempt: "Attempt", now: float) -> None:
    """Its request is about to be sent."""
    ask = exchange.ask
    if exchange.endpoint.is_billed and ask is not None:
        attempt.counted_tokens = input_tokens_guess(exchange.request_bytes) + min(ask.max_tokens, GRANT_STEP)
    attempt.vitals = exchange.plane.health.of(attempt.deployment.id)
    attempt.is_probe = attempt.vitals.begin(now, attempt.counted_tokens)


def answered(attempt: "Attempt", now: float, waited_ms: float) -> None:
    """A good answer has begun."""
    if attempt.vitals is not None:
        attempt.vitals.answered(now, waited_ms, is_probe=attempt.is_probe)
        attempt.is_probe = False


def failed(exchange: "Exchange", attempt: "Attempt", reason: Reason, retry_after_s: float | None = None) -> None:
    """It came to nothing. A credential that the caller brought along says nothing of ours."""
    if attempt.vitals is None:
        return
    circuit = attempt.vitals.circuit
    if reason is Reason.CREDENTIAL_REFUSED and exchange.own_access:
        circuit.abandon(is_probe=attempt.is_probe)
    else:
        policy = exchange.snapshot.routes.policy
        circuit.fail(time.monotonic(), reason, policy, is_probe=attempt.is_probe, retry_after_s=retry_after_s)
    attempt.is_probe = False


def end(exchange: "Exchange", attempt: "Attempt", tokens: int) -> None:
    """It is over and came to `tokens`. Harmless when it has ended before."""
    vitals, attempt.vitals = attempt.vitals, None
    if vitals is None:
        return
    if attempt.is_probe:
        vitals.circuit.abandon(is_probe=True)
    elif attempt.note.status < 400 and attempt.note.outcome in {"truncated", "failed"} and exchange.is_providers_fault:
        vitals.circuit.fail(time.monotonic(), Reason.PROVIDER_ERROR, exchange.snapshot.routes.policy, is_probe=False)
    vitals.end(time.monotonic(), tokens - attempt.counted_tokens)
