"""The door in front of everything, before the walk: refuses well-formed HTTP that is hostile all the same.

The parser and its limits (gateway_project/server.py) have already refused what breaks the grammar; here is what every
server lets through: Host, transfer coding, methods, upgrades and dressed-up paths. Refusals have the shape that callers at that path read.
"""

import posixpath
import re
import secrets
from dataclasses import dataclass

from proxy.asgi import App, Fields, Receive, Scope, Send
from proxy.table import PLACES, dialect_at, is_ours
from routing.dialects.base import Dialect
from routing.dialects.messages import MESSAGES

is_host = re.compile(rb"(?:[a-z0-9_][a-z0-9_.-]{0,254}|\[[0-9a-f.]{0,4}:[0-9a-f:.]{1,44}\])(?::[0-9]{1,5})?", re.IGNORECASE).fullmatch
has_odd_part = re.compile(rb"//|\\|/\.\.?(?:/|\Z)|%(?:00|2e|2f|5c)", re.IGNORECASE).search
HTTP_VERSIONS = frozenset({"1.0", "1.1", "2"})
REFUSED_METHODS = frozenset({"TRACE", "CONNECT"})
CODES = {400: b"bad_request", 405: b"method_not_allowed", 414: b"url_too_long", 431: b"headers_too_large"}


@dataclass(frozen=True, slots=True)
class BadRequest:
    """Why nobody behind the door shall see a request: the status and the sentence its sender gets."""

    status: int
    message: str

    def render(self, dialect: Dialect = MESSAGES) -> tuple[Fields, bytes]:
        """Header fields and body, under a fresh request id."""
        request_id = f"req_{secrets.token_hex(14)}"
        code = CODES[self.status]
        body = dialect.error_body(self.status, self.message, request_id, code=code.decode())
        fields = [
            *dialect.error_headers(self.status),
            (b"content-length", b"%d" % len(body)),
            *dialect.id_headers(request_id),
            (b"x-tallygate-error-source", b"client"),
            (b"x-tallygate-error-code", code),
            (b"x-should-retry", b"false"),
            (b"connection", b"close"),
        ]
        if self.status == 405:
            fields.append((b"allow", b"GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"))
        return fields, body


BAD_VERSION = BadRequest(400, "This HTTP version is not spoken here. Your side. Send HTTP/1.1.")
BAD_METHOD = BadRequest(405, "TRACE and CONNECT are not allowed. Your side. Use another method.")
BAD_HOST = BadRequest(
    400, "The Host header is missing, doubled or malformed. Your side. Send one, with a plain name or address and an optional port."
)
BAD_CODING = BadRequest(
    400, "This Transfer-Encoding is not understood. Your side. Send it once, as chunked, over HTTP/1.1, without Content-Length."
)
BAD_UPGRADE = BadRequest(400, "This address speaks plain HTTP only. Your side. Send the request without an Upgrade header.")
BAD_PATH = BadRequest(
    400, "The path is not in plain form. Your side. Send it without dot segments, double slashes, backslashes and their encodings."
)


def is_plain_path(raw_path: bytes) -> bool:
    """True unless the undecoded path holds something that two readers could resolve differently."""
    return has_odd_part(raw_path) is None


def resolved_path(path: str) -> str:
    """Where a lenient reader would end up with this decoded path."""
    return posixpath.normpath("/" + path.replace("\\", "/").replace("\0", "").lstrip("/"))


class Guard:
    """Wraps the whole application. Host, method and transfer coding are looked at everywhere, upgrade and path where calls go."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            refusal = self._fault(scope)
            if refusal is not None:
                await _refuse(refusal, scope, send)
                return
        await self.app(scope, receive, send)

    def _fault(self, scope: Scope) -> BadRequest | None:
        if scope["http_version"] not in HTTP_VERSIONS:
            return BAD_VERSION
        if scope.get("method") in REFUSED_METHODS:
            return BAD_METHOD
        headers = scope["headers"]
        # A list of the names and C-speed searches in it: a Python loop over the fields costs more than all the rest together.
        names = [name for name, _ in headers]
        if names.count(b"host") != 1 or is_host(headers[names.index(b"host")][1]) is None:
            return BAD_HOST
        if b"transfer-encoding" in names and not _is_chunked_once(scope):
            return BAD_CODING
        if b"_" in b"".join(names):
            # `x_api_key` and `x-api-key` are one variable to many frameworks. Dropped, not refused: some clients send such names idly.
            scope["headers"] = [field for field in headers if b"_" not in field[0]]
        if (b"upgrade" in names or scope["type"] == "websocket") and is_ours(resolved_path(scope["path"])):
            return BAD_UPGRADE
        if not is_plain_path(scope["raw_path"]) and resolved_path(scope["path"]) in PLACES:
            return BAD_PATH
        return None


def _is_chunked_once(scope: Scope) -> bool:
    codings = [value.lower() for name, value in scope["headers"] if name == b"transfer-encoding"]
    has_length = any(name == b"content-length" for name, _ in scope["headers"])
    return codings == [b"chunked"] and scope["http_version"] == "1.1" and not has_length


async def _refuse(refusal: BadRequest, scope: Scope, send: Send) -> None:
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    fields, body = refusal.render(dialect_at(scope["path"]))
    await send({"type": f"{kind}.start", "status": refusal.status, "headers": fields})
    await send({"type": f"{kind}.body", "body": body})
