"""Who may call anything here at all, by address or by a secret header, in front of both planes.

Probes of health stay open: balancers have no key.
"""

import json
import secrets
from collections.abc import Mapping

from keys.authenticate import bears, client_ip, inside
from keys.snapshot import Network, RequiredHeader
from proxy.asgi import App, Fields, Receive, Scope, Send
from proxy.errors import ClientError
from proxy.refusal import refusal_body, refusal_headers, refusal_status
from proxy.table import dialect_at, is_ours
from routing.dialects.litellm_errors import Words

OPEN = frozenset({"/health/liveliness", "/health/liveness", "/health/readiness"})
CODE = "ip_not_allowed"
LONGEST_ADDRESS = 45


class AllowList:
    """Wraps the application where a list or a header is set; either opens. `refusals` are LiteLLM's words for what is refused."""

    def __init__(
        self,
        app: App,
        allowed: tuple[Network, ...],
        trusted: tuple[Network, ...],
        refusals: Mapping[str, Words],
        header: RequiredHeader | None = None,
    ) -> None:
        self.app = app
        self.allowed = allowed
        self.trusted = trusted
        self.refusals = refusals
        self.header = header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"].removesuffix("/") in OPEN:
            await self.app(scope, receive, send)
            return
        address = self._address(scope)
        if inside(address, self.allowed) or (self.header is not None and bears(dict(scope["headers"]), self.header)):
            await self.app(scope, receive, send)
        else:
            await self._refuse(address, scope, send)

    def _address(self, scope: Scope) -> str:
        peer = scope["client"][0] if scope.get("client") else ""
        hops = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
        return client_ip(peer, hops, self.trusted)

    async def _refuse(self, address: str, scope: Scope, send: Send) -> None:
        kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
        status, fields, body = self._refusal(address, scope["path"])
        fields = [*fields, (b"content-length", b"%d" % len(body))]
        await send({"type": f"{kind}.start", "status": status, "headers": fields})
        await send({"type": f"{kind}.body", "body": body})

    def _refusal(self, address: str, path: str) -> tuple[int, Fields, bytes]:
        """In the caller's own tongue where calls go, in LiteLLM's elsewhere."""
        shown = address if address.isprintable() and 0 < len(address) <= LONGEST_ADDRESS else "an unknown address"
        how = f"Call from an allowed network{', or with the secret header' if self.header else ''}."
        text = f"This gateway may not be used from {shown}. Your side. {how}"
        error = ClientError(403, CODE, text)
        if is_ours(path):
            request_id, dialect = f"req_{secrets.token_hex(14)}", dialect_at(path)
            status, body = refusal_status(dialect, error, self.refusals), refusal_body(dialect, error, request_id, self.refusals)
            return status, refusal_headers(dialect, error, request_id), body
        told = {"error": self.refusals[CODE].error(text)}
        return self.refusals[CODE].status, [(b"content-type", b"application/json"), *error.headers()], json.dumps(told).encode()
