"""What goes to Amazon Bedrock: which of its ways, to which address, with which body. R120, R121, R132, R142."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.dialects.base import Dialect, PathAsk
from routing.dialects.chat import CHAT
from routing.dialects.converse import CONVERSE
from routing.dialects.invoke import COUNT_TOKENS, INVOKE
from routing.dialects.invoke_other import INVOKE_OTHER
from routing.dialects.messages import MESSAGES
from routing.dialects.native_messages import NATIVE
from routing.dialects.responses import RESPONSES
from routing.providers.base import Call, Headers, NotServed, UpstreamRequest
from routing.providers.bedrock import PROVIDER
from routing.providers.bedrock_models import generation, way
from routing.snapshot import DeploymentSnapshot

OLD, NEW = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "global.anthropic.claude-opus-5-5"
ARN = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3"
HEADERS: Headers = [(b"content-type", b"application/json"), (b"anthropic-version", b"2023-06-01")]
BODY = {"model": "claude", "max_tokens": 50, "messages": [{"role": "user", "content": "x"}]}


def deployment(model: str = OLD, **changes: object) -> DeploymentSnapshot:
    plain = DeploymentSnapshot("dep-1", "bed", "bedrock", model, secret="key-1", region="us-east-1")
    return replace(plain, **changes)  # type: ignore[arg-type]  # tests name real fields


def built(
    to: DeploymentSnapshot,
    fields: Mapping[str, object] | None = None,
    *,
    operation: str = "messages",
    headers: Headers = HEADERS,
    query: str = "",
) -> UpstreamRequest:
    """What a Messages client's call becomes."""
    ask = MESSAGES.read(json.dumps({**BODY, **(fields or {})}).encode())
    return send(to, ask_of(MESSAGES, ask, to, operation, headers, query))


def ask_of(asked: Dialect, ask: object, to: DeploymentSnapshot, operation: str, headers: Headers, query: str = "") -> Call:
    dialect = PROVIDER.speaks(to, operation)
    assert dialect is not None
    model = "claude" if to.model == "*" else to.model
    return Call(operation, to, dialect, ask, model, query, list(headers), dialect.write(ask, model))  # type: ignore[arg-type]  # an Ask


def send(to: DeploymentSnapshot, call: Call) -> UpstreamRequest:
    return PROVIDER.build(call)


def wrapped(to: DeploymentSnapshot, headers: Headers = HEADERS, **fields: object) -> UpstreamRequest:
    """What the call of a client in Bedrock mode becomes."""
    body = json.dumps({"max_tokens": 50, "messages": [], **fields}).encode()
    return send(to, ask_of(INVOKE, INVOKE.read(body, PathAsk(OLD, False)), to, "messages", headers))


def header(request: UpstreamRequest, name: bytes) -> bytes:
    return b",".join(value for own, value in request.headers if own == name)


def sent(request: UpstreamRequest) -> dict[str, object]:
    return dict(json.loads(bytes(request.body)))


@pytest.mark.parametrize(
    ("model", "changes", "expected"),
    [
        (OLD, {}, "invoke"),
        (NEW, {}, "messages"),
        ("us.anthropic.claude-sonnet-4-6", {}, "invoke"),
        ("anthropic.claude-3-haiku-20240307-v1:0", {}, "invoke"),
        ("anthropic.claude-v2:1", {}, "invoke"),
        ("us.anthropic.claude-opus-4-7", {}, "messages"),
        (NEW, {"api": "mantle"}, "mantle"),
        (NEW, {"api": "converse"}, "converse"),
        (ARN, {}, "invoke"),
        (ARN, {"base_model": "anthropic.claude-opus-5-5"}, "invoke"),
        ("amazon.nova-pro-v1:0", {}, "converse"),
        ("openai.gpt-5.6-luna", {}, "mantle"),
        ("openai.gpt-oss-120b-1:0", {}, "messages"),
        ("*", {}, "invoke"),
    ],
)
def test_way_is_the_one_that_aws_recommends_unless_told(model: str, changes: dict[str, str], expected: str) -> None:
    assert way(deployment(model, **changes)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (OLD, (4, 5)), (NEW, (5, 5)), ("anthropic.claude-sonnet-4-20250514-v1:0", (4, 0)), ("us.anthropic.claude-sonnet-4-6", (4, 6)),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", (3, 0)), ("anthropic.claude-v2:1", (2, 0)), ("anthropic.claude-fable-5", (5, 0)),
        ("anthropic.claude-instant-v1", (1, 0)), (ARN, None), ("amazon.nova-pro-v1:0", None),
    ],
)  # fmt: skip
def test_generation_is_read_from_the_id(name: str, expected: tuple[int, int] | None) -> None:
    assert generation(name) == expected


