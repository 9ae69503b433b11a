"""Step six: tries the deployments in order. After the first byte to the caller there is no other attempt."""

import asyncio
import time
from urllib.parse import unquote

from audit.requests import AttemptNote
from proxy.asgi import field
from proxy.errors import CallError, GatewayError, NotReady, Reset, Stale, TooSlow, Unreachable
from proxy.exchange import Attempt, Exchange
from proxy.holding import hold, secure
from proxy.meter import Meter
from proxy.upstream import Response
from routing import translation
from routing.providers.base import Call, NotServed, UpstreamRequest, forwarded
from routing.providers.registry import PROVIDERS
from routing.snapshot import DeploymentSnapshot

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504, 529})
ACCEPT_ENCODING = b"accept-encoding"
NO_ANSWER = TooSlow(504, "provider_timeout", "The provider did not answer in time. Provider's side. Try again.")


async def send(exchange: Exchange, line_up: tuple[DeploymentSnapshot, ...]) -> Response:
    """The first answer worth passing on: a success, a refusal that every deployment would give, or the last one's failure."""
    for number, deployment in enumerate(line_up, 1):
        is_last = number == len(line_up)
        try:
            response = await _ask(exchange, deployment)
        except CallError as error:
            if is_last or not error.retryable or exchange.client.has_left:
                raise
            if exchange.attempts:
                exchange.let_go(exchange.attempts[-1])
            continue
        if is_last or response.status not in RETRYABLE_STATUSES or exchange.client.has_left:
            return response
        note = exchange.attempts[-1].note
        note.outcome, note.error_code = "failed", "provider_error"
        note.duration_ms = exchange.elapsed_ms() - note.started_ms
        response.close()
        exchange.let_go(exchange.attempts[-1])
    raise GatewayError(503, "no_deployment", "No deployment serves this model now. Gateway's side. Ask your administrator.")


async def _ask(exchange: Exchange, deployment: DeploymentSnapshot) -> Response:
    """One deployment's answer. A provider that had hung up on a kept connection is asked once more, on a fresh one."""
    attempt, request = await _prepare(exchange, deployment)
    try:
        return await _try(exchange, attempt, request)
    except Stale:
        if exchange.client.has_left:
            raise
    exchange.let_go(attempt)
    attempt, request = await _prepare(exchange, deployment)
    return await _try(exchange, attempt, request, fresh=True)


async def _prepare(exchange: Exchange, deployment: DeploymentSnapshot) -> tuple[Attempt, UpstreamRequest]:
    """Step five for one deployment: its money held, the request in its provider's tongue, and the attempt put on record."""
    ask = exchange.ask
    attempt = _attempt(exchange, deployment)
    if exchange.endpoint.is_billed:
        await hold(exchange, attempt)
    exchange.open_attempt(attempt)
    if attempt.is_strict:
        await secure(exchange)
    if ask is None:
        raise _not_served(deployment)
    body = translation.request(exchange.dialect, attempt.spoken, ask, attempt.model)
    headers = forwarded(exchange.client.raw_headers)
    headers.append((ACCEPT_ENCODING, _coding(exchange, attempt)))
    call = Call(
        exchange.endpoint.operation,
        deployment,
        attempt.spoken,
        ask,
        attempt.model,
        _query(exchange),
        headers,
        body,
        exchange.own_access,
    )
    try:
        return attempt, attempt.provider.build(call)
    except NotServed as error:
        attempt.note.outcome, attempt.note.error_code, attempt.note.error_message = "failed", "not_served", str(error)[:1000]
        exchange.let_go(attempt)
        raise _not_served(deployment) from error


def _attempt(exchange: Exchange, deployment: DeploymentSnapshot) -> Attempt:
    """The attempt to come; raises NotReady when this deployment cannot take the call."""
    ask = exchange.ask
    provider = PROVIDERS.get(deployment.provider)
    spoken = provider.speaks(deployment, exchange.endpoint.operation) if provider is not None else None
    if provider is None or ask is None or spoken is None or not translation.can_serve(exchange.dialect, spoken):
        raise _not_served(deployment)
    if deployment.problem:
        raise NotReady(503, "credential_unusable", "The provider key of this model cannot be read. Gateway's side. Ask your administrator.")
    model = ask.model.removeprefix(f"{provider.name}/") if deployment.model == "*" else deployment.model
    note = AttemptNote(
        id=f"{exchange.request_id}.{len(exchange.attempts) + 1}",
        deployment=deployment.name,
        provider=provider.name,
        model=model,
        started_ms=exchange.elapsed_ms(),
    )
    turn = translation.answer(exchange.dialect, spoken, ask, exchange.request_id)
    attempt = Attempt(note, deployment, provider, model, Meter(spoken), spoken, turn)
    if turn is None and ask.is_stream:
        attempt.filter = spoken.answer_filter(ask)
    return attempt


def _not_served(deployment: DeploymentSnapshot) -> NotReady:
    text = f"{deployment.provider} does not serve this kind of call here. Gateway's side. Ask your administrator."
    return NotReady(503, "no_deployment", text)


def _query(exchange: Exchange) -> str:
    """The query string as it came, but for a key of ours."""
    query = exchange.client.query
    if "key=" not in query or not exchange.endpoint.takes_vendor_ids:
        return query
    return "&".join(part for part in query.split("&") if unquote(part.partition("=")[0]) != "key")


def _coding(exchange: Exchange, attempt: Attempt) -> bytes:
    """Streams and what we turn round come plain, so that they can be read; whole answers packed where the caller can unpack."""
    reads = attempt.turn is not None or (exchange.ask is not None and exchange.ask.is_stream)
    return b"gzip" if not reads and b"gzip" in exchange.client.headers.get(ACCEPT_ENCODING, b"") else b"identity"


async def _try(exchange: Exchange, attempt: Attempt, request: UpstreamRequest, *, fresh: bool = False) -> Response:
    note, deployment = attempt.note, attempt.deployment
    attempt.was_sent = True
    begun = time.perf_counter()
    exchange.deadline_error = NO_ANSWER
    now = time.monotonic()
    exchange.deadline = now + deployment.first_byte_timeout_s
    if exchange.ask is not None and exchange.ask.is_stream and exchange.dialect.ping:
        exchange.ping_at = now + exchange.plane.limits.first_words_after_s - exchange.elapsed_ms() / 1000
    try:
        response = await exchange.plane.upstream.send(request, in_process=attempt.provider.is_in_process, fresh=fresh)
    except asyncio.CancelledError:
        error = exchange.stopped
        if error is None or exchange.client.has_left or exchange.task is None:
            raise
        exchange.stopped = None
        exchange.task.uncancel()
        _note_failure(exchange, attempt, error)
        # A copy: an error that all calls share would keep the frames, and so the bodies, of every call that it ended.
        raise type(error)(error.status, error.code, error.message) from None
    except CallError as error:
        _note_failure(exchange, attempt, error)
        raise
    finally:
        exchange.ping_at = 0.0
        if not exchange.client.has_left:
            exchange.deadline = 0.0
        exchange.waited_s += time.perf_counter() - begun
    note.status = response.status
    note.upstream_request_id = field(response.headers, b"request-id")[:100]
    return response


def _note_failure(exchange: Exchange, attempt: Attempt, error: CallError) -> None:
    attempt.was_sent = not isinstance(error, (Unreachable, Stale))
    attempt.was_reset = isinstance(error, Reset)
    note = attempt.note
    note.outcome = "failed"
    note.error_code, note.error_message = error.code, error.message
    note.duration_ms = exchange.elapsed_ms() - note.started_ms
