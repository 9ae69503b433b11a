"""The figures of answers in Chat Completions, as OpenAI and all who copied it tell them."""

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.usage import Usage
from routing.dialects.base import StreamError
from routing.dialects.chat_reader import MARKS, ChatReader
from tests.routing.test_messages import values

quick = settings(derandomize=True, deadline=None, database=None, max_examples=200)


def chunk(delta: object = None, usage: object = None, finish: object = None, **fields: object) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return json.dumps({"id": "c", "model": "gpt-4o-1", "choices": choices, "usage": usage, **fields}).encode()


def read(*data: bytes) -> ChatReader:
    reader = ChatReader()
    for one in data:
        reader.see("", one)
    return reader


COUNTED = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
HELLO, END, DONE = chunk({"content": "Hello"}), chunk({}, finish="stop"), b"[DONE]"


@pytest.mark.parametrize("stream", [
    (HELLO, END, chunk(None, COUNTED), DONE),
    (HELLO, chunk({}, COUNTED, "stop"), DONE),
    (chunk({"content": "a"}, {**COUNTED, "completion_tokens": 1}), chunk({"content": "b"}, COUNTED), DONE),
    (HELLO, chunk({}, finish="stop", x_groq={"id": "r", "usage": COUNTED}), DONE),
    (chunk(None, id="", model="", prompt_filter_results=[]), HELLO, END, chunk(None, COUNTED), DONE),
    (chunk({"content": [{"type": "thinking", "thinking": [{"text": "x"}]}]}), chunk({"content": ""}, COUNTED, "stop"), DONE),
])  # fmt: skip
def test_usage_is_read_wherever_it_stands(stream: tuple[bytes, ...]) -> None:
    reader = read(*stream)
    assert reader.usage() == Usage(input_tokens=10, output_tokens=4)
    assert (reader.has_started, reader.has_ended, reader.has_final_usage, reader.model) == (True, True, True, "gpt-4o-1")


def test_usage_that_grows_is_final_with_the_end_only() -> None:
    reader = read(chunk({"content": "a"}, {**COUNTED, "completion_tokens": 1, "total_tokens": 11}))
    assert (reader.has_started, reader.has_final_usage, reader.usage().output_tokens) == (True, False, 1)


def test_stream_without_usage_ends_without_it() -> None:
    reader = read(HELLO, END, DONE)
    assert (reader.has_started, reader.has_ended, reader.has_final_usage, reader.stop_reason) == (False, True, False, "stop")


