"""Chat Completions on plain bytes: what is sent on is what was checked, and streams are asked for their usage."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dialects.base import UNCAPPED_OUTPUT, Ask, BadBody, PathAsk
from routing.dialects.chat import CHAT, CHAT_UNASKED
from tests.routing.test_messages import atoms, names, spaces, values

quick = settings(derandomize=True, deadline=None, database=None, max_examples=200)


def asking(**fields: object) -> bytes:
    return json.dumps({"model": "m", "messages": [], **fields}).encode()


def sent(**fields: object) -> dict[str, Any]:
    return dict(json.loads(bytes(CHAT.write(CHAT.read(asking(**fields)), "n"))))


@quick
@given(messages=values, name=names, value=values, around=spaces)
def test_every_json_value_survives_byte_for_byte(messages: str, name: str, value: str, around: str) -> None:
    metadata = "" if name == "metadata" else '"metadata":{},'
    body = f'{{{around}"model":"m",{metadata}{around}"messages"{around}:{around}{messages}{around},"{name}":{around}{value}{around}}}'
    written = CHAT.write(CHAT.read(body.encode()), "n")
    assert written == f'{{"model":"n",{metadata}"messages":{messages},"{name}":{value}}}'.encode()


@quick
@given(st.dictionaries(st.sampled_from(sorted(CHAT.deciding)) | st.text(max_size=8), atoms, max_size=5))
def test_any_object_is_an_ask_or_refused(fields: dict[str, str]) -> None:
    body = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in {"messages": "[]", "model": '"m"', **fields}.items()) + "}"
    assert isinstance(written_or_none(body.encode()), bytes | None)


def written_or_none(body: bytes) -> bytes | None:
    try:
        return bytes(CHAT.write(CHAT.read(body), "n"))
    except BadBody:
        return None


@pytest.mark.parametrize(("fields", "tokens"), [
    ({}, UNCAPPED_OUTPUT), ({"max_tokens": None}, UNCAPPED_OUTPUT), ({"n": 3}, 3 * UNCAPPED_OUTPUT), ({"max_tokens": 7}, 7),
    ({"max_completion_tokens": 8, "n": 2}, 16), ({"max_completion_tokens": 8, "max_tokens": 9, "n": None}, 9),
])  # fmt: skip
def test_most_output_is_the_cap_of_every_answer(fields: dict[str, object], tokens: int) -> None:
    assert CHAT.read(asking(**fields)).max_tokens == tokens


# R22
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n"])
@pytest.mark.parametrize("count", [-1, 0, 10_000_001, 10**30, 1.5, "5", True, [1]])
def test_senseless_limit_is_refused(name: str, count: object) -> None:
    with pytest.raises(BadBody, match=f"'{name}'"):
        CHAT.read(asking(**{name: count}))


@pytest.mark.parametrize(("body", "words"), [
    (b"", "could not parse"), (b"[]", "could not parse"), (b'{"a":"\xff"}', "could not parse"),
    (b'{"a":' + b"[" * 100_000, "nested too deeply"),
    (b"{}", "Missing required parameter: 'messages'"), (b'{"messages":[]}', "Missing required parameter: 'model'"),
    (asking(model=5), "Invalid type for 'model'"), (asking(model=""), "model: a name"), (asking(stream="yes"), "Invalid type for 'stream'"),
    (asking(stream_options=5), "Invalid type for 'stream_options'"), (asking(Model="x"), "Did you mean 'model'"),
    (b'{"\xc5\xbftream":true,"messages":[]}', "Did you mean 'stream'"),
])  # fmt: skip
def test_body_that_cannot_be_served_is_refused_in_words(body: bytes, words: str) -> None:
    with pytest.raises(BadBody, match=words):
        CHAT.read(body)


def test_path_says_what_the_body_does_not() -> None:
    ask = CHAT.read(b'{"messages":[]}', PathAsk("gpt-4o"))
    assert (ask.model, ask.is_stream, json.loads(bytes(CHAT.write(ask, "mine")))["model"]) == ("gpt-4o", False, "mine")


@pytest.mark.parametrize(("options", "sent_on"), [
    (None, {"include_usage": True}), ({}, {"include_usage": True}), ({"include_usage": False}, {"include_usage": True}),
    ({"include_obfuscation": False}, {"include_obfuscation": False, "include_usage": True}),
    ({"include_usage": True, "x": [1]}, {"include_usage": True, "x": [1]}),
])  # fmt: skip
def test_stream_is_asked_for_its_usage(options: object, sent_on: dict[str, object]) -> None:
    assert sent(stream=True, stream_options=options)["stream_options"] == sent_on


def test_call_that_is_no_stream_is_sent_as_it_came() -> None:
    assert "stream_options" not in sent(stream=False)
    assert sent(stream_options={"include_usage": False})["stream_options"] == {"include_usage": False}


@pytest.mark.parametrize(("fields", "is_filtered"), [
    ({"stream": True}, True), ({"stream": True, "stream_options": {"include_usage": False}}, True), ({}, False),
    ({"stream": True, "stream_options": {"include_usage": True}}, False),
])  # fmt: skip
def test_usage_chunk_is_taken_out_only_where_we_asked_for_it(fields: dict[str, object], is_filtered: bool) -> None:
    assert (CHAT.answer_filter(CHAT.read(asking(**fields))) is not None) is is_filtered


def test_provider_that_refuses_the_question_is_not_asked() -> None:
    ask = CHAT.read(asking(stream=True, stream_options={"include_usage": True}))
    assert b"stream_options" not in bytes(CHAT_UNASKED.write(ask, "m"))
    assert CHAT_UNASKED.answer_filter(ask) is None
    assert b'"stream_options":{"x":1}' in bytes(CHAT_UNASKED.write(CHAT.read(asking(stream_options={"x": 1, "include_usage": True})), "m"))


def lowered(tokens: int, **fields: object) -> tuple[bool, Ask]:
    ask = CHAT.read(asking(**fields))
    return CHAT.lower_max_tokens(ask, tokens), ask


def test_cap_is_lowered_for_every_answer() -> None:
    is_lowered, ask = lowered(2000, max_completion_tokens=5000, n=3)
    assert (is_lowered, ask.max_tokens, bytes(ask.fields["max_completion_tokens"])) == (True, 1998, b"666")
    assert "max_tokens" not in ask.fields


@pytest.mark.parametrize("fields", [{}, {"max_tokens": None}, {"max_tokens": 10, "n": 900}])
def test_cap_that_cannot_be_lowered_stays(fields: dict[str, object]) -> None:
    is_lowered, ask = lowered(800, **fields)
    assert (is_lowered, ask) == (False, CHAT.read(asking(**fields)))


@pytest.mark.parametrize(("fields", "found"), [
    ({}, ("", "")), ({"user": "u"}, ("u", "")), ({"safety_identifier": "s", "prompt_cache_key": "k"}, ("s", "k")),
    ({"user": "u", "safety_identifier": "s"}, ("u", "")), ({"user": 5, "prompt_cache_key": []}, ("", "")),
    ({"metadata": {"user_id": "m", "session_id": "t"}, "prompt_cache_key": "k"}, ("m", "t")), ({"metadata": "x"}, ("", "")),
])  # fmt: skip
def test_end_user_and_session_are_found(fields: dict[str, object], found: tuple[str, str]) -> None:
    assert CHAT.user_and_session(CHAT.read(asking(**fields))) == found


@pytest.mark.parametrize(("tier", "hints"), [
    ("flex", {"tier": "flex"}), ("fast", {"tier": "priority"}), ("auto", {"tier": "auto"}), (None, {}), (5, {}),
])  # fmt: skip
def test_service_tier_moves_the_price(tier: object, hints: dict[str, str]) -> None:
    assert CHAT.pricing_hints(CHAT.read(asking(service_tier=tier))) == hints
