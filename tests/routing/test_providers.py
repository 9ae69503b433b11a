"""Providers build requests: address, signature, and what may cross in either direction."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dialects.base import Ask
from routing.dialects.messages import MESSAGES
from routing.providers.anthropic import BASE_URL, build
from routing.providers.base import DROPPED_FROM_ANSWERS, Call, Headers, forwarded, request_id, returned
from routing.providers.registry import PROVIDERS
from routing.snapshot import DeploymentSnapshot

SECRET = "sk-ant-secret"
quick = settings(derandomize=True, deadline=None, database=None)
values = st.binary(max_size=20).map(lambda value: value.translate(None, bytes([*range(32), 127])))


def deployment(base_url: str = "") -> DeploymentSnapshot:
    return DeploymentSnapshot("1", "d", "anthropic", "*", base_url=base_url, secret=SECRET)


def call(base_url: str = "", query: str = "", headers: Headers | None = None, **fields: object) -> Call:
    known = {"model": "m", "messages": [], **fields}
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in known.items() if value is not None}
    ask = Ask(raw, "m", is_stream=False, max_tokens=1, size=2)
    return Call("messages", deployment(base_url), MESSAGES, ask, "m", query, headers or [], b"{}")


@pytest.mark.parametrize(("base", "query", "url"), [
    ("", "", f"{BASE_URL}/v1/messages"),
    ("", "beta=true", f"{BASE_URL}/v1/messages?beta=true"),
    ("https://x.example", "a=%2F&a=b", "https://x.example/v1/messages?a=%2F&a=b"),
    ("https://x.example/", "", "https://x.example/v1/messages"),
    ("https://x.example/v1", "", "https://x.example/v1/messages"),
    ("https://x.example/v1/", "", "https://x.example/v1/messages"),
    ("https://x.example/team/anthropic", "", "https://x.example/team/anthropic/v1/messages"),
])  # fmt: skip
def test_address(base: str, query: str, url: str) -> None:
    request = build(call(base, query))
    assert (request.method, request.url, request.body) == ("POST", url, b"{}")


@pytest.mark.parametrize(("sent", "version"), [([], b"2023-06-01"), ([(b"anthropic-version", b"2026-10-21")], b"2026-10-21")])
def test_version_is_the_callers_where_there_is_one(sent: Headers, version: bytes) -> None:
    headers = build(call(headers=list(sent))).headers
    assert headers == [(b"anthropic-version", version), (b"x-api-key", SECRET.encode())]


def test_betas_of_a_cloud_wrapping_move_into_the_header() -> None:
    headers = build(call(model=None, anthropic_beta=["a-1", "b-2"])).headers
    assert (b"anthropic-beta", b"a-1,b-2") in headers


def test_betas_in_the_body_of_an_ordinary_call_are_the_providers_to_judge() -> None:
    assert not [name for name, _ in build(call(anthropic_beta=["a-1"])).headers if name == b"anthropic-beta"]


def test_secret_goes_into_one_header_only() -> None:
    request = build(call(query="q=1"))
    assert SECRET not in request.url
    assert [name for name, value in request.headers if SECRET.encode() in value] == [b"x-api-key"]


@quick
@given(st.lists(st.tuples(st.sampled_from([b"anthropic-beta", b"x-stainless-os", b"user-agent", b"accept"]), values), max_size=5))
def test_callers_headers_keep_order_number_and_bytes(sent: list[tuple[bytes, bytes]]) -> None:
    assert forwarded(sent) == sent


@quick
@given(st.from_regex(rb"[a-z][a-z0-9-]{0,20}", fullmatch=True), values)
def test_unknown_header_of_a_caller_stays_here(name: bytes, value: bytes) -> None:
    assert forwarded([(b"x-" + name.removeprefix(b"stainless-"), value), (b"authorization", value), (b"cookie", value)]) == []


@pytest.mark.parametrize("connection", [b"anthropic-beta", b"close, anthropic-beta", b"Anthropic-Beta,te"])
def test_header_named_in_connection_stays_here(connection: bytes) -> None:
    assert forwarded([(b"anthropic-beta", b"x"), (b"connection", connection), (b"accept", b"*/*")]) == [(b"accept", b"*/*")]


@pytest.mark.parametrize("connection", [b"keep-alive", b"Close", b""])
def test_ordinary_connection_takes_nothing_away(connection: bytes) -> None:
    assert forwarded([(b"connection", connection), (b"anthropic-beta", b"x")]) == [(b"anthropic-beta", b"x")]


@pytest.mark.parametrize("name", [*sorted(DROPPED_FROM_ANSWERS), b"anthropic-ratelimit-tokens-limit", b"x-litellm-key"])
def test_header_of_an_answer_stays_there(name: bytes) -> None:
    assert returned([(name, b"x")]) == []


@quick
@given(values)
def test_header_of_an_answer_comes_down_byte_for_byte(value: bytes) -> None:
    assert returned([(b"x-thing", value)]) == [(b"x-thing", value)]


def test_every_provider_stands_under_its_own_name() -> None:
    assert {name: provider.name for name, provider in PROVIDERS.items()} == {name: name for name in PROVIDERS}


def test_demo_provider_takes_the_path_as_it_is() -> None:
    request = PROVIDERS["demo"].build(call())
    assert (request.url, request.body) == ("/v1/messages", b"{}")


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([(b"request-id", b"req_1")], "req_1"),
        ([(b"apim-request-id", b"apim"), (b"x-request-id", b"openai")], "openai"),
        ([(b"x-amzn-requestid", b"aws \xff")], "aws \xff"),
        ([(b"x-client-request-id", b"ours")], ""),
    ],
)
def test_providers_own_name_for_a_call_is_found(headers: Headers, name: str) -> None:
    assert request_id(headers) == name
