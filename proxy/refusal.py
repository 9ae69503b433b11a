"""How a call is refused: a normal answer in the caller's dialect before the first byte, an event in the stream after it."""

import asyncio
import contextlib

from proxy.asgi import Fields
from proxy.errors import CallError
from proxy.exchange import Exchange
from routing.dialects import messages
from routing.wire.sse import event

STALLED = "client_stalled"


def refusal_body(error: CallError, request_id: str) -> bytes:
    return messages.error_body(error.status, error.message, request_id, error_type=error.error_type)


def refusal_headers(error: CallError, request_id: str) -> Fields:
    """The headers of the error contract. A body that we did not read to its end cannot be followed by another request."""
    headers = [(b"content-type", b"application/json"), (b"request-id", request_id.encode()), *error.headers()]
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
    body = refusal_body(error, exchange.request_id)
    if client.has_started:
        await interrupt(exchange, error)
        return
    exchange.outcome = "failed" if error.source == "provider" else "refused"
    exchange.status = error.status
    await client.answer(error.status, refusal_headers(error, exchange.request_id), body)


async def interrupt(exchange: Exchange, error: CallError) -> None:
    """Ends a started stream with an error event at an event's boundary. A packed stream takes no event: it ends without its end."""
    exchange.error = error
    meter = exchange.attempts[-1].meter
    exchange.outcome = "client_left" if exchange.client.has_left else "truncated"
    if error.code == STALLED:
        exchange.client.cut()
        return
    if meter.is_coded:
        return
    boundary = b"" if meter.at_boundary else b"\n\n"
    await _last_write(exchange, boundary + event("error", refusal_body(error, exchange.request_id)))


async def _last_write(exchange: Exchange, chunk: bytes) -> None:
    """Bounded here: the call's own time limit may be what has just passed, and a reader that takes nothing would hold us for ever."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(exchange.plane.limits.write_stall_s):
            await exchange.client.write(chunk, more=False)
