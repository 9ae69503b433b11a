"""How a call is refused: a normal answer in the caller's dialect before the first byte, an event in the stream after it."""

import asyncio
import contextlib
from collections.abc import Mapping

import msgspec

from proxy.asgi import Fields
from proxy.attempt_headers import attempt_headers
from proxy.errors import CallError
from proxy.exchange import Exchange
from routing.dialects.base import SSE, Dialect
from routing.dialects.litellm_errors import Words

STALLED = "client_stalled"
_encode = msgspec.json.Encoder().encode


def _litellms(dialect: Dialect, error: CallError, refusals: Mapping[str, Words]) -> Words | None:
    """How LiteLLM would put it to a caller of OpenAI's APIs; None for all others, and for what it has no word for."""
    return refusals.get(error.words_as or error.code) if dialect.errors == "openai" else None


def refusal_body(dialect: Dialect, error: CallError, request_id: str, refusals: Mapping[str, Words]) -> bytes:
    if words := _litellms(dialect, error, refusals):
        return _encode({"error": words.error(error.message, error.facts)})
    return dialect.error_body(error.status, error.message, request_id, error_type=error.error_type, code=error.code)


def refusal_status(dialect: Dialect, error: CallError, refusals: Mapping[str, Words]) -> int:
    if words := _litellms(dialect, error, refusals):
        return words.status
    return dialect.statuses.get(error.status, error.status)


def refusal_headers(dialect: Dialect, error: CallError, request_id: str) -> Fields:
    """The headers of the error contract. A body that we did not read to its end cannot be followed by another request."""
    headers = [*dialect.error_headers(error.status, error.error_type), *dialect.id_headers(request_id), *error.headers()]
    if error.status in {408, 413}:
        headers.append((b"connection", b"close"))
    return headers


async def refuse(exchange: Exchange, error: CallError) -> None:
    """Tells the caller and keeps the reason on record."""
    client = exchange.client
    if exchange.has_whole_answer:
        exchange.outcome = "ok"
        await _last_write(exchange, b"")
        return
    exchange.error = error
    if client.has_left:
        exchange.outcome = "client_left"
        exchange.status = exchange.status or error.status
        return
    if client.has_started:
        await interrupt(exchange, error)
        return
    exchange.outcome = "failed" if error.source == "provider" else "refused"
    dialect, refusals = exchange.dialect, exchange.plane.refusals
    exchange.status = refusal_status(dialect, error, refusals)
    body = refusal_body(dialect, error, exchange.request_id, refusals)
    headers = refusal_headers(dialect, error, exchange.request_id) + attempt_headers(exchange)
    await client.answer(exchange.status, headers, body)


async def interrupt(exchange: Exchange, error: CallError) -> None:
    """Ends a started stream with an error event at an event's boundary. Where none can be put in, it ends without its end."""
    exchange.error = error
    attempt, dialect = exchange.attempts[-1], exchange.dialect
    exchange.outcome = "client_left" if exchange.client.has_left else "truncated"
    if error.code == STALLED:
        exchange.client.cut()
        return
    if attempt.meter.is_coded or not (attempt.at_boundary or dialect.framing == SSE):
        return
    boundary = b"" if attempt.at_boundary else b"\n\n"
    told = dialect.error_event(error.status, error.message, exchange.request_id, error_type=error.error_type, code=error.code)
    await _last_write(exchange, boundary + told)


async def _last_write(exchange: Exchange, chunk: bytes) -> None:
    """Bounded here: the call's own time limit may be what has just passed, and a reader that takes nothing would hold us for ever."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(exchange.plane.limits.write_stall_s):
            await exchange.client.write(chunk, more=False)
