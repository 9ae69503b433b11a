"""Steps five and six for one deployment: its money held, the call in its provider's tongue, sent, and what came of it put on record."""

import asyncio
import time
from urllib.parse import unquote

from audit.requests import AttemptNote
from proxy import sessions, vital_signs
from proxy.asgi import Fields, field
from proxy.errors import CallError, ClientError, NotOnRecord, NotReady, NotTranslatable, ProviderError, Reset, Stale, TooSlow, Unreachable
from proxy.exchange import Attempt, Exchange
from proxy.heard import Heard
from proxy.holding import hold, secure
from proxy.meter import Meter, plain
from proxy.upstream import Response
from routing import translation
from routing.dialects.base import Ask, BadBody
from routing.failures import Reason, reason_of
from routing.providers.base import Call, NotServed, UpstreamRequest, forwarded, request_id
from routing.providers.registry import PROVIDERS
from routing.snapshot import DeploymentSnapshot
from routing.translation import Unsayable

ACCEPT_ENCODING = b"accept-encoding"
NO_ANSWER = TooSlow(504, "provider_timeout", "The provider did not answer in time. Provider's side. Try again.")
# Tells gateways like this one how many of them a call has come through.
HOPS = b"x-tallygate-hops"


async def ask(exchange: Exchange, deployment: DeploymentSnapshot, name: str) -> Response:
    """One deployment's answer to a call for the public name `name`.

    Asked once more where that is safe: a provider that had hung up on a kept connection, on a fresh one; one that does not accept the
    thinking in the conversation, without it.
    """
    attempt, request = await _prepare(exchange, deployment, name)
    fresh = strips_all = False
    try:
        response = await _try(exchange, attempt, request)
        strips_all = attempt.reason is Reason.THINKING_REFUSED
        if not strips_all or exchange.client.has_left:
            return response
    except Stale:
        if exchange.client.has_left:
            raise
        fresh = True
    exchange.let_go(attempt)
    attempt, request = await _prepare(exchange, deployment, name, strips_all=strips_all)
    return await _try(exchange, attempt, request, fresh=fresh)


async def _prepare(
    exchange: Exchange, deployment: DeploymentSnapshot, name: str, *, strips_all: bool = False
) -> tuple[Attempt, UpstreamRequest]:
    """The money held, the request in the provider's tongue, and the attempt put on record."""
    asked = exchange.ask
    attempt = _attempt(exchange, deployment, name)
    if exchange.endpoint.is_billed:
        await hold(exchange, attempt)
    exchange.open_attempt(attempt)
    if attempt.is_strict:
        await secure(exchange)
    if asked is None:
        raise _not_served(deployment)
    asked = sessions.ask_for(exchange, attempt, asked, is_other_name=name != asked.model, strips_all=strips_all)
    headers = forwarded(exchange.client.raw_headers)
    headers.append((ACCEPT_ENCODING, _coding(exchange, attempt)))
    if deployment.base_url:
        headers.append((HOPS, b"%d" % (hops(exchange) + 1)))
    return attempt, _built(exchange, attempt, asked, headers)


def _built(exchange: Exchange, attempt: Attempt, asked: Ask, headers: Fields) -> UpstreamRequest:
    """The request as this provider wants it; raises CallError where it takes no such call."""
    try:
        body = translation.request(exchange.dialect, attempt.spoken, asked, attempt.model)
        if asked.lost or attempt.foreign_turns:
            attempt.note.left_out = _left_out(exchange, attempt, asked)
        own_access = exchange.own_access if exchange.endpoint.cloud == attempt.provider.name else b""
        call = Call(
            exchange.endpoint.operation,
            attempt.deployment,
            attempt.spoken,
            asked,
            attempt.model,
            _query(exchange),
            headers,
            body,
            own_access,
        )
        return attempt.provider.build(call)
    except NotServed as error:
        _note_unserved(exchange, attempt, "not_served", str(error))
        raise _not_served(attempt.deployment) from error
    except Unsayable as error:
        _note_unserved(exchange, attempt, "not_translatable", str(error))
        raise NotTranslatable(400, "invalid_request", str(error)) from None
    except BadBody as error:
        _note_unserved(exchange, attempt, "invalid_request", str(error))
        raise ClientError(400, "invalid_request", str(error)) from None


def _left_out(exchange: Exchange, attempt: Attempt, asked: Ask) -> list[str]:
    """What of the call this provider is not sent: what its dialect cannot say, and thinking that another account has signed."""
    lost = list(asked.lost) if attempt.spoken.family != exchange.dialect.family else []
    return [*lost, "thinking"] if attempt.foreign_turns and "thinking" not in lost else lost


def _note_unserved(exchange: Exchange, attempt: Attempt, code: str, text: str) -> None:
    attempt.note.outcome, attempt.note.error_code, attempt.note.error_message = "failed", code, text[:1000]
    exchange.let_go(attempt)


def _query(exchange: Exchange) -> str:
    """The query string as it came, but for a key of ours."""
    query = exchange.client.query
    if "key=" not in query or not exchange.endpoint.cloud:
        return query
    return "&".join(part for part in query.split("&") if unquote(part.partition("=")[0]) != "key")


