"""How OpenAI and those who copied it put errors, told and read."""

import json

import pytest

from routing.dialects.chat import CHAT
from routing.wire.sse import events


@pytest.mark.parametrize(("status", "error_type", "code", "told"), [
    (400, "", "invalid_request", ("invalid_request_error", "invalid_request")),
    (401, "", "key_invalid", ("invalid_request_error", "key_invalid")),
    (401, "authentication_error", "", ("invalid_request_error", "invalid_api_key")),
    (403, "", "model_not_allowed", ("invalid_request_error", "model_not_allowed")),
    (429, "billing_error", "budget_exceeded", ("insufficient_quota", "budget_exceeded")),
    (429, "", "", ("rate_limit_exceeded", "rate_limit_exceeded")), (404, "", "", ("invalid_request_error", "model_not_found")),
    (500, "", "internal_error", ("server_error", "internal_error")), (503, "overloaded_error", "", ("server_error", "overloaded")),
])  # fmt: skip
def test_refusal_is_told_in_openais_words(status: int, error_type: str, code: str, told: tuple[str, str]) -> None:
    expected = {"error": {"message": 'a "text" 世', "type": told[0], "param": None, "code": told[1]}}
    assert json.loads(CHAT.error_body(status, 'a "text" 世', "req_1", error_type=error_type, code=code)) == expected
    ((name, data),) = events(CHAT.error_event(status, 'a "text" 世', "req_1", error_type=error_type, code=code))
    assert (name, json.loads(data)) == ("", expected)


def test_prompt_that_is_too_long_has_openais_code() -> None:
    body = CHAT.error_body(400, "prompt is too long: 5 tokens > 4 maximum", "req_1", error_type="invalid_request_error")
    assert json.loads(body)["error"]["code"] == "context_length_exceeded"


REFUSALS: list[tuple[int, object, tuple[int, str, str, str]]] = [
    (401, {"error": {"message": "m", "type": "t", "code": None}}, (401, "authentication_error", "m", "t")),
    (401, {"error": {"message": "m", "code": "401"}}, (401, "authentication_error", "m", "")),
    (400, {"error": {"message": "m", "code": "content_filter"}}, (400, "invalid_request_error", "m", "content_filter")),
    (429, {"error": {"message": "m", "code": "insufficient_quota"}}, (429, "rate_limit_error", "m", "insufficient_quota")),
    (503, {"error": {"message": "m"}}, (529, "overloaded_error", "m", "")), (404, {"error": "m"}, (404, "not_found_error", "m", "")),
    (401, {"statusCode": 401, "message": "m"}, (401, "authentication_error", "m", "")),
    (400, {"object": "error", "message": "m", "type": "Bad", "code": 400}, (400, "invalid_request_error", "m", "Bad")),
    (422, {"detail": [{"msg": "m"}]}, (422, "invalid_request_error", '[{"msg":"m"}]', "")),
    (422, {"object": "error", "message": {"detail": ["m"]}, "type": "t"}, (422, "invalid_request_error", '{"detail":["m"]}', "t")),
    (400, [{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}], (400, "invalid_request_error", "m", "")),
    (500, "oops", (500, "api_error", "", "")),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "told"), REFUSALS)
def test_providers_refusal_is_read(status: int, body: object, told: tuple[int, str, str, str]) -> None:
    found = CHAT.read_error(status, [], json.dumps(body).encode())
    assert (found.status, found.kind, found.message, found.code) == told


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"[]", b"[" * 9000, b'{"error":null}', b'{"error":{}}', b'{"error":{"message":"\xff"}}']
)
def test_unreadable_refusal_says_what_its_status_says(body: bytes) -> None:
    assert CHAT.read_error(429, [], body).kind == "rate_limit_error"


@pytest.mark.parametrize(("message", "told"), [
    ("This model's maximum context length is 4097 tokens. However, your messages resulted in 5002 tokens.", "5002 tokens > 4097 maximum"),
    ("This model's maximum context length is 12800 tokens. However, you requested 13001 tokens (1 in", "13001 tokens > 12800 maximum"),
    ("Your input exceeds the context window of this model.", "Your input exceeds the context window of this model."),
])  # fmt: skip
def test_prompt_that_is_too_long_is_told_in_words_that_claude_code_knows(message: str, told: str) -> None:
    found = CHAT.read_error(400, [], json.dumps({"error": {"message": message, "code": "context_length_exceeded"}}).encode())
    assert (found.message, found.code) == (f"prompt is too long: {told}", "context_length_exceeded")


@pytest.mark.parametrize(("headers", "seconds"), [
    ([(b"retry-after", b"12")], 12), ([(b"retry-after-ms", b"1500")], 2), ([(b"retry-after", b"x")], None), ([], None),
])  # fmt: skip
def test_time_to_wait_is_read(headers: list[tuple[bytes, bytes]], seconds: int | None) -> None:
    assert CHAT.read_error(429, headers, b"{}").retry_after_s == seconds
