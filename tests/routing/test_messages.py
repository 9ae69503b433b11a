"""The Messages dialect on plain bytes: whatever JSON is in a body, what is sent on is what was checked."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dialects.base import Ask, BadBody
from routing.dialects.messages import DECIDING, MESSAGES

read, write, user_and_session, error_body = MESSAGES.read, MESSAGES.write, MESSAGES.user_and_session, MESSAGES.error_body

quick = settings(derandomize=True, deadline=None, database=None, max_examples=200)
spaces = st.text(" \t\r\n", max_size=2)
numbers = st.integers().map(str) | st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
escapes = st.sampled_from([r"\/", r"\u0041", r"\n", r"\ud83d\ude00", r"\"", r"\\", r"\u0000", "é", "世", "🙂", "a", "{", "]", ":", ","])
strings = st.lists(escapes, max_size=6).map(lambda parts: '"' + "".join(parts) + '"') | st.text(max_size=10).map(json.dumps)
atoms = numbers | strings | st.sampled_from(["true", "false", "null", "{}", "[]"])


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.tuples(spaces, inner, spaces).map("".join), min_size=1, max_size=3).map(lambda items: "[" + ",".join(items) + "]")


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """With names that may repeat."""
    member = st.tuples(spaces, strings, spaces, st.just(":"), spaces, inner, spaces).map("".join)
    return st.lists(member, min_size=1, max_size=3).map(lambda members: "{" + ",".join(members) + "}")


values = st.recursive(atoms, lambda inner: arrays(inner) | objects(inner), max_leaves=10)
names = st.sampled_from(["system", "tools", "metadata", "thinking", "output_config", "from_the_future", "modeling", "é"])


@quick
@given(messages=values, name=names, value=values, around=spaces)
def test_every_json_value_survives_byte_for_byte(messages: str, name: str, value: str, around: str) -> None:
    body = f'{{{around}"model":"m",{around}"messages"{around}:{around}{messages}{around},"{name}":{around}{value}{around},"max_tokens":5}}'
    written = write(read(body.encode()), "n")
    assert written == f'{{"model":"n","messages":{messages},"{name}":{value},"max_tokens":5}}'.encode()


@quick
@given(
    st.lists(st.tuples(st.sampled_from(["model", r"mod\u0065l", r"\u006dodel"]), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=4)
)
def test_one_model_is_sent_and_it_is_the_checked_one(members: list[tuple[str, str]]) -> None:
    body = "{" + ",".join(f'"{name}":"{value}"' for name, value in members) + ',"messages":[],"max_tokens":1}'
    ask = read(body.encode())
    sent = json.loads(bytes(write(ask, ask.model)), object_pairs_hook=list)
    assert [value for name, value in sent if name == "model"] == [ask.model] == [members[-1][1]]


@quick
@given(st.binary(max_size=200))
def test_any_bytes_are_an_ask_or_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        read(body + b"!")


@quick
@given(st.dictionaries(st.sampled_from(sorted(DECIDING)) | st.text(max_size=8), atoms, max_size=5))
def test_any_object_is_an_ask_or_refused(fields: dict[str, str]) -> None:
    body = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in {"messages": "[]", "model": '"m"', **fields}.items()) + "}"
    assert isinstance(read_or_none(body.encode()), Ask | None)


def read_or_none(body: bytes) -> Ask | None:
    try:
        return read(body)
    except BadBody:
        return None


def asking(**fields: object) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 5, "messages": [], **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "is_stream"), [({}, False), ({"stream": None}, False), ({"stream": False}, False), ({"stream": True}, True)]
)
def test_stream_is_read(fields: dict[str, object], is_stream: bool) -> None:
    assert read(asking(**fields)).is_stream is is_stream


@pytest.mark.parametrize("count", [0, 1, 128_000, 10_000_000])
def test_limit_is_read(count: int) -> None:
    assert read(asking(max_tokens=count)).max_tokens == count


# R22
@pytest.mark.parametrize("count", [-1, 10_000_001, 10**18, 10**30, 1.5, "5", None, True, [1]])
def test_senseless_limit_is_refused(count: object) -> None:
    with pytest.raises(BadBody, match=r"^max_tokens: "):
        read(asking(max_tokens=count))
    assert read(asking(max_tokens=count), counts_only=True).max_tokens == 0


@pytest.mark.parametrize("name", sorted(DECIDING - {"stream"} | {"messages"}))
def test_missing_field_is_named(name: str) -> None:
    fields = json.loads(asking())
    del fields[name]
    with pytest.raises(BadBody, match=rf"^{name}: Field required$"):
        read(json.dumps(fields).encode())


@pytest.mark.parametrize("model", ["", "a\nb", "a\u202eb", "\u00ad", "x" * 201, 5, None])
def test_unusable_model_name_is_refused(model: object) -> None:
    with pytest.raises(BadBody, match=r"^model: "):
        read(asking(model=model))


@pytest.mark.parametrize("name", ["Model", "STREAM", "max_Tokens", "\u017ftream", "max_to\u212aens"])
def test_deciding_name_in_other_letters_is_refused(name: str) -> None:
    with pytest.raises(BadBody, match="Extra inputs are not permitted"):
        read(asking(**{name: 1}))


@pytest.mark.parametrize(
    "metadata", ["null", "5", '{"user_id":5}', '{"user_id":null}', '{"user_id":""}', '{"user_id":"{}"}', '{"x":1}', "[" * 500 + "]" * 500]
)
def test_metadata_that_names_nobody(metadata: str) -> None:
    ask = read(b'{"metadata":' + metadata.encode() + b"," + asking()[1:])
    assert user_and_session(ask) == ("", "")


@quick
@given(st.text(max_size=60) | st.integers(0, 20_000).map(lambda depth: "{" + '"a":' + "[" * depth))
def test_no_user_id_is_too_odd_to_be_read(user_id: str) -> None:
    user, session = user_and_session(read(asking(metadata={"user_id": user_id})))
    assert user in {"", user_id[:200]} and len(session) <= 100


def test_rewriting_leaves_the_ask_as_it_was() -> None:
    ask = read(asking())
    assert write(ask, "other") != write(ask, ask.model) == msgspec.json.encode(json.loads(asking()))


@pytest.mark.parametrize(("status", "kind"), [
    (400, "invalid_request_error"), (401, "authentication_error"), (402, "billing_error"),
    (403, "permission_error"), (404, "not_found_error"),
    (405, "invalid_request_error"), (408, "invalid_request_error"),
    (413, "request_too_large"), (429, "rate_limit_error"), (500, "api_error"),
    (502, "api_error"), (503, "api_error"), (504, "timeout_error"), (529, "overloaded_error"),
])  # fmt: skip
def test_error_type_follows_the_status(status: int, kind: str) -> None:
    assert json.loads(error_body(status, "a \"text\" \u4e16", "req_1")) == {
        "type": "error", "error": {"type": kind, "message": "a \"text\" \u4e16"}, "request_id": "req_1",
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b'{"error":null}',
        b'{"error":"x"}',
        b'{"error":{"type":5}}',
        b'{"error":{"message":"\xff"}}',
        b"[" * 9000,
    ],
)
def test_unreadable_error_says_nothing(body: bytes) -> None:
    told = MESSAGES.read_error(400, [], body)
    assert (told.kind, told.message) == ("", "")


def test_error_is_read_up_to_a_length() -> None:
    told = MESSAGES.read_error(400, [], error_body(400, "m" * 5000, "req_1", error_type="t" * 500))
    assert (len(told.kind), len(told.message)) == (60, 1000)
