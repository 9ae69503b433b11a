"""Step seven: the provider's bytes to the caller as they come, the meter reading a copy, both ends under time limits."""

import logging
import time
from collections.abc import Callable

from proxy.asgi import Fields, field
from proxy.attempt_headers import attempt_headers, cost_header
from proxy.errors import ClientError, Lost, ProviderError, Reset, TooSlow
from proxy.exchange import Exchange
from proxy.holding import keep_up
from proxy.meter import plain
from proxy.rates import headers as rate_headers
from proxy.refusal import STALLED, interrupt
from proxy.upstream import Response
from proxy.waiting import STREAM_HEADERS
from routing.dialects.base import Filter, StreamError, Told
from routing.providers.base import returned
from routing.translation import Answer, BadAnswer

logger = logging.getLogger(__name__)


async def relay(exchange: Exchange, response: Response) -> None:
    """Passes the answer on and leaves its outcome in the exchange."""
    headers = returned(response.headers)
    headers += exchange.dialect.id_headers(exchange.request_id)
    headers += attempt_headers(exchange)
    if exchange.slot is not None:
        headers += rate_headers(exchange.slot)
    if exchange.clamped_to:
        headers.append((b"x-tallygate-max-tokens", b"%d" % exchange.clamped_to))
    if left_out := exchange.attempts[-1].note.left_out:
        headers.append((b"x-tallygate-lost", ", ".join(left_out).encode("ascii", "replace")[:1000]))
    exchange.status = response.status
    try:
        if response.status < 400 and _is_stream(field(response.headers, b"content-type")):
            await _stream(exchange, response, headers)
        else:
            await _whole(exchange, response, headers)
    finally:
        response.close()
        note = exchange.attempts[-1].note
        note.duration_ms = exchange.elapsed_ms() - note.started_ms
        note.outcome = exchange.outcome


def _is_stream(content_type: str) -> bool:
    """Server-sent events, or AWS's frames."""
    return "event-stream" in content_type or "eventstream" in content_type


async def _stream(exchange: Exchange, response: Response, headers: Fields) -> None:
    attempt, client = exchange.attempts[-1], exchange.client
    exchange.forget_conversation()
    meter = attempt.meter
    meter.expect(field(response.headers, b"content-encoding"))
    if meter.is_coded and attempt.turn is not None:
        raise _unreadable()  # it was asked for plain
    turn = None if meter.is_coded else attempt.turn or attempt.filter
    if turn is not None and exchange.dialect.framing != attempt.spoken.framing:
        headers = _typed(headers, exchange.dialect.stream_type)
    if not client.has_started:
        await client.start(response.status, headers + STREAM_HEADERS)
    try:
        await _pass_on(exchange, response, turn)
    except ProviderError as error:
        attempt.lost_sight = isinstance(error, Reset)
        if not meter.has_ended and meter.error is None:
            await interrupt(exchange, error)
            return
    if meter.error is not None:
        _note_error(exchange, meter.error)
    elif not (meter.has_ended or meter.stop_reason or meter.is_blind):
        await interrupt(exchange, _truncated())
        return
    exchange.outcome = exchange.outcome or ("client_left" if client.has_left else "ok")
    await _write(exchange, turn.end() if turn is not None else b"", more=False)


def _note_error(exchange: Exchange, error: StreamError) -> None:
    """What the provider told of a failure inside an answer that had begun well."""
    exchange.outcome, exchange.error_source = "failed", "provider"
    exchange.error_code, exchange.error_message = error.type or "provider_error", error.message


def _look(exchange: Exchange, look: Callable[..., None], *seen: object) -> None:
    """The meter's border: an answer passes though our own reading of it fails, and is charged by its bytes."""
    try:
        look(*seen)
    except Exception:
        logger.exception("an answer could not be read", extra={"fields": {"request_id": exchange.request_id}})
        exchange.attempts[-1].meter.is_blind = True


async def _pass_on(exchange: Exchange, response: Response, turn: Answer | Filter | None) -> None:
    attempt, client = exchange.attempts[-1], exchange.client
    meter = attempt.meter
    while chunk := await _read(exchange, response):
        _look(exchange, meter.feed, chunk)
        if meter.text_bytes > attempt.enough:
            keep_up(exchange, attempt)
        if turn is not None:
            chunk = turn.feed(chunk)
        if chunk and not client.has_left:
            await _write(exchange, chunk)


