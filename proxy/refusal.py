"""How a call is refused: a normal answer in the caller's dialect before the first byte, an event in the stream after it."""

from proxy.asgi import Fields
from proxy.errors import CallError
from proxy.exchange import Exchange
from routing.dialects import messages
from routing.wire.sse import event


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
    exchange.error = error
    client = exchange.client
    if client.has_left:
        exchange.outcome = "client_left"
        exchange.status = exchange.status or error.status
        return
    body = refusal_body(error, exchange.request_id)
    if client.has_started:
        exchange.outcome = "truncated"
        await client.write(b"\n\n" + event("error", body), more=False)
        return
    exchange.outcome = "failed" if error.source == "provider" else "refused"
    exchange.status = error.status
    await client.answer(error.status, refusal_headers(error, exchange.request_id), body)