@pytest.mark.parametrize(
    ("model", "changes", "operation", "dialect"),
    [
        (OLD, {}, "messages", INVOKE),
        (NEW, {}, "messages", NATIVE),
        (NEW, {"api": "converse"}, "messages", CONVERSE),
        (NEW, {}, "converse", CONVERSE),
        (NEW, {}, "invoke_other", INVOKE_OTHER),
        (NEW, {}, "count_tokens", COUNT_TOKENS),
        (NEW, {"api": "mantle"}, "count_tokens", NATIVE),
        ("openai.gpt-5.6-luna", {}, "chat", CHAT),
        ("openai.gpt-5.6-luna", {}, "responses", RESPONSES),
        ("amazon.nova-pro-v1:0", {}, "messages", CONVERSE),
        (OLD, {}, "embeddings", None),
        (OLD, {"api": "nonsense"}, "messages", None),
    ],
)
def test_deployment_is_addressed_in_a_tongue_that_it_speaks(
    model: str, changes: dict[str, str], operation: str, dialect: Dialect | None
) -> None:
    assert PROVIDER.speaks(deployment(model, **changes), operation) is dialect


RUNTIME = "https://bedrock-runtime.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("model", "changes", "stream", "url"),
    [
        (OLD, {}, False, f"{RUNTIME}/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"),
        (OLD, {}, True, f"{RUNTIME}/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream"),
        (OLD, {"api": "converse"}, True, f"{RUNTIME}/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream"),
        (NEW, {}, True, f"{RUNTIME}/anthropic/v1/messages"),
        (NEW, {"api": "mantle"}, True, "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages"),
        (NEW, {"region": "cn-north-1"}, True, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/anthropic/v1/messages"),
        (NEW, {"region": "eusc-de-east-1"}, True, "https://bedrock-runtime.eusc-de-east-1.amazonaws.eu/anthropic/v1/messages"),
        (NEW, {"base_url": "https://vpce-1.example/"}, True, "https://vpce-1.example/anthropic/v1/messages"),
        (ARN, {"region": ""}, False, "https://bedrock-runtime.eu-west-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fa1b2c3/invoke"),
    ],
)  # fmt: skip
def test_address_is_the_ways_own(model: str, changes: dict[str, str], stream: bool, url: str) -> None:
    to = deployment(model, **changes)
    call = ask_of(MESSAGES, MESSAGES.read(json.dumps({**BODY, "stream": stream}).encode()), to, "messages", HEADERS)
    call.body = b"{}" if call.dialect is CONVERSE else call.body
    assert send(to, call).url == url


@pytest.mark.parametrize(
    ("model", "host"),
    [("openai.gpt-5.6-luna", "https://bedrock-mantle.us-east-1.api.aws"), ("openai.gpt-oss-120b-1:0", RUNTIME)],
)
def test_openais_models_are_called_in_openais_shapes(model: str, host: str) -> None:
    ask, to = CHAT.read(b'{"model":"gpt","messages":[{"role":"user","content":"x"}]}'), deployment(model)
    request = send(to, ask_of(CHAT, ask, to, "chat", HEADERS))
    assert (request.url, sent(request)["model"]) == (f"{host}/openai/v1/chat/completions", model)