TTLS = {"ttl_30m_tokens": 3, "ttl_12h_tokens": 2}
USAGES: list[tuple[dict[str, Any], Usage]] = [
    ({**COUNTED, "prompt_tokens_details": {"cached_tokens": 6}}, Usage(4, 6, 0, 0, 4)),
    ({**COUNTED, "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 5}}, Usage(2, 3, 5, 0, 4)),
    ({**COUNTED, "prompt_tokens_details": {"cache_write_tokens": 5, "cache_write_tokens_details": TTLS}}, Usage(5, 0, 3, 2, 4)),
    ({**COUNTED, "completion_tokens_details": {"reasoning_tokens": 3}}, Usage(10, 0, 0, 0, 4, 3)),
    ({**COUNTED, "prompt_cache_hit_tokens": 7, "prompt_cache_miss_tokens": 3}, Usage(3, 7, 0, 0, 4)),
    ({**COUNTED, "num_cached_tokens": 7}, Usage(3, 7, 0, 0, 4)),
    ({**COUNTED, "server_tool_use_details": {"web_search_requests": 2}}, Usage(10, 0, 0, 0, 4, web_search_requests=2)),
    ({**COUNTED, "total_tokens": 20, "completion_tokens_details": {"reasoning_tokens": 6}}, Usage(10, 0, 0, 0, 10, 6)),
    ({**COUNTED, "prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 9}}, Usage(1, 9, 0, 0, 4)),
    ({"total_tokens": 9}, Usage(9)), ({"prompt_tokens": -1, "completion_tokens": "x", "total_tokens": 10**30}, Usage()),
]  # fmt: skip


@pytest.mark.parametrize(("told", "usage"), USAGES)
def test_usage_is_put_in_our_words(told: dict[str, Any], usage: Usage) -> None:
    assert read(chunk(None, told)).usage() == usage


numbers = st.integers(-5, 10**12) | st.none() | st.text(max_size=3) | st.floats(allow_nan=False)
details = st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens", "reasoning_tokens"]), numbers) | numbers
told_usages = st.fixed_dictionaries({}, optional={
    "prompt_tokens": numbers, "completion_tokens": numbers, "total_tokens": numbers,
    "prompt_tokens_details": details, "completion_tokens_details": details, "prompt_cache_hit_tokens": numbers,
})  # fmt: skip


@quick
@given(told_usages)
def test_no_usage_is_too_odd_to_be_read(told: dict[str, Any]) -> None:
    """R51."""
    usage = read(chunk(None, told)).usage()
    counts = (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.output_tokens, usage.thinking_tokens)
    assert min(counts) >= 0


@quick
@given(st.lists(st.sampled_from(["choices", "usage", "error", "model", "delta", "x_groq"]), max_size=3), values)
def test_no_event_is_too_odd_to_be_passed_over(path: list[str], value: str) -> None:
    """R51."""
    for name in reversed(path):
        value = f'{{"{name}":{value}}}'
    reader = ChatReader()
    assert reader.see("", value.encode()) in {True, False}
    assert reader.see_whole(value.encode(), []) in {True, False}
    assert reader.usage().output_tokens >= 0


def call(index: int, name: str | None, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "type": "function", "function": {"name": name, "arguments": arguments}}]}


def test_tools_are_noted_once() -> None:
    custom = {"tool_calls": [{"type": "custom", "custom": {"name": "shell", "input": "x"}}]}
    stream = [
        chunk(one) for one in (call(0, "Read", ""), call(0, None, "{}"), call(1, "Read", "{}"), custom, {"function_call": {"name": "old"}})
    ]
    assert read(*stream).tools == ["Read", "shell", "old"]


@pytest.mark.parametrize("error", [
    {"error": {"type": "server_error", "message": "m", "code": None}}, {"error": {"code": "server_error", "message": "m"}},
    {"object": "error", "type": "server_error", "message": "m", "code": 500}, {"error": "m", "error_type": "server_error"},
])  # fmt: skip
def test_error_in_a_stream_is_read(error: dict[str, Any]) -> None:
    reader = read(HELLO, json.dumps(error).encode(), DONE)
    assert (reader.error, reader.has_final_usage) == (StreamError("server_error", "m"), False)


def test_refusal_in_the_place_of_an_answer_costs_nothing() -> None:
    for reader in (read(b'{"error":{"message":"m"}}', DONE), whole({"error": {"message": "m"}})):
        assert (reader.error, reader.has_started, reader.has_final_usage, reader.usage()) == (StreamError("", "m"), True, True, Usage())


def whole(answer: object) -> ChatReader:
    reader = ChatReader()
    assert reader.see_whole(json.dumps(answer).encode(), [])
    return reader


def test_whole_answer_is_read() -> None:
    message = {"content": None, **call(0, "Read", "{}")}
    reader = whole(
        {"model": "m-1", "service_tier": "flex", "choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": COUNTED}
    )
    assert reader.usage() == Usage(input_tokens=10, output_tokens=4, service_tier="flex")
    assert (reader.model, reader.stop_reason, reader.tools, reader.has_ended, reader.has_final_usage) == (
        "m-1",
        "tool_calls",
        ["Read"],
        True,
        True,
    )


@pytest.mark.parametrize(("body", "is_expected"), [(b'"text"', False), (b"[]", False), (b'{"choices":[', True), (b"", True)])
def test_answer_that_is_none(body: bytes, is_expected: bool) -> None:
    reader = ChatReader()
    assert (reader.see_whole(body, []), reader.has_ended) == (is_expected, False)


def frame(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def metered(stream: list[bytes]) -> tuple[ChatReader, int, int]:
    """The reader, how many events it looked at, and the bytes of text by its account."""
    reader, looked, text = ChatReader(), 0, 0
    for one in stream:
        is_looked_at = reader.marks is None or reader.marks.search(frame(one)) is not None
        looked += is_looked_at
        is_piece = reader.see("", one) if is_looked_at else True
        text += (len(frame(one)) - reader.frame_bytes) * is_piece
    return reader, looked, text


def test_runs_of_content_pass_undecoded_and_their_text_is_counted() -> None:
    """R53."""
    stream = [chunk({"role": "assistant"}), *[chunk({"content": "word "})] * 500, END, chunk(None, COUNTED), DONE]
    reader, looked, text = metered(stream)
    assert (reader.has_ended, reader.usage().output_tokens, looked) == (True, 4, 20)
    assert text == 2500


def test_change_of_what_is_written_is_noticed() -> None:
    reasoning, said = [chunk({"content": None, "reasoning_content": "hm, "})] * 100, [chunk({"content": "word "})] * 100
    written = [chunk(call(0, "Write", "")), *[chunk({"tool_calls": [{"index": 0, "function": {"arguments": "word "}}]})] * 100]
    reader, looked, text = metered([*reasoning, *said, *written, END, DONE])
    assert (reader.tools, reader.has_ended) == (["Write"], True)
    assert looked < 70
    assert 1400 <= text <= 1600


def test_padding_of_random_length_is_not_taken_for_text() -> None:
    pad = random.Random(5)  # noqa: S311
    stream = [chunk({"content": "word "}, obfuscation="x" * pad.randrange(16)) for _ in range(500)]
    assert abs(metered(stream)[2] - 2500) < 1000


def test_stream_that_never_names_an_empty_reason_is_looked_at_to_its_end() -> None:
    piece = json.dumps({"choices": [{"delta": {"content": "word "}}]}).encode()
    reader, looked, _ = metered([*[piece] * 100, DONE])
    assert (looked, reader.has_ended) == (101, True)


@pytest.mark.parametrize("kind", sorted(MARKS))
@pytest.mark.parametrize("data", [END, chunk(None, COUNTED), chunk(call(0, "Read", "")), b'{"error":"x"}', b'{"usage" : {"a": 1}}'])
def test_what_matters_has_a_mark(kind: str, data: bytes) -> None:
    data = data.replace(b'"usage" : ', b'"usage": ')
    assert MARKS[kind].search(data)
