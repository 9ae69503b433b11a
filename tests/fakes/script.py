"""What the fake provider can be told to do: by a queued `Answer`, or by a model name that stands for one."""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

from tests.fakes.messages import Json, error_body

# stall: say nothing more until the gate opens or the client leaves; reset and eof: TCP RST or FIN;
# end: finish the HTTP answer properly, but early; error: an error event, then the end.
Fault = Literal["stall", "reset", "eof", "end", "error"]
BEFORE_HEADERS = -1


class Gate:
    """Opened by a test's thread, awaited on the server's loop."""

    def __init__(self) -> None:
        self._future: Future[None] = Future()

    def open(self) -> None:
        self._future.set_result(None)

    async def wait(self) -> None:
        await asyncio.shield(asyncio.wrap_future(self._future))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One scripted answer. `fault` strikes after `fault_after` pieces (events, or halves of a JSON body)."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None  # sent as it is, whatever the status
    content_type: str = "application/json"  # of `body`
    blocks: tuple[Json, ...] | None = None
    deltas: int = 3
    stop_reason: str = "end_turn"
    usage: Json | None = None  # the truth, and what the bill says
    output_tokens: int | None = None  # the truth where only this much of it matters
    start_usage: Json | None = None  # what message_start says instead
    delta_usage: Json | None = None  # what message_delta says instead
    delay_s: float = 0.0
    gap_s: float = 0.0
    fault: Fault | None = None
    fault_after: int = 0
    gate: Gate | None = None
    bills_on: bool = False  # an abandoned call is charged as if it had gone on to its end
    huge_bytes: int = 0
    gzip: bool = False
    chunk_size: int = 0
    crlf: bool = False
    comments: bool = False


_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_MESSAGES = {429: "This request would exceed your organization's rate limit.", 500: "Internal server error", 529: "Overloaded"}


def refusal(status: int, message: str = "", *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An error in Anthropic's shape."""
    text = message or _MESSAGES.get(status, "The fake provider refuses this request.")
    return Answer(status=status, body=error_body(_KINDS.get(status, "api_error"), text), headers=headers)


SECRET_HEADERS = (
    ("set-cookie", "session=fake-upstream-cookie; Path=/; HttpOnly"),
    ("set-cookie", "__cf_bm=fake-upstream-cloud-cookie; Path=/"),
    ("x-api-key", "sk-fake-echoed-upstream-key"),
    ("authorization", "Bearer sk-fake-echoed-upstream-key"),
    ("anthropic-ratelimit-unified-status", "allowed"),
)
TOO_LONG = "prompt is too long: 250000 tokens > 200000 maximum"
CACHED_USAGE: Json = {
    "input_tokens": 40,
    "cache_creation_input_tokens": 300,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "cache_read_input_tokens": 5000,
    "output_tokens": 60,
    "output_tokens_details": {"thinking_tokens": 20},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    "service_tier": "standard",
    "inference_geo": "us",
}
ITERATED_USAGE: Json = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 30,
    "iterations": [
        {"type": "message", "input_tokens": 100, "output_tokens": 30},
        {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 700, "output_tokens": 90},
    ],
}
_THOUGHT: Json = {"type": "thinking", "thinking": "Let me think about that.", "signature": "ZmFrZS1zaWduYXR1cmU="}
_SAID: Json = {"type": "text", "text": "Thought about."}
# 250 deltas 40 ms apart: ten seconds that a test leaves long before their end.
_SLOW: Json = {"type": "text", "text": "slowly " * 250}

MAGIC: dict[str, Answer] = {
    "fake-400": refusal(400, "max_tokens: Field required"),
    "fake-401": refusal(401, "invalid x-api-key"),
    "fake-429": refusal(429, headers=(("retry-after", "1"), ("anthropic-ratelimit-requests-remaining", "0"))),
    "fake-429-long": refusal(429, headers=(("retry-after", "600"), ("x-should-retry", "false"))),
    "fake-500": refusal(500),
    "fake-529": refusal(529),
    "fake-html-error": Answer(status=502, body=b"<html><h1>502 Bad Gateway</h1></html>", content_type="text/html"),
    "fake-too-long": refusal(400, TOO_LONG),
    "fake-delayed": Answer(delay_s=2.0),
    "fake-slow": Answer(gap_s=0.04, deltas=250, blocks=(_SLOW,)),
    "fake-bills-on": Answer(gap_s=0.04, deltas=250, blocks=(_SLOW,), bills_on=True),
    "fake-stall": Answer(fault="stall", fault_after=3),
    "fake-stall-early": Answer(fault="stall", fault_after=BEFORE_HEADERS),
    "fake-reset": Answer(fault="reset", fault_after=3),
    "fake-reset-early": Answer(fault="reset", fault_after=BEFORE_HEADERS),
    "fake-eof": Answer(fault="eof", fault_after=3),
    "fake-eof-early": Answer(fault="eof", fault_after=BEFORE_HEADERS),
    "fake-truncated": Answer(fault="end", fault_after=1),
    "fake-error-event": Answer(fault="error", fault_after=4),
    "fake-huge": Answer(huge_bytes=32 * 1024 * 1024),
    "fake-gzip": Answer(gzip=True),
    "fake-bytes": Answer(chunk_size=1),
    "fake-crlf": Answer(crlf=True),
    "fake-comments": Answer(comments=True),
    "fake-secrets": Answer(headers=SECRET_HEADERS),
    "fake-thinking": Answer(blocks=(_THOUGHT, _SAID)),
    "fake-cached": Answer(usage=CACHED_USAGE),
    "fake-iterations": Answer(usage=ITERATED_USAGE),
    "fake-silent-usage": Answer(start_usage={}, delta_usage={}),
}
