"""Claude in Vertex's wrapping, on plain bytes: what the path says, what the body keeps, and whose errors come back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dialects.base import BadBody, PathAsk
from routing.dialects.messages import MESSAGES
from routing.dialects.raw_predict import RAW_COUNT, RAW_PREDICT, versioned
from tests.fakes.google import google_refusal

quick = settings(derandomize=True, deadline=None, database=None, max_examples=100)
STREAM, WHOLE = PathAsk("claude-opus-5-5", True), PathAsk("claude-opus-5-5", False)
BODY = b'{"anthropic_version":"vertex-2023-10-16","messages":[ ],"max_tokens":7,"stream":true,"new":1.50}'


def written(body: bytes, path: PathAsk = WHOLE, header: str = "2023-06-01") -> bytes:
    """What goes to Vertex for a caller in Vertex mode."""
    ask = RAW_PREDICT.read(body, path)
    return versioned(RAW_PREDICT.write(ask, "other-model"), ask, header)


def test_body_of_a_vertex_client_passes_byte_for_byte() -> None:
    assert written(BODY, STREAM) == BODY


def test_model_comes_from_the_path() -> None:
    ask = RAW_PREDICT.read(BODY, STREAM)
    assert (ask.model, ask.is_stream, ask.max_tokens, "model" in ask.fields) == ("claude-opus-5-5", True, 7, False)


def test_model_in_the_body_is_refused() -> None:
    with pytest.raises(BadBody, match="model: Extra inputs"):
        RAW_PREDICT.read(b'{"model":"m","messages":[],"max_tokens":7}', WHOLE)


@pytest.mark.parametrize(("path", "said", "sent"), [
    (STREAM, b"false", True), (STREAM, b"null", True), (WHOLE, b"true", False), (WHOLE, b'"yes"', False),
])  # fmt: skip
def test_body_is_made_to_agree_with_the_path(path: PathAsk, said: bytes, sent: bool) -> None:
    ask = RAW_PREDICT.read(b'{"messages":[],"max_tokens":7,"stream":%s}' % said, path)
    assert (json.loads(RAW_PREDICT.write(ask, "m"))["stream"], ask.is_stream) == (sent, sent)


@pytest.mark.parametrize(("header", "version"), [
    ("2023-06-01", "vertex-2023-10-16"), ("2026-10-21", "2026-10-21"), ("", "vertex-2023-10-16"), ('2026-10-21"', "vertex-2023-10-16"),
])  # fmt: skip
def test_messages_client_gets_the_version_that_its_header_asks_for(header: str, version: str) -> None:
    ask = MESSAGES.read(b'{"model":"m","messages":[],"max_tokens":7,"stream":true}')
    sent = json.loads(versioned(RAW_PREDICT.write(ask, "v"), ask, header))
    assert sent == {"anthropic_version": version, "messages": [], "max_tokens": 7, "stream": True}


def test_version_and_betas_of_bedrock_stay_behind() -> None:
    body = b'{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["b"],"messages":[],"max_tokens":7}'
    assert json.loads(written(body, STREAM)) == {
        "anthropic_version": "vertex-2023-10-16", "messages": [], "max_tokens": 7, "stream": True,
    }  # fmt: skip


@pytest.mark.parametrize("version", ["2026-10-21", "vertex-2023-10-16", "2027-05-05"])
def test_version_in_a_vertex_clients_body_stands(version: str) -> None:
    body = json.dumps({"messages": [], "max_tokens": 7, "anthropic_version": version}).encode()
    assert json.loads(written(body, header="2026-10-21"))["anthropic_version"] == version


def test_served_by_anthropic_the_model_is_in_the_body_and_the_wrapping_gone() -> None:
    ask = RAW_PREDICT.read(BODY, STREAM)
    assert json.loads(bytes(MESSAGES.write(ask, "claude-x"))) == {
        "model": "claude-x",
        "messages": [],
        "max_tokens": 7,
        "stream": True,
        "new": 1.5,
    }


def test_tokens_are_counted_with_the_model_in_the_body() -> None:
    ask = RAW_COUNT.read(b'{"anthropic_version":"2026-10-21","model":"claude-a","messages":[]}', counts_only=True)
    assert (ask.model, ask.max_tokens, ask.is_stream) == ("claude-a", 0, False)
    assert json.loads(RAW_COUNT.write(ask, "claude-b")) == {"model": "claude-b", "anthropic_version": "2026-10-21", "messages": []}
    assert json.loads(bytes(MESSAGES.write(ask, "claude-b"))) == {"model": "claude-b", "messages": []}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages":[]}', b'{"Stream":1,"messages":[],"max_tokens":1}', b'{"a":"\xff"}'])
def test_what_is_no_call_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        RAW_PREDICT.read(body, WHOLE)


@pytest.mark.parametrize("body", [b'{"messages":[],"model":7}', b'{"messages":[]}', b'{"model":"m"}', b'{"messages":[],"model":""}'])
def test_count_without_a_model_or_messages_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        RAW_COUNT.read(body)


@quick
@given(st.binary(max_size=60))
def test_any_bytes_are_an_ask_or_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        RAW_PREDICT.read(body + b"!", WHOLE)


@pytest.mark.parametrize("is_array", [False, True])
def test_fault_of_googles_platform_is_understood(is_array: bool) -> None:
    refusal = google_refusal(429, "Quota exceeded.", is_array=is_array, retry_delay="11.2s")
    told = RAW_PREDICT.read_error(429, [], refusal.body or b"")
    assert (told.status, told.kind, told.message, told.retry_after_s) == (429, "rate_limit_error", "Quota exceeded.", 12)


def test_fault_of_the_model_is_understood() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}'
    told = RAW_PREDICT.read_error(400, [], body)
    assert (told.status, told.kind, told.message) == (400, "invalid_request_error", "prompt is too long")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"error":"no"}', b"[{}]"])
def test_what_is_nobodys_error_keeps_its_status(body: bytes) -> None:
    assert RAW_PREDICT.read_error(502, [], body).status == 502