async def _whole(exchange: Exchange, response: Response, headers: Fields) -> None:
    """A JSON answer is short: it is collected, so that one cut in the middle becomes a proper error, then passed as it came."""
    pieces, size, attempt = [], 0, exchange.attempts[-1]
    # It was made before its first byte came, and only its end tells how long it is.
    attempt.lost_sight = True
    while chunk := await _read(exchange, response):
        pieces.append(chunk)
        size += len(chunk)
        if size > exchange.plane.limits.answer_bytes:
            raise Lost(502, "answer_too_large", "The provider's answer is larger than this gateway takes. Provider's side.")
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    coding = field(response.headers, b"content-encoding")
    if response.status < 400:
        meter = attempt.meter
        _look(exchange, meter.read_whole, body, response.headers, coding)
        if not (meter.has_ended or meter.is_blind) and "json" in field(response.headers, b"content-type"):
            raise _truncated()
        attempt.lost_sight = False
        exchange.outcome = "client_left" if exchange.client.has_left else "ok"
        if meter.error is not None:
            _note_error(exchange, meter.error)
        headers += cost_header(exchange, attempt)
        if attempt.turn is not None:
            body = _turned(attempt.turn, body)
    else:
        told = _note_refusal(exchange, response, plain(body, coding) or b"")
        if attempt.spoken.errors != exchange.dialect.errors:
            body, headers = _retold(exchange, told, headers)
        headers += [(b"x-tallygate-error-source", b"provider"), (b"x-tallygate-error-code", b"provider_error")]
    if exchange.client.has_started:
        await interrupt(exchange, _too_late(exchange, response.status))
        return
    await exchange.client.answer(exchange.status, headers, body)


def _turned(turn: Answer, body: bytes) -> bytes:
    try:
        return turn.whole(body)
    except BadAnswer:
        raise _unreadable() from None


def _unreadable() -> Lost:
    return Lost(502, "upstream_unreadable", "The provider's answer cannot be read. Provider's side. Try again.")


def _too_late(exchange: Exchange, status: int) -> ProviderError:
    """What came after we had begun a stream for a caller that waited long: it can only be told inside that stream."""
    kind = exchange.error_code if status >= 400 and not exchange.error_code.startswith("http_") else ""
    text = exchange.error_message or "The provider answered late, and not with a stream. Provider's side. Try again."
    return ProviderError(status if status >= 400 else 502, "provider_error", text, error_type=kind)


def _note_refusal(exchange: Exchange, response: Response, body: bytes) -> Told:
    """What the provider said is kept on record."""
    exchange.outcome = "failed"
    told = exchange.attempts[-1].spoken.read_error(response.status, response.headers, body)
    exchange.error_source, exchange.error_code, exchange.error_message = "provider", told.kind or f"http_{response.status}", told.message
    return told


def _retold(exchange: Exchange, told: Told, headers: Fields) -> tuple[bytes, Fields]:
    """The provider's refusal as this caller's clients read it."""
    dialect = exchange.dialect
    exchange.status = dialect.statuses.get(told.status, told.status)
    message = told.message or "The provider refused the call and did not say why. Provider's side."
    kept = [(name, value) for name, value in headers if name not in BODY_HEADERS]
    kept += dialect.error_headers(told.status, told.kind)
    if told.retry_after_s is not None and not any(name == b"retry-after" for name, _ in kept):
        kept.append((b"retry-after", b"%d" % told.retry_after_s))
    return dialect.error_body(told.status, message, exchange.request_id, error_type=told.kind, code=told.code), kept


BODY_HEADERS = frozenset({b"content-type", b"content-encoding", b"x-amzn-errortype", b"x-amzn-bedrock-content-type"})


def _typed(headers: Fields, content_type: bytes) -> Fields:
    return [*((name, value) for name, value in headers if name not in BODY_HEADERS), (b"content-type", content_type)]


async def _read(exchange: Exchange, response: Response) -> bytes:
    now = time.monotonic()
    idle_s = exchange.attempts[-1].deployment.idle_timeout_s
    if not exchange.client.has_left:
        exchange.deadline = now + idle_s
        exchange.deadline_error = TOO_QUIET
    if exchange.client.has_started and exchange.dialect.ping:
        exchange.ping_at = now + exchange.plane.limits.ping_after_s
    chunk = await response.read()
    exchange.ping_at = 0.0
    if chunk and exchange.first_byte is None:
        exchange.first_byte = exchange.attempts[-1].note.first_byte_ms = exchange.elapsed_ms()
    exchange.waited_s += time.monotonic() - now
    return chunk


async def _write(exchange: Exchange, chunk: bytes, *, more: bool = True) -> None:
    now = time.monotonic()
    exchange.deadline = now + exchange.plane.limits.write_stall_s
    exchange.deadline_error = READER_STALLED
    await exchange.client.write(chunk, more=more)
    exchange.waited_s += time.monotonic() - now


TOO_QUIET = TooSlow(504, "provider_timeout", "The provider stopped sending. Provider's side. Try again.")
READER_STALLED = ClientError(499, STALLED, "The caller stopped reading.")


def _truncated() -> Lost:
    return Lost(502, "upstream_truncated", "The provider ended its answer too early. Provider's side. Try again.")
