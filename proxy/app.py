"""The data plane as a bare ASGI application: endpoint table, method, client address, then the walk."""

import logging

from keys import authenticate as door
from proxy import listings
from proxy.asgi import Fields, Receive, Scope, Send
from proxy.client import Client
from proxy.endpoints import HELLO, LIVENESS, READINESS, Place
from proxy.errors import CallError, ClientError, GatewayError
from proxy.exchange import Exchange, new_request_id
from proxy.flow import authenticate, walk
from proxy.jwt_callers import signed_in
from proxy.plane import Plane
from proxy.refusal import refusal_body, refusal_headers, refusal_status
from proxy.table import dialect_at, find
from routing.dialects.base import Dialect

logger = logging.getLogger(__name__)

INTERNAL = "Something went wrong in the gateway. Gateway's side. Its log has the request id."
OVERLOADED = GatewayError(
    503, "overloaded", "The gateway has as many calls under way as it can take. Gateway's side. Try again.", retry_after_s=1
)
JSON: Fields = [(b"content-type", b"application/json")]


class DataPlane:
    """Answers for every path that `proxy.endpoints.is_ours` names."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        place = find(scope)
        client = Client(scope, receive, send)
        if place is not None and scope["method"] in place.endpoint.methods:
            if place.endpoint.operation:
                if self.plane.is_full:
                    self.plane.turned_away += 1
                    await self._say(client, place.endpoint.dialect, OVERLOADED)
                    return
                exchange = Exchange(self.plane, place.endpoint, client, self._address(scope, client), path_ask=place.path_ask)
                await self._walk(exchange)
                return
            await self._local(place, client, scope)
            return
        methods = place.endpoint.methods if place is not None else ()
        error = _no_such_method(scope, methods) if methods else _no_such_path(scope)
        await self._say(client, dialect_at(scope["path"]), error, allow=methods)

    async def _walk(self, exchange: Exchange) -> None:
        """The last border: a fault of ours is logged, told in the caller's dialect, and settled like any other end."""
        try:
            await walk(exchange)
        except Exception:
            logger.exception("a call failed inside the gateway", extra={"fields": {"request_id": exchange.request_id}})
            if not exchange.client.has_started:
                error = GatewayError(500, "internal_error", INTERNAL)
                await self._say(exchange.client, exchange.dialect, error, request_id=exchange.request_id)
        finally:
            exchange.client.stop_watching()

    def _address(self, scope: Scope, client: Client) -> str:
        peer = scope["client"][0] if scope.get("client") else ""
        trusted = self.plane.trusted_proxies
        if not trusted:
            return peer
        # Each proxy may add a line of its own; together they are one list.
        hops = b",".join(value for name, value in client.raw_headers if name == b"x-forwarded-for").decode("latin-1")
        return door.client_ip(peer, hops, trusted)

    async def _local(self, place: Place, client: Client, scope: Scope) -> None:
        """Endpoints that this process answers by itself."""
        endpoint = place.endpoint
        if endpoint in {HELLO, LIVENESS}:
            await client.answer(200, JSON, b'"I\'m alive!"')
        elif endpoint is READINESS:
            ready = self.plane.is_ready and not self.plane.is_leaving
            # Without its database a gateway goes on with what it knows; to take it out of service would stop everything.
            status, word = (200, b"healthy") if ready else (503, b"unhealthy")
            database = b"connected" if self.plane.is_ready and self.plane.has_database else b"Not connected"
            await client.answer(status, JSON, b'{"status":"%b","db":"%b"}' % (word, database))
        else:
            await self._listed(place, client, scope)

    async def _listed(self, place: Place, client: Client, scope: Scope) -> None:
        exchange = Exchange(self.plane, place.endpoint, client, self._address(scope, client))
        self.plane.live.discard(exchange)
        dialect = place.endpoint.dialect
        try:
            body = listings.page(authenticate(exchange) or await signed_in(exchange), exchange, place)
        except CallError as error:
            await self._say(client, dialect, error)
            return
        await client.answer(200, [*JSON, (b"request-id", exchange.request_id.encode())], body)

    async def _say(self, client: Client, dialect: Dialect, error: CallError, *, allow: tuple[str, ...] = (), request_id: str = "") -> None:
        """A refusal outside the walk."""
        request_id, refusals = request_id or new_request_id(), self.plane.refusals
        headers = refusal_headers(dialect, error, request_id)
        if allow:
            headers.append((b"allow", ", ".join(allow).encode()))
        body = refusal_body(dialect, error, request_id, refusals)
        await client.answer(refusal_status(dialect, error, refusals), headers, body)


def _no_such_method(scope: Scope, methods: tuple[str, ...]) -> ClientError:
    return ClientError(405, "method_not_allowed", f"{scope['path']} takes {' or '.join(methods)}, not {scope['method']}. Your side.")


def _no_such_path(scope: Scope) -> ClientError:
    path = scope["path"][:200]
    return ClientError(
        404, "not_found", f"There is nothing at {path}. Your side. Claude Code's base URL is this gateway's address without a path."
    )
