"""What arrives upstream is what was checked: every nested byte as it came, one value per name, the model's name alone replaced."""

import gzip
import json
import zlib
from collections.abc import Callable

import pytest

from proxy.limits import Limits
from tests.proxy.door import alias, check_refusal, send, summary
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import HEADERS, MODEL, ask

SMALL = Limits(sweep_s=0.02, body_bytes=100_000)


@pytest.fixture
def rig(house: House) -> Rig:
    return house.rig(SMALL)


def around(*members: str) -> bytes:
    """A servable body with further members before and after."""
    plain = f'"model":"{MODEL}","max_tokens":5,"messages":[]'
    return ("{" + ",".join([plain, *members]) + "}").encode()


ODD_VALUES = [
    r'[ {"b" : 1.0 , "a":1e-7, "b":2} ]',
    '{"x":123456789012345678901234567890,"y":-0.0,"z":1E+400}',
    r'"\u0041\/\ud83d\ude00\u2028é世🙂"',
    '{"api_base":"http://evil","api_key":"k","extra_headers":{"a":"b"},"mock_response":"x"}',
    "\n\t[\r\n]  ",
    '{"model":"claude-other","stream":true,"max_tokens":9}',
    '{"":{"":[null,true,false,""]}}',
    "[" * 200 + "]" * 200,
    '[ "' + "naïve \\n" * 3000 + '" ]',
]


@pytest.mark.parametrize("value", ODD_VALUES)
@pytest.mark.parametrize("name", ["system", "tools", "metadata", "thinking", "from_the_future", "api_base", "fallbacks", ""])
def test_unknown_field_arrives_byte_for_byte(rig: Rig, name: str, value: str) -> None:
    body = around(f'"{name}" : {value}')
    answer = send(rig, body, path="/v1/messages/count_tokens")
    assert answer.status_code == 200, answer.text
    assert rig.fake.seen[-1].body == around(f'"{name}":{value.strip()}')


def test_messages_system_and_tools_are_not_touched(rig: Rig) -> None:
    inner = '[ {"role":"user", "content":[{"type":"text","text":"a\\u00e9","cache_control":{}}]},{"role":"system","content":"x"} ]'
    send(rig, f'{{"tools":[],"system":[{{"type":"text", "text":"s"}}],"model":"{MODEL}","messages":{inner},"max_tokens":1}}'.encode())
    assert inner.encode() in rig.fake.seen[-1].body
    assert list(json.loads(rig.fake.seen[-1].body)) == ["tools", "system", "model", "messages", "max_tokens"]


def test_long_values_between_short_ones_arrive_in_their_order(rig: Rig) -> None:
    name = alias(rig, model=MODEL)
    tools = json.dumps([{"name": "t" * 10_000, "input_schema": {}}])
    messages = json.dumps([{"role": "user", "content": "é" * 10_000}], ensure_ascii=False)
    members = f'"messages" : {messages} ,"max_tokens":5,"stream":false,"a":1,"tools" :{tools}'
    assert send(rig, f'{{"model":"{name}",{members}, "messages":{messages}}}'.encode()).status_code == 200
    assert rig.fake.seen[-1].body == f'{{"model":"{MODEL}",{members}}}'.replace(" : ", ":").replace(" ,", ",").replace(" :", ":").encode()


DUPLICATES = [
    ('"model":"gpt-6"', '"model":"gpt-6"'),
    ('"mod\\u0065l":"gpt-6"', '"model":"gpt-6"'),
    ('"\\u006d\\u006f\\u0064\\u0065\\u006c" : "gpt-6"', '"model":"gpt-6"'),
]


@pytest.mark.parametrize(("member", "checked"), DUPLICATES)
def test_second_model_is_the_one_that_is_checked(rig: Rig, member: str, checked: str) -> None:
    check_refusal(send(rig, around(member)), 403, "model_not_allowed")
    assert not rig.fake.seen
    rig.gateway.route("gpt-6", rig.deployment)
    assert send(rig, around(member)).status_code == 200
    sent = rig.fake.seen[-1].body
    assert sent.count(b'model"') == 1 and checked.encode() in sent and b"\\u" not in sent


@pytest.mark.parametrize(("member", "tokens"), [('"max_tokens":3', 3), ('"max_tok\\u0065ns":3', 3)])
def test_duplicate_limit_collapses_to_the_checked_one(rig: Rig, member: str, tokens: int) -> None:
    assert send(rig, around(member)).json()["usage"]["output_tokens"] == tokens
    assert rig.fake.seen[-1].body.count(b"max_tokens") == 1


def test_duplicate_stream_collapses_to_the_checked_one(rig: Rig) -> None:
    answer = send(rig, around('"stream":true', '"str\\u0065am":false'))
    assert answer.headers["content-type"] == "application/json"
    assert rig.fake.seen[-1].json()["stream"] is False


