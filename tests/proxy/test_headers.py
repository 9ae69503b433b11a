"""Which headers cross the gateway, in both directions; canaries stand for all that must not."""

import pytest

from proxy.limits import Limits
from tests.fakes.provider import DEFAULT_KEY
from tests.fakes.script import SECRET_HEADERS, Answer
from tests.fakes.serving import Receive, Scope, Send, serve_in_thread
from tests.proxy.door import alias, send, summary
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import HEADERS, dial, read_to_end, request

CANARY = "canary-4417"
STAY_HERE = [
    "authorization", "proxy-authorization", "api-key", "x-goog-api-key", "x-litellm-api-key",
    "cookie", "x-litellm-tags", "x-litellm-key-alias", "forwarded", "x-forwarded-for",
    "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via", "x-tallygate-anything",
    "x-gw-internal", "x-claude-code-session-id", "x-claude-code-agent-id", "keep-alive", "te",
    "trailer", "proxy-connection", "origin", "referer", "x-amz-security-token",
    "x-any-other", "range", "if-none-match", "content-language",
]  # fmt: skip
GO_ON = {
    "anthropic-version": "2026-10-21",
    "anthropic-beta": "context-1m-2025-08-07,x,  y",
    "anthropic-workspace-id": "wrkspc_1",
    "anthropic-dangerous-direct-browser-access": "true",
    "anthropic-from-the-future": "caf\u00e9 \u4e16\u754c; q=0.5",
    "x-stainless-retry-count": "0",
    "x-app": "cli",
    "user-agent": "claude-cli/2.1.329 (external, sdk-cli)",
    "accept": "application/json",
}
STAY_THERE = [
    *SECRET_HEADERS,
    ("anthropic-organization-id", CANARY),
    ("anthropic-workspace-id", CANARY),
    ("anthropic-ratelimit-requests-remaining", CANARY),
    ("anthropic-priority-input-tokens-limit", CANARY),
    ("anthropic-fast-output-tokens-reset", CANARY),
    ("x-goog-api-key", CANARY),
    ("api-key", CANARY),
    ("cookie", CANARY),
    ("cf-ray", CANARY),
    ("server", CANARY),
    ("via", CANARY),
    ("x-tallygate-error-source", CANARY),
    ("access-control-allow-origin", CANARY),
    ("keep-alive", CANARY),
]
COME_DOWN = {
    "retry-after": "3",
    "x-should-retry": "true",
    "anthropic-new-thing": "caf\u00e9 \u4e16\u754c",
    "x-envoy-upstream-service-time": "12",
}


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@pytest.mark.parametrize("name", STAY_HERE)
def test_header_stays_here(rig: Rig, name: str) -> None:
    assert send(rig, headers={**HEADERS, name: CANARY}).status_code == 200
    assert CANARY not in repr(rig.fake.seen[-1].headers)


def test_provider_gets_our_key_and_nothing_of_the_callers(rig: Rig) -> None:
    send(rig, headers={"authorization": f"Bearer {ALICE}"})
    seen = rig.fake.seen[-1]
    assert (seen.header("x-api-key"), seen.header("authorization")) == (DEFAULT_KEY, None)
    assert ALICE not in repr(seen)


@pytest.mark.parametrize("name", GO_ON)
def test_header_goes_on_verbatim(rig: Rig, name: str) -> None:
    value = GO_ON[name].encode()
    raw = request(b'{"model":"claude-x","max_tokens":5,"messages":[]}', f"{name}: @", "connection: close").replace(b"@", value, 1)
    with dial(rig) as client:
        client.sendall(raw)
        assert read_to_end(client).startswith(b"HTTP/1.1 200 ")
    assert [found for key, found in rig.fake.seen[-1].headers if key == name.encode()] == [value]


def test_repeated_beta_headers_keep_their_number_and_order(rig: Rig) -> None:
    send(rig, headers=[*HEADERS.items(), ("anthropic-beta", "one,two"), ("anthropic-beta", "three")])
    assert [value for name, value in rig.fake.seen[-1].headers if name == b"anthropic-beta"] == [b"one,two", b"three"]


@pytest.mark.parametrize("connection", ["anthropic-canary", "keep-alive, Anthropic-Canary", "close,anthropic-canary"])
def test_header_named_in_connection_stays_here(rig: Rig, connection: str) -> None:
    send(rig, headers={**HEADERS, "connection": connection, "anthropic-canary": CANARY, "anthropic-beta": "kept"})
    assert CANARY not in repr(rig.fake.seen[-1].headers)
    assert rig.fake.seen[-1].header("anthropic-beta") == "kept"


def test_version_is_added_only_where_none_was_sent(rig: Rig) -> None:
    send(rig, headers={"x-api-key": ALICE})
    assert rig.fake.seen[-1].header("anthropic-version") == "2023-06-01"
    assert rig.fake.problems() == []


@pytest.mark.parametrize("is_stream", [False, True])
def test_secrets_of_the_provider_do_not_come_down(rig: Rig, is_stream: bool) -> None:
    rig.fake.script(Answer(headers=tuple(STAY_THERE)))
    answer = send(rig, stream=is_stream)
    assert answer.status_code == 200
    told = repr(answer.headers).lower()
    assert not [value for _, value in STAY_THERE if value.lower() in told and value != "allowed"]
    assert not [name for name in answer.headers if name.startswith(("set-cookie", "anthropic-ratelimit", "anthropic-organization"))]


@pytest.mark.parametrize("status", [200, 429])
def test_other_headers_of_the_provider_come_down_byte_for_byte(rig: Rig, status: int) -> None:
    rig.fake.script(Answer(status=status, body=b"{}", headers=tuple(COME_DOWN.items())))
    raw = dict(send(rig).headers.raw)
    assert {name: raw[name.encode()].decode() for name in COME_DOWN} == COME_DOWN


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_page_of_another_site_may_not_read_an_answer(rig: Rig, method: str) -> None:
    """R72."""
    asking = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = send(rig, method=method, headers={**HEADERS, **asking})
    assert answer.status_code in {200, 405}
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_request_id_is_ours_and_only_one(rig: Rig) -> None:
    answer = send(rig)
    record = summary(rig)
    assert answer.headers.get_list("request-id") == [record.id]
    assert record.upstream_request_id == f"req_{rig.fake.seen[-1].call_id}"


async def odd_upstream(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"request-id", b"req-\xff-\xe4"), (b"x-odd", b"\xff\xe4")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"error":{"message":"\xff"}}'})


def test_provider_that_writes_no_utf8_is_passed_on_and_recorded(rig: Rig) -> None:
    with serve_in_thread(odd_upstream) as url:
        answer = send(rig, model=alias(rig, base_url=url))
    assert (answer.status_code, answer.content) == (400, b'{"error":{"message":"\xff"}}')
    assert dict(answer.headers.raw)[b"x-odd"] == b"\xff\xe4"
    assert summary(rig).upstream_request_id == "req-ÿ-ä"
