"""Signs of life in a stream while the provider is silent, so that clients and proxies on the way do not give up."""

from typing import TYPE_CHECKING

from proxy.asgi import Fields

if TYPE_CHECKING:
    from proxy.exchange import Exchange

COMMENT = b": waiting for the provider\n\n"
STREAM_HEADERS: Fields = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


async def keep_awake(exchange: "Exchange") -> None:
    """Looks again first: between the sweep and this turn the relay may have written half an event or the end.

    A caller that has waited long for the provider's first byte gets our own: after that a failure can be told as an event only.
    """
    if not (exchange.ping_at and exchange.attempts[-1].at_boundary):
        return
    if exchange.client.has_started:
        await exchange.client.write(COMMENT if exchange.first_byte is None else exchange.dialect.ping)
        return
    exchange.status = 200
    named = exchange.dialect.id_headers(exchange.request_id)
    await exchange.client.start(200, [(b"content-type", exchange.dialect.stream_type), *named, *STREAM_HEADERS])
    await exchange.client.write(COMMENT)