@pytest.mark.parametrize(
    "text", ["us-east-1#", "us-east-1/", "us-east-1@evil.example", "..", "%2e%2e", "US-EAST-1", "us-east-1.evil", "", "us east-1"]
)
def test_region_that_is_none_enters_no_address(text: str) -> None:
    """R132."""
    with pytest.raises(NotServed):
        built(deployment(region=text))


@pytest.mark.parametrize(
    "text", ["a/b", "../x", "x?y", "x#y", "x@y", "", "arn:aws:s3:::bucket/x", "arn:aws:bedrock:us-east-1:1:x/../y", "x%2f", "ü"]
)
def test_model_that_is_none_enters_no_address(text: str) -> None:
    """R132."""
    with pytest.raises(NotServed):
        built(deployment(text, api="invoke"))


@given(st.text(max_size=40))
def test_no_model_leads_out_of_its_path(text: str) -> None:
    """R132, R140."""
    try:
        url = built(deployment(text or "x", api="invoke")).url
    except NotServed:
        return
    assert url.startswith(f"{RUNTIME}/model/")
    assert url.removeprefix(f"{RUNTIME}/model/").count("/") == 1


def test_betas_move_into_the_body_where_bedrock_knows_them() -> None:
    betas = b"claude-code-20250219,interleaved-thinking-2025-05-14,advanced-tool-use-2025-11-20,context-management-2025-06-27"
    request = built(deployment(), headers=[*HEADERS, (b"anthropic-beta", betas), (b"accept", b"text/event-stream")])
    assert sent(request)["anthropic_beta"] == ["interleaved-thinking-2025-05-14", "tool-search-tool-2025-10-19"]
    assert header(request, b"anthropic-beta") + header(request, b"accept") == b""


def test_body_becomes_an_invoke_models() -> None:
    refused = {"service_tier": "auto", "speed": "fast", "context_management": {"edits": []}, "cache_control": {"type": "ephemeral"}}
    assert sent(built(deployment(), refused)) == {
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "x"}],
        "anthropic_version": "bedrock-2023-05-31",
    }


def test_nested_bytes_stay_as_they_came() -> None:
    """R50."""
    body = b'{"model":"claude","max_tokens":9,"messages":[ {"role" : "user","content":"\\u00fc  "} ],"tools":[{"name":"x" }]}'
    call = ask_of(MESSAGES, MESSAGES.read(body), deployment(), "messages", HEADERS)
    assert b'[ {"role" : "user","content":"\\u00fc  "} ]' in bytes(send(deployment(), call).body)
    assert b'[{"name":"x" }]' in bytes(call.body)


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        (OLD, b"2026-10-21", "bedrock-2023-05-31"),
        (OLD, b"2023-06-01", "bedrock-2023-05-31"),
        (NEW, b"2026-10-21", "2026-10-21"),
        (NEW, b"2023-06-01", "bedrock-2023-05-31"),
        (ARN, b"2026-10-21", "2026-10-21"),
    ],
)
def test_version_is_one_that_the_model_takes(model: str, given: bytes, expected: str) -> None:
    request = built(deployment(model, api="invoke"), headers=[(b"anthropic-version", given)])
    assert sent(request)["anthropic_version"] == expected


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [(OLD, "2026-10-21", "bedrock-2023-05-31"), (OLD, "vertex-2023-10-16", "bedrock-2023-05-31"), (NEW, "2026-10-21", "2026-10-21")],
)
def test_version_in_a_body_is_kept_where_it_is_understood(model: str, given: str, expected: str) -> None:
    assert sent(wrapped(deployment(model, api="invoke"), anthropic_version=given))["anthropic_version"] == expected


