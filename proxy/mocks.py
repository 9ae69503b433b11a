"""What LiteLLM's test fields ask for where the operator lets them act: answers that no model gave, and failures that did not happen.

A mocked failure meets every deployment of the name that was asked for, never its fallbacks, and speaks against no deployment's health.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.attempt_headers import attempt_headers
from proxy.endpoints import CHAT, MESSAGES
from proxy.errors import CallError, ClientError
from proxy.rates import headers as rate_headers
from proxy.waiting import STREAM_HEADERS
from routing.dialects import mock_answers
from routing.dialects.base import UNREADABLE, BadBody
from routing.dialects.mock_answers import Said, Tool
from routing.dialects.usage_chunk import asks_for_usage
from routing.failures import Reason

if TYPE_CHECKING:
    from proxy.exchange import Exchange
    from proxy.upstream import Upstream

TAG = "mock_response"


@dataclass(frozen=True, slots=True)
class Failure:
    status: int
    reason: Reason


_FAILED, _LIMITED = Failure(500, Reason.PROVIDER_ERROR), Failure(429, Reason.RATE_LIMITED)
_TOO_LONG, _CONTENT = Failure(400, Reason.PROMPT_TOO_LONG), Failure(400, Reason.CONTENT_REFUSED)
FAILURES = {
    "mock_testing_fallbacks": _FAILED,
    "mock_testing_context_fallbacks": _TOO_LONG,
    "mock_testing_content_policy_fallbacks": _CONTENT,
    "mock_testing_rate_limit_error": _LIMITED,
    "mock_timeout": Failure(408, Reason.PROVIDER_ERROR),
}
# Texts of mock_response that stand for an error.
RAISED = {
    "litellm.InternalServerError": _FAILED,
    "litellm.RateLimitError": _LIMITED,
    "litellm.ContextWindowExceededError": _TOO_LONG,
    "litellm.ContentPolicyViolationError": _CONTENT,
}


class MockFailure(CallError):
    @property
    def retryable(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Mocks:
    """`text` is None where an answer of a model is wanted."""

    failure: Failure | None = None
    text: str | None = None
    tools: tuple[Tool, ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, msgspec.Raw]) -> "Mocks":
        wanted = next((failure for name, failure in FAILURES.items() if bytes(fields.get(name, b"")) == b"true"), None)
        text = _decoded(fields, "mock_response", str)
        tools = tuple(_tool(row, number) for number, row in enumerate(_decoded(fields, "mock_tool_calls", list) or []))
        return cls(wanted or RAISED.get(text or ""), "" if tools and text is None else text, tools)

    def upstream(self, exchange: "Exchange") -> "Upstream":
        """Where the newest attempt is sent; raises MockFailure where it is to fail."""
        if self.failure is None or exchange.other_names:
            return exchange.plane.upstream
        attempt = exchange.attempts[-1]
        attempt.reason, attempt.note.status = self.failure.reason, self.failure.status
        text = f"This is a mock exception: the call asked for {self.failure.reason.value}. Your side."
        raise MockFailure(self.failure.status, "mock_failure", text)


def _decoded(fields: Mapping[str, msgspec.Raw], name: str, kind: type) -> Any:
    raw = fields.get(name)
    try:
        return None if raw is None else msgspec.json.decode(raw, type=kind | None)
    except UNREADABLE:
        raise BadBody(f"Invalid type for '{name}': expected {'a string' if kind is str else 'an array'}.") from None


def _tool(row: Any, number: int) -> Tool:
    try:
        function = row["function"]
        arguments = str(function["arguments"])
        json.loads(arguments)
        return Tool(str(row.get("id") or f"call_{number}"), str(function["name"]), arguments)
    except (TypeError, KeyError, ValueError, RecursionError):
        raise BadBody("Invalid 'mock_tool_calls': each needs function.name, and function.arguments as JSON.") from None


async def answered(exchange: "Exchange", mocks: Mocks) -> bool:
    """Answers in a model's place where that was asked for; it costs nothing, and its record bears the tag `mock_response`."""
    ask = exchange.ask
    if ask is None or mocks.failure is not None or mocks.text is None or not exchange.endpoint.is_billed:
        return False
    said = Said(exchange.request_id, ask.model, int(exchange.received_at), mocks.text, mocks.tools)
    body = _body(exchange, said)
    ask.tags = (*ask.tags, TAG)
    exchange.status, exchange.outcome, exchange.first_byte = 200, "ok", exchange.elapsed_ms()
    headers = [*exchange.dialect.id_headers(exchange.request_id), *attempt_headers(exchange), (b"x-litellm-response-cost", b"0.000000000")]
    if exchange.slot is not None:
        headers += rate_headers(exchange.slot)
    exchange.deadline = time.monotonic() + exchange.plane.limits.write_stall_s
    exchange.deadline_error = ClientError(499, "client_stalled", "The caller stopped reading.")
    if ask.is_stream:
        await exchange.client.start(200, [(b"content-type", exchange.dialect.stream_type), *headers, *STREAM_HEADERS])
        await exchange.client.write(body, more=False)
    else:
        await exchange.client.answer(200, [(b"content-type", b"application/json"), *headers], body)
    return True


def _body(exchange: "Exchange", said: Said) -> bytes:
    ask, endpoint = exchange.ask, exchange.endpoint
    is_stream = ask is not None and ask.is_stream
    if endpoint is CHAT:
        with_usage = ask is not None and asks_for_usage(ask.fields)
        return mock_answers.chat_stream(said, with_usage=with_usage) if is_stream else mock_answers.chat(said)
    if endpoint is MESSAGES:
        return mock_answers.messages_stream(said) if is_stream else mock_answers.messages(said)
    raise ClientError(400, "invalid_request", "mock_response works at /v1/chat/completions and /v1/messages. Your side.")