@pytest.mark.parametrize("name", ["Model", "MODEL", "Max_Tokens", "STREAM", "\\u017ftream", "max_to\u212aens", "max_token\u017f"])
def test_other_spelling_of_a_deciding_name_is_refused(rig: Rig, name: str) -> None:
    answer = send(rig, around(f'"{name}":1'))
    assert "Extra inputs are not permitted" in check_refusal(answer, 400, "invalid_request")["message"]
    assert not rig.fake.seen


@pytest.mark.parametrize("value", ['"model":"claude-x"', '"model" :  "claude-x" '])
def test_model_name_of_the_caller_is_kept_where_the_deployment_takes_it(rig: Rig, value: str) -> None:
    send(rig, f'{{{value},"max_tokens":5,"messages":[]}}'.encode())
    assert rig.fake.seen[-1].body == b'{"model":"claude-x","max_tokens":5,"messages":[]}'


def test_escaped_model_name_is_the_name_it_stands_for(rig: Rig) -> None:
    send(rig, b'{"model":"claude-\\u0078","max_tokens":5,"messages":[]}')
    assert rig.fake.seen[-1].json()["model"] == "claude-x"
    assert summary(rig).route == "claude-x"


def test_model_name_of_the_deployment_replaces_the_routes(rig: Rig) -> None:
    send(rig, model=alias(rig, model="claude-x-4-5"))
    assert rig.fake.seen[-1].json() == ask("claude-x-4-5")
    assert summary(rig).route == "claude-alias"


def test_provider_prefix_is_taken_off_the_name(rig: Rig) -> None:
    rig.gateway.route("anthropic/*", rig.deployment)
    send(rig, model="anthropic/claude-x")
    assert rig.fake.seen[-1].json()["model"] == "claude-x"


@pytest.mark.parametrize("query", ["beta=true", "a=1&a=2&b=%2F%20+x", "a=[b]&c=%zz", "=&=", "x" * 3000])
def test_query_goes_on_as_it_came(rig: Rig, query: str) -> None:
    assert send(rig, path=f"/v1/messages?{query}", headers=HEADERS).status_code == 200
    assert rig.fake.seen[-1].query == query.encode()


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_base_url_of_a_deployment_may_end_in_v1(rig: Rig, suffix: str) -> None:
    assert send(rig, model=alias(rig, base_url=rig.deployment.base_url + suffix)).status_code == 200
    assert rig.fake.seen[-1].path == b"/v1/messages"


def test_length_upstream_is_that_of_the_body_sent(rig: Rig) -> None:
    send(rig, model=alias(rig, model="a-much-longer-name-than-before"))
    assert rig.fake.problems() == []
    assert rig.fake.seen[-1].header("transfer-encoding") is None


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "GZIP": gzip.compress,
    "identity": bytes,
}


@pytest.mark.parametrize("coding", PACKED)
def test_packed_body_is_unpacked(rig: Rig, coding: str) -> None:
    plain = around('"system":"x"')
    assert send(rig, PACKED[coding](plain), headers={**HEADERS, "content-encoding": coding}).status_code == 200
    seen = rig.fake.seen[-1]
    assert (seen.body, seen.header("content-encoding")) == (plain, None)
    assert summary(rig).request_bytes == len(plain)


UNREADABLE = [
    ("gzip", b"garbage", 400, "request_body_encoding_invalid"),
    ("gzip", b"", 400, "request_body_encoding_invalid"),
    ("gzip", gzip.compress(b"{}", mtime=0)[:-9], 400, "request_body_encoding_invalid"),
    ("deflate", gzip.compress(b"{}", mtime=0), 400, "request_body_encoding_invalid"),
    ("gzip", gzip.compress(b" " * 30_000_000, mtime=0), 413, "request_too_large"),
    ("deflate", zlib.compress(b"[" * 30_000_000), 413, "request_too_large"),
    ("gzip", gzip.compress(b"not json", mtime=0), 400, "invalid_request"),
    ("br", b"x", 400, "request_body_encoding_unsupported"),
    ("zstd", b"x", 400, "request_body_encoding_unsupported"),
    ("gzip, gzip", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), 400, "request_body_encoding_unsupported"),
]


@pytest.mark.parametrize(("coding", "body", "status", "code"), UNREADABLE)
def test_packed_body_that_cannot_be_taken_is_refused(rig: Rig, coding: str, body: bytes, status: int, code: str) -> None:
    check_refusal(send(rig, body, headers={**HEADERS, "content-encoding": coding}), status, code)
    assert not rig.fake.seen


@pytest.mark.parametrize("size", [99_999, 100_000])
def test_body_up_to_the_limit_is_served(rig: Rig, size: int) -> None:
    body = around('"system":"@"')
    assert send(rig, body.replace(b"@", b"x" * (size - len(body) + 1))).status_code == 200


def test_body_over_the_limit_is_refused(rig: Rig) -> None:
    check_refusal(send(rig, b" " * 100_001), 413, "request_too_large")