def test_caller_in_bedrock_mode_is_taken_at_its_word() -> None:
    fields = {"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["brand-new-2027-01-01"], "service_tier": "x"}
    request = wrapped(deployment(), [*HEADERS, (b"anthropic-beta", b"claude-code-20250219")], **fields)
    assert sent(request) == {"max_tokens": 50, "messages": [], **fields}
    assert header(request, b"anthropic-beta") == b"claude-code-20250219"


def test_anthropics_own_api_gets_version_and_betas_in_headers() -> None:
    request = wrapped(deployment(NEW), anthropic_version="2026-10-21", anthropic_beta=["interleaved-thinking-2025-05-14"])
    assert header(request, b"anthropic-version") == b"2026-10-21"
    assert header(request, b"anthropic-beta") == b"interleaved-thinking-2025-05-14"
    assert sent(request) == {"model": NEW, "max_tokens": 50, "messages": []}


def test_mantle_knows_models_without_geography() -> None:
    assert sent(built(deployment(NEW, api="mantle")))["model"] == "anthropic.claude-opus-5-5"


def test_older_model_gets_neither_effort_nor_deferred_tools() -> None:
    fields = {"output_config": {"effort": "high"}, "tools": [{"name": "x", "defer_loading": True}]}
    older = deployment("anthropic.claude-sonnet-4-20250514-v1:0")
    request = built(older, fields, headers=[*HEADERS, (b"anthropic-beta", b"effort-2025-11-24")])
    assert sent(request)["tools"] == [{"name": "x"}]
    assert not {"output_config", "anthropic_beta"} & sent(request).keys()
    assert sent(built(deployment(), fields))["tools"] == fields["tools"]


def test_count_is_packed_for_the_foundation_model() -> None:
    request = built(deployment(), {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 9}, operation="count_tokens")
    assert request.url == f"{RUNTIME}/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens"
    inner = json.loads(base64.b64decode(json.loads(bytes(request.body))["input"]["invokeModel"]["body"]))
    assert (inner["anthropic_version"], inner["max_tokens"]) == ("bedrock-2023-05-31", 9)


def test_count_without_a_cap_gets_one_above_the_thinking() -> None:
    body = json.dumps({"model": "claude", "messages": [], "thinking": {"budget_tokens": 5000}}).encode()
    to = deployment()
    call = ask_of(MESSAGES, MESSAGES.read(body, counts_only=True), to, "count_tokens", HEADERS)
    inner = json.loads(base64.b64decode(json.loads(bytes(send(to, call).body))["input"]["invokeModel"]["body"]))
    assert inner["max_tokens"] > 5000


def test_count_behind_an_arn_needs_the_base_model() -> None:
    with pytest.raises(NotServed, match="base model"):
        built(deployment(ARN), operation="count_tokens")
    request = built(deployment(ARN, base_model="anthropic.claude-opus-5-5"), operation="count_tokens")
    assert "/model/anthropic.claude-opus-5-5/count-tokens" in request.url


@pytest.mark.parametrize(("values", "opens"), [({"credential_id": "c1"}, b"Bearer key-1"), ({"secret": ""}, b"Bearer theirs")])
def test_callers_own_key_opens_only_what_has_none(values: dict[str, str], opens: bytes) -> None:
    here = deployment(**values)
    call = ask_of(MESSAGES, MESSAGES.read(json.dumps(BODY).encode()), here, "messages", HEADERS)
    call.own_access = b"Bearer theirs"
    assert header(send(here, call), b"authorization") == opens


def test_deployment_without_a_credential_is_not_tried() -> None:
    with pytest.raises(NotServed, match="credential"):
        built(deployment(secret=""))


def test_query_goes_only_to_anthropics_own_api() -> None:
    assert built(deployment(NEW), query="beta=true").url.endswith("/v1/messages?beta=true")
    assert built(deployment(OLD), query="beta=true").url.endswith("/invoke")


def test_refusal_of_either_shape_is_understood() -> None:
    anthropics = NATIVE.read_error(400, [], b'{"type":"error","error":{"type":"invalid_request_error","message":"Bad"}}')
    awss = NATIVE.read_error(403, [(b"x-amzn-errortype", b"AccessDeniedException")], b'{"message":"No"}')
    assert (anthropics.kind, anthropics.message) == ("invalid_request_error", "Bad")
    assert (awss.kind, awss.message) == ("permission_error", "No")
