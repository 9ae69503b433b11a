"""THE WALK: one call from its headers to its ledger line, eight steps, each one call, no step knowing the next.

The caller is known before its body is read, so that strangers cannot make us hold megabytes.
"""

import asyncio
import time

from keys import authenticate as door
from keys.authenticate import Refusal
from keys.snapshot import Caller
from proxy.admission import admit
from proxy.choosing import line_up
from proxy.client import ClientLeft
from proxy.errors import CallError, ClientError, GatewayError, of_refusal
from proxy.exchange import Exchange
from proxy.failover import send
from proxy.jwt_callers import signed_in
from proxy.litellm_fields import FIELDS, take_out
from proxy.mocks import answered
from proxy.refusal import refuse
from proxy.relay import relay
from routing.dialects.base import Ask, BadBody

BODY_TOO_SLOW = ClientError(408, "body_timeout", "The request body did not arrive in time. Your side.")


async def walk(exchange: Exchange) -> None:
    try:
        exchange.caller = authenticate(exchange) or await signed_in(exchange)
        exchange.ask = await read(exchange)
        exchange.route = await admit(exchange, exchange.ask)
        if exchange.mocks is not None and await answered(exchange, exchange.mocks):
            return
        deployments = line_up(exchange, exchange.route)
        exchange.client.watch(exchange.client_left)
        response = await send(exchange, exchange.route, deployments)
        await relay(exchange, response)
    except CallError as error:
        await refuse(exchange, error)
    except (asyncio.CancelledError, ClientLeft) as ending:
        await stopped(exchange, ending)
    finally:
        exchange.close()
        exchange.client.stop_watching()


def authenticate(exchange: Exchange) -> Caller | None:
    """The caller behind the first credential that is ours, fit to call now and from here; None where it may be a signed token."""
    plane, headers, keys = exchange.plane, exchange.client.headers, exchange.snapshot.keys
    try:
        tokens = door.tokens(headers, plane.key_header)
        if exchange.endpoint.cloud:
            tokens += door.clouds_tokens(headers, exchange.client.query, takes_aws_key_ids=plane.takes_aws_key_ids)
            exchange.own_access = door.own_access(headers, plane.key_header, keys)
        caller = door.identify(tokens, keys)
        exchange.caller = caller
        door.check(caller, exchange.client_ip, exchange.received_at, headers)
    except Refusal as refusal:
        if plane.signed_tokens is not None and refusal.code == "key_invalid":
            return None
        raise of_refusal(refusal) from None
    return caller


async def read(exchange: Exchange) -> Ask:
    """The body under its limits, and what it asks for."""
    limits = exchange.plane.limits
    exchange.deadline_error = BODY_TOO_SLOW

    def wait_on() -> None:
        exchange.deadline = time.monotonic() + limits.body_idle_s

    wait_on()
    begun = time.perf_counter()
    body = await exchange.client.read_body(limits.body_bytes, wait_on)
    exchange.waited_s += time.perf_counter() - begun
    exchange.deadline = 0.0
    exchange.request_bytes = len(body)
    try:
        ask = exchange.dialect.read(body, exchange.path_ask, counts_only=not exchange.endpoint.is_billed)
        if not FIELDS.isdisjoint(ask.fields):
            take_out(exchange, ask)
    except BadBody as error:
        raise ClientError(400, "invalid_request", str(error)) from None
    if exchange.endpoint.cloud:
        ask.model = exchange.snapshot.routes.public_name(ask.model)
    return ask


async def stopped(exchange: Exchange, ending: BaseException) -> None:
    """A wait was broken off: by a time limit of ours, by the caller's leaving, or by the server's own stop."""
    error = exchange.stopped
    if isinstance(ending, asyncio.CancelledError) and error is None:
        await refuse(exchange, GatewayError(503, "shutting_down", "The gateway is stopping. Gateway's side. Try again.", retry_after_s=5))
        raise ending
    if exchange.client.has_left or error is None:
        exchange.note_leaving()
        exchange.status = exchange.status or 499
        return
    await refuse(exchange, error)