def _attempt(exchange: Exchange, deployment: DeploymentSnapshot, name: str) -> Attempt:
    """The attempt to come; raises NotReady when this deployment cannot take the call."""
    ask = exchange.ask
    provider = PROVIDERS.get(deployment.provider)
    spoken = provider.speaks(deployment, exchange.endpoint.operation) if provider is not None else None
    if provider is None or ask is None or spoken is None or not translation.can_serve(exchange.dialect, spoken):
        raise _not_served(deployment)
    if deployment.problem:
        raise NotReady(503, "credential_unusable", "The provider key of this model cannot be read. Gateway's side. Ask your administrator.")
    model = name.removeprefix(f"{provider.name}/") if deployment.model == "*" else deployment.model
    note = AttemptNote(
        id=f"{exchange.request_id}.{len(exchange.attempts) + 1}",
        deployment=deployment.name,
        provider=provider.name,
        model=model,
        started_ms=exchange.elapsed_ms(),
        route=name,
    )
    turn = translation.answer(exchange.dialect, spoken, ask, exchange.request_id)
    attempt = Attempt(note, deployment, provider, model, Meter(spoken), spoken, turn)
    if turn is None and ask.is_stream:
        attempt.filter = spoken.answer_filter(ask)
    return attempt


def _not_served(deployment: DeploymentSnapshot) -> NotReady:
    text = f"{deployment.provider} does not serve this kind of call here. Gateway's side. Ask your administrator."
    return NotReady(503, "no_deployment", text)


def _coding(exchange: Exchange, attempt: Attempt) -> bytes:
    """Streams and what we turn round come plain, so that they can be read; whole answers packed where the caller can unpack."""
    reads = attempt.turn is not None or (exchange.ask is not None and exchange.ask.is_stream)
    return b"gzip" if not reads and b"gzip" in exchange.client.headers.get(ACCEPT_ENCODING, b"") else b"identity"


def hops(exchange: Exchange) -> int:
    """How many gateways like this one the call has come through."""
    told = exchange.client.headers.get(HOPS, b"")
    return int(told) if told.isdigit() and len(told) < 4 else 0


async def _try(exchange: Exchange, attempt: Attempt, request: UpstreamRequest, *, fresh: bool = False) -> Response:
    """The answer's head, or the whole of a refusal. Raises ProviderError."""
    attempt.was_sent = True
    begun = time.perf_counter()
    now = time.monotonic()
    vital_signs.begin(exchange, attempt, now)
    exchange.deadline_error = NO_ANSWER
    exchange.deadline = now + attempt.deployment.first_byte_timeout_s
    if exchange.ask is not None and exchange.ask.is_stream and exchange.dialect.ping:
        exchange.ping_at = now + exchange.plane.limits.first_words_after_s - exchange.elapsed_ms() / 1000
    try:
        upstream = exchange.plane.upstream if exchange.mocks is None else exchange.mocks.upstream(exchange)
        is_recorded = not attempt.is_free
        response = await upstream.send(request, in_process=attempt.provider.is_in_process, fresh=fresh, is_recorded=is_recorded)
        if response.status < 400:
            vital_signs.answered(attempt, time.monotonic(), (time.perf_counter() - begun) * 1000)
        else:
            response = await _hear(exchange, attempt, response)
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
    note = attempt.note
    note.status = response.status
    note.upstream_request_id = request_id(response.headers)[:100]
    if response.status < 400:
        sessions.note(exchange, attempt)
    return response


async def _hear(exchange: Exchange, attempt: Attempt, response: Response) -> Heard:
    """A refusal with its reason, which is put on record."""
    note = attempt.note
    note.status = response.status
    if not exchange.client.has_left:
        exchange.deadline = time.monotonic() + attempt.deployment.idle_timeout_s
    heard = await Heard.of(response)
    body = plain(heard.body, field(heard.headers, b"content-encoding")) or b""
    told = attempt.spoken.read_error(heard.status, heard.headers, body)
    reason = reason_of(heard.status, told.message, f"{told.kind} {told.code}")
    if reason is Reason.MODEL_UNKNOWN and attempt.deployment.model == "*":
        reason = Reason.REQUEST_REFUSED  # the name was the caller's own
    attempt.reason, attempt.retry_after_s = reason, _retry_after_s(heard, told.retry_after_s)
    vital_signs.failed(exchange, attempt, reason, attempt.retry_after_s)
    vital_signs.end(exchange, attempt, 0)
    note.outcome, note.error_code, note.error_message = "failed", reason.value, told.message[:1000]
    note.duration_ms = exchange.elapsed_ms() - note.started_ms
    return heard


def _retry_after_s(heard: Heard, told_s: int | None) -> float | None:
    """When the provider wants to be asked again, in seconds. The HTTP date is passed over: nobody sends it."""
    milliseconds, seconds = field(heard.headers, b"retry-after-ms"), field(heard.headers, b"retry-after")
    if milliseconds.isdigit() and len(milliseconds) < 12:
        return int(milliseconds) / 1000
    return float(seconds) if seconds.isdigit() and len(seconds) < 9 else told_s


def _note_failure(exchange: Exchange, attempt: Attempt, error: CallError) -> None:
    attempt.was_sent = not isinstance(error, (Unreachable, Stale, NotOnRecord))
    attempt.lost_sight = isinstance(error, Reset)
    # A connection that the provider had closed while nobody used it says nothing of the provider.
    if isinstance(error, ProviderError) and not isinstance(error, Stale):
        vital_signs.failed(exchange, attempt, Reason.PROVIDER_ERROR)
    vital_signs.end(exchange, attempt, attempt.counted_tokens if attempt.was_sent else 0)
    note = attempt.note
    note.outcome = "failed"
    note.error_code, note.error_message = error.noted
    note.duration_ms = exchange.elapsed_ms() - note.started_ms
