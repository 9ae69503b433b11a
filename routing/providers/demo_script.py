"""What an in-process provider hands to the transport: a status, headers, and timed pieces of body.

Plain data, so that the demo provider opens no socket and `proxy/upstream.py` alone sleeps, sends and cancels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import msgspec

NO_ANSWER = 0

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}

Headers = tuple[tuple[str, str], ...]


class End(Enum):
    """How a script ends: properly, with the connection lost, or never."""

    NORMAL = "normal"
    CUT = "cut"
    STALL = "stall"


@dataclass(frozen=True, slots=True)
class Step:
    """Wait `delay_s`, then hand out `data`; the last step of every script, and only that one, has `end` set and no data."""

    delay_s: float
    data: bytes | None = None
    end: End | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """The headers are due at once, before the first step's delay. Status NO_ANSWER: nothing ever comes, not even headers."""

    status: int
    headers: Headers
    steps: Iterable[Step]


def json_script(status: int, body: object, request_id: str, *, delay_s: float = 0.0, extra: Headers = ()) -> Script:
    data = msgspec.json.encode(body)
    return Script(status, json_headers(request_id) + extra, (Step(delay_s, data), Step(0.0, end=End.NORMAL)))


def error_script(status: int, message: str, request_id: str, *, extra: Headers = ()) -> Script:
    return json_script(status, error_body(status, message, request_id), request_id, extra=extra)


def error_body(status: int, message: str, request_id: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": ERROR_TYPES[status], "message": message}, "request_id": request_id}


def json_headers(request_id: str) -> Headers:
    return (("content-type", "application/json"), ("request-id", request_id))


def stream_headers(request_id: str) -> Headers:
    return (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"), ("request-id", request_id))
