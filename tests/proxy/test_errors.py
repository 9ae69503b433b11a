"""Every refusal as the caller's own client reads it, and providers' errors passed as they came."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import anthropic
import httpx
import pytest

from billing.budget_book import BudgetRow
from proxy.limits import Limits
from tests.fakes.script import Answer, refusal
from tests.proxy.door import check_refusal, dead_route, get, know, plane, send, summary
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import HEADERS, ask, dial, read_until, request

SMALL = Limits(sweep_s=0.02, body_bytes=100_000)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def rig(house: House) -> Rig:
    return house.rig(SMALL)


def spend_all(rig: Rig, scope: str = "key", name: str = "key-alice", period: str = "") -> None:
    rig.gateway.budget(BudgetRow(1, scope, name, 0, period, "UTC", EPOCH, name=name.partition("-")[2]))


@dataclass(frozen=True)
class Case:
    """A refusal: how it comes about, and what a client sees of it."""

    code: str
    status: int
    error: type[anthropic.APIStatusError]
    kind: str
    arrange: Callable[[Rig], object] = lambda rig: None
    token: str = "sk-alice"
    fields: dict[str, Any] = field(default_factory=dict)
    source: str = "client"
    retries: bool = False


def without_targets(rig: Rig) -> None:
    rig.gateway.route("claude-empty")


def unknown_provider(rig: Rig) -> None:
    rig.gateway.route("claude-odd", replace(rig.deployment, provider="telex"))


def unreadable_key(rig: Rig) -> None:
    rig.gateway.route("claude-sealed", replace(rig.deployment, problem="the master key was changed"))


CASES = [
    Case("key_invalid", 401, anthropic.AuthenticationError, "authentication_error", token="sk-nobody"),
    Case(
        "key_blocked", 403, anthropic.PermissionDeniedError, "permission_error",
        lambda rig: know(rig, "b", blocked="Key b"), token="sk-b",
    ),
    Case("key_expired", 403, anthropic.PermissionDeniedError, "permission_error", lambda rig: know(rig, "e", expires_at=1.0), token="sk-e"),
    Case(
        "ip_not_allowed", 403, anthropic.PermissionDeniedError, "permission_error",
        lambda rig: know(rig, "i", networks=(ip_network("10.0.0.0/8"),)), token="sk-i",
    ),
    Case("model_not_allowed", 403, anthropic.PermissionDeniedError, "permission_error", fields={"model": "gpt-6"}),
    Case("budget_exceeded", 429, anthropic.RateLimitError, "billing_error", spend_all),
    Case("invalid_request", 400, anthropic.BadRequestError, "invalid_request_error", fields={"max_tokens": -1}),
    Case(
        "request_too_large", 413, anthropic.ContentTooLargeError, "request_too_large",
        fields={"messages": [{"role": "user", "content": "x" * 200_000}]},
    ),
    Case(
        "no_deployment", 503, anthropic.ServiceUnavailableError, "api_error", without_targets,
        fields={"model": "claude-empty"}, source="gateway", retries=True,
    ),
    Case(
        "no_deployment", 503, anthropic.ServiceUnavailableError, "api_error", unknown_provider,
        fields={"model": "claude-odd"}, source="gateway", retries=True,
    ),
    Case(
        "credential_unusable", 503, anthropic.ServiceUnavailableError, "api_error", unreadable_key,
        fields={"model": "claude-sealed"}, source="gateway", retries=True,
    ),
    Case(
        "provider_unreachable", 502, anthropic.InternalServerError, "api_error", dead_route,
        fields={"model": "claude-dead"}, source="provider", retries=True,
    ),
    Case(
        "upstream_truncated", 502, anthropic.InternalServerError, "api_error",
        lambda rig: rig.fake.script(*[Answer(body=b'{"type":"mess')] * 3), source="provider", retries=True,
    ),
]  # fmt: skip
NAMES = [f"{number}-{case.code}" for number, case in enumerate(CASES)]


def by_sync(rig: Rig, token: str, fields: dict[str, Any]) -> anthropic.APIStatusError:
    with anthropic.Anthropic(api_key=token, base_url=rig.url, max_retries=0) as client, pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**ask(**fields))  # type: ignore[call-overload]  # fields come from a table
    return caught.value


def by_async(rig: Rig, token: str, fields: dict[str, Any]) -> anthropic.APIStatusError:
    async def call() -> None:
        async with anthropic.AsyncAnthropic(api_key=token, base_url=rig.url, max_retries=0) as client:
            await client.messages.create(**ask(**fields))  # type: ignore[call-overload]  # fields come from a table

    with pytest.raises(anthropic.APIStatusError) as caught:
        asyncio.run(call())
    return caught.value


# R31
@pytest.mark.parametrize("call", [by_sync, by_async])
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_refusal_as_the_sdk_reads_it(rig: Rig, case: Case, call: Callable[[Rig, str, dict[str, Any]], anthropic.APIStatusError]) -> None:
    case.arrange(rig)
    error = call(rig, case.token, case.fields)
    headers = error.response.headers
    assert (type(error), error.status_code, error.type) == (case.error, case.status, case.kind)
    assert error.api_message and error.request_id == headers["request-id"]
    assert error.request_id.startswith("req_")
    assert (headers["x-tallygate-error-source"], headers["x-tallygate-error-code"]) == (case.source, case.code)
    assert headers["x-should-retry"] == str(case.retries).lower()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_stream_that_cannot_start_is_refused_alike(rig: Rig, case: Case) -> None:
    case.arrange(rig)
    fields = {"stream": True, **case.fields}
    answer = send(rig, headers={"x-api-key": case.token}, **fields)
    assert (answer.status_code, answer.headers.get("x-tallygate-error-code")) == (case.status, case.code)


CALLS = [(case, 3 if case.retries else 1) for case in CASES if case.token == "sk-alice"]


@pytest.mark.parametrize(("case", "calls"), CALLS, ids=[case.code for case, _ in CALLS])
def test_sdk_retries_only_what_can_help(rig: Rig, monkeypatch: pytest.MonkeyPatch, case: Case, calls: int) -> None:
    monkeypatch.setattr(anthropic._base_client.BaseClient, "_calculate_retry_timeout", lambda *args, **kwargs: 0.0)
    with anthropic.Anthropic(api_key="sk-alice", base_url=rig.url) as client, pytest.raises(case.error):
        case.arrange(rig)
        client.messages.create(**ask(**case.fields))  # type: ignore[call-overload]  # fields come from a table
    assert len(rig.gateway.closings(calls)) == calls


# R31
def test_spent_budget_tells_when_it_resets(rig: Rig) -> None:
    spend_all(rig, period="day")
    answer = send(rig)
    error = check_refusal(answer, 429, "budget_exceeded")
    assert "It resets " in error["message"] and "alice" in error["message"]
    assert 1 <= int(answer.headers["retry-after"]) <= 86400


def test_refused_model_text_lists_the_allowed_ones(rig: Rig) -> None:
    error = check_refusal(send(rig, model="gpt-6"), 403, "model_not_allowed")
    assert "claude-sonnet" in error["message"]


@pytest.mark.parametrize(("method", "path", "allow"), [
    ("GET", "/v1/messages", "POST"),
    ("DELETE", "/v1/messages/count_tokens", "POST"),
    ("PUT", "/anthropic/v1/messages", "POST"),
    ("POST", "/v1/models", "GET, HEAD"),
    ("POST", "/v1/models/claude-sonnet", "GET, HEAD"),
    ("POST", "/health/liveliness", "GET, HEAD"),
    ("OPTIONS", "/v1/messages", "POST"),
])  # fmt: skip
def test_wrong_method_is_refused_with_the_right_one(rig: Rig, method: str, path: str, allow: str) -> None:
    answer = send(rig, method=method, path=path)
    assert check_refusal(answer, 405, "method_not_allowed")["type"] == "invalid_request_error"
    assert answer.headers["allow"] == allow


# R35
@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/", "/anthropic/v2/messages", "/v1/messages/batches", "/v1/messages/x/y", "/v1/Messages"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_path_is_refused_in_the_dialect(rig: Rig, method: str, path: str) -> None:
    assert check_refusal(send(rig, method=method, path=path), 404, "not_found")["type"] == "not_found_error"


STATUSES = [400, 401, 402, 403, 404, 413, 422, 429, 500, 503, 504, 529]


# R47
@pytest.mark.parametrize("status", STATUSES)
def test_error_of_the_provider_passes_as_it_came(rig: Rig, status: int) -> None:
    sent = replace(refusal(status, "Their \u4e16\u754c words."), headers=(("retry-after", "7"), ("x-should-retry", "false")))
    rig.fake.script(sent)
    answer = send(rig)
    assert (answer.status_code, answer.content) == (status, sent.body)
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("7", "false")
    assert (answer.headers["x-tallygate-error-source"], answer.headers["x-tallygate-error-code"]) == ("provider", "provider_error")
    record = summary(rig)
    assert (record.status, record.outcome, record.error_source, record.error_message) == (
        status,
        "failed",
        "provider",
        "Their \u4e16\u754c words.",
    )
    assert record.cost_nano == 0


BODIES = [
    b"<html>502</html>",
    b"",
    b"null",
    b"[]",
    b'{"error":"text"}',
    b'{"error":{"type":5}}',
    b'{"error":{"message":"\xff"}}',
    b"[" * 3000,
]


@pytest.mark.parametrize("body", BODIES)
def test_error_of_any_shape_passes_as_it_came(rig: Rig, body: bytes) -> None:
    rig.fake.script(Answer(status=502, body=body, content_type="text/html"))
    answer = send(rig)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (502, body, "text/html")
    assert summary(rig).error_code == "http_502"


def test_error_of_the_last_deployment_passes(rig: Rig) -> None:
    rig.gateway.route("claude-two", rig.deployment, replace(rig.deployment, name="second"))
    rig.fake.script(refusal(500), refusal(529))
    answer = send(rig, model="claude-two")
    assert answer.status_code == 529
    assert [(note.status, note.error_code) for note in summary(rig).attempts] == [(500, "provider_error"), (529, "overloaded")]


def test_foreign_errors_name_no_host_of_ours(rig: Rig) -> None:
    answer = send(rig, model=dead_route(rig))
    assert "127.0.0.1" not in answer.text and ":1" not in answer.json()["error"]["message"]


def test_refused_call_leaves_the_connection_usable(rig: Rig) -> None:
    with httpx.Client(base_url=rig.url) as client:
        assert client.post("/v1/messages", content=b"{", headers=HEADERS).status_code == 400
        assert client.post("/v1/messages", json=ask(), headers=HEADERS).status_code == 200
    assert len(rig.gateway.closings(2)) == 2


def test_too_large_body_is_refused_by_its_announcement(rig: Rig) -> None:
    with dial(rig) as client:
        client.sendall(request(b"", length=200_000))
        assert read_until(client, b"request_too_large").startswith(b"HTTP/1.1 413 ")


def test_leaving_gateway_is_not_ready_and_still_serves(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane(rig), "is_leaving", True)
    assert get(rig, "/health/readiness", {}).status_code == 503
    assert (get(rig, "/health/liveliness", {}).status_code, send(rig).status_code) == (200, 200)


def test_gateway_that_lost_its_database_says_so_and_stays_in_service(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane(rig), "has_database", False)
    answer = get(rig, "/health/readiness", {})
    assert (answer.status_code, answer.json()) == (200, {"status": "healthy", "db": "Not connected"})
