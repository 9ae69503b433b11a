"""Google's way of putting errors: `{"error": {code, message, status, details}}`, sometimes as the only element of an array."""

import math
import re
from collections.abc import Mapping

import msgspec

from routing.dialects.base import UNREADABLE, Told

# Google's names of what went wrong → the HTTP status and the error type of Anthropic's that say the same.
KINDS: Mapping[str, tuple[int, str]] = {
    "INVALID_ARGUMENT": (400, "invalid_request_error"),
    "FAILED_PRECONDITION": (400, "invalid_request_error"),
    "OUT_OF_RANGE": (400, "invalid_request_error"),
    "UNAUTHENTICATED": (401, "authentication_error"),
    "PERMISSION_DENIED": (403, "permission_error"),
    "NOT_FOUND": (404, "not_found_error"),
    "ABORTED": (409, "api_error"),
    "RESOURCE_EXHAUSTED": (429, "rate_limit_error"),
    "CANCELLED": (499, "api_error"),
    "INTERNAL": (500, "api_error"),
    "UNIMPLEMENTED": (501, "api_error"),
    "UNAVAILABLE": (503, "overloaded_error"),
    "DEADLINE_EXCEEDED": (504, "timeout_error"),
}
_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPES = "type.googleapis.com/google.rpc."
_seconds = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")
_encode = msgspec.json.Encoder().encode


class _Detail(msgspec.Struct):
    retry_delay: str | None = msgspec.field(default=None, name="retryDelay")


class GoogleError(msgspec.Struct):
    code: int = 0
    message: str = ""
    status: str = ""
    details: msgspec.Raw = msgspec.Raw(b"[]")


class _Body(msgspec.Struct):
    error: GoogleError


_details = msgspec.json.Decoder(list[_Detail])
_body = msgspec.json.Decoder(_Body | tuple[_Body])


def told(status: int, body: bytes) -> Told | None:
    """What a body in Google's shape says; None for any other."""
    try:
        found = _body.decode(body)
    except UNREADABLE:
        return None
    error = (found[0] if isinstance(found, tuple) else found).error
    return told_by(error, status) if error.code or error.status else None


def told_by(error: GoogleError, status: int = 200) -> Told:
    """What an error says that came with this HTTP status; inside a stream that is 200, and the error's own word counts."""
    known, kind = KINDS.get(error.status, (error.code or 500, ""))
    status = status if status >= 400 else known
    return Told(status, kind, error.message[:1000], error.status[:60], _retry_after_s(error))


def _retry_after_s(error: GoogleError) -> int | None:
    """RetryInfo's delay, in whole seconds that are not less."""
    try:
        delays = [detail.retry_delay for detail in _details.decode(error.details) if detail.retry_delay]
    except UNREADABLE:
        return None
    match = _seconds.fullmatch(delays[0]) if delays else None
    return math.ceil(float(match[1])) if match else None


def body(status: int, message: str, request_id: str, *, code: str = "") -> bytes:
    """A refusal of ours. `code`, our own word for it, stands as the reason; the request id where Google's clients look for one."""
    details = [{"@type": f"{_TYPES}RequestInfo", "requestId": request_id}]
    if code:
        details.insert(0, {"@type": f"{_TYPES}ErrorInfo", "reason": code.upper(), "domain": "tallygate"})
    name = _NAMES.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return _encode({"error": {"code": status, "message": message, "status": name, "details": details}})
