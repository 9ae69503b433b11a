"""Responses on plain bytes: the cap, the splice, and a stream whose figures all stand in its last event."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.usage import Usage
from routing.dialects.base import UNCAPPED_OUTPUT, BadBody, StreamError
from routing.dialects.responses import RESPONSES
from routing.dialects.responses_reader import MARKS, ResponsesReader
from routing.wire.sse import event, events
from tests.routing.test_messages import spaces, values

quick = settings(derandomize=True, deadline=None, database=None, max_examples=200)
COUNTED = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
Event = tuple[str, bytes]


def asking(**fields: object) -> bytes:
    return json.dumps({"model": "m", "input": "Hello", **fields}).encode()


@quick
@given(given_input=values, around=spaces)
def test_every_json_value_survives_byte_for_byte(given_input: str, around: str) -> None:
    body = f'{{"model"{around}:"m","input":{around}{given_input}{around},"stream":true,"stream_options":{{ "include_obfuscation":false}}}}'
    written = RESPONSES.write(RESPONSES.read(body.encode()), "n")
    assert written == f'{{"model":"n","input":{given_input},"stream":true,"stream_options":{{ "include_obfuscation":false}}}}'.encode()


@pytest.mark.parametrize(
    ("fields", "tokens"), [({}, UNCAPPED_OUTPUT), ({"max_output_tokens": None}, UNCAPPED_OUTPUT), ({"max_output_tokens": 99}, 99)]
)
def test_most_output_is_the_cap(fields: dict[str, object], tokens: int) -> None:
    assert RESPONSES.read(asking(**fields)).max_tokens == tokens


@pytest.mark.parametrize(
    "field", [{"max_output_tokens": 0}, {"max_output_tokens": "5"}, {"Model": "x"}, {"background": True}, {"stream": 1}]
)
def test_body_that_cannot_be_served_is_refused(field: dict[str, object]) -> None:
    with pytest.raises(BadBody, match=next(iter(field))):
        RESPONSES.read(asking(**field))


def test_input_may_be_kept_by_the_provider() -> None:
    assert RESPONSES.read(b'{"model":"m","prompt":{"id":"pmpt_1"},"background":false}').model == "m"


def test_session_of_codex_is_found() -> None:
    assert RESPONSES.user_and_session(RESPONSES.read(asking(prompt_cache_key="thread-1", safety_identifier="u"))) == ("u", "thread-1")


def test_error_event_is_told_in_both_ways_that_clients_read() -> None:
    ((name, data),) = events(RESPONSES.error_event(502, "m", "req_1", code="upstream_truncated"))
    told = json.loads(data)
    assert (name, told["type"], told["code"], told["message"]) == ("error", "error", "upstream_truncated", "m")
    assert told["error"] == {"message": "m", "type": "server_error", "param": None, "code": "upstream_truncated"}


def happens(kind: str, **fields: object) -> Event:
    return kind, json.dumps({"type": kind, "sequence_number": 1, **fields}).encode()


def piece(text: str, kind: str = "output_text") -> Event:
    return happens(f"response.{kind}.delta", item_id="msg_1", delta=text, logprobs=[])


def item(state: str, **fields: object) -> Event:
    return happens(f"response.output_item.{state}", item=fields)


def response(state: str, **fields: object) -> Event:
    return happens(f"response.{state}", response={"id": "r", "model": "gpt-5-1", "status": state, "usage": None, "error": None, **fields})


def read(*stream: Event) -> ResponsesReader:
    reader = ResponsesReader()
    for name, data in stream:
        reader.see(name, data)
    return reader


CREATED = response("created")
COMPLETED = response("completed", usage=COUNTED, service_tier="flex", output=[])


@pytest.mark.parametrize("is_named", [True, False])
def test_last_event_tells_the_usage(is_named: bool) -> None:
    reader = read(*((name * is_named, data) for name, data in (CREATED, piece("Hello"), COMPLETED)))
    assert reader.usage() == Usage(input_tokens=10, output_tokens=4, service_tier="flex")
    assert (reader.has_started, reader.has_ended, reader.has_final_usage) == (True, True, True)
    assert (reader.model, reader.stop_reason, reader.error) == ("gpt-5-1", "completed", None)


def test_stream_under_way_has_told_nothing() -> None:
    reader = read(CREATED, piece("Hello"))
    assert (reader.has_started, reader.has_ended, reader.has_final_usage, reader.model) == (False, False, False, "gpt-5-1")


@pytest.mark.parametrize(("last", "stop_reason", "error"), [
    (response("incomplete", usage=COUNTED, incomplete_details={"reason": "max_output_tokens"}), "max_output_tokens", None),
    (response("failed", usage=COUNTED, error={"code": "server_error", "message": "m"}), "failed", StreamError("server_error", "m")),
])  # fmt: skip
def test_other_ends_are_ends_too(last: Event, stop_reason: str, error: StreamError | None) -> None:
    reader = read(CREATED, last)
    assert (reader.has_ended, reader.has_final_usage, reader.stop_reason, reader.error) == (True, True, stop_reason, error)


@pytest.mark.parametrize("data", [
    {"type": "error", "code": "server_error", "message": "m", "param": None},
    {"type": "error", "error": {"type": "server_error", "code": None, "message": "m"}},
    {"error": {"code": "server_error", "message": "m"}},
])  # fmt: skip
def test_error_event_is_read(data: dict[str, Any]) -> None:
    reader = read(CREATED, piece("a"), ("error", json.dumps(data).encode()))
    assert (reader.error, reader.has_final_usage) == (StreamError("server_error", "m"), False)


def test_refusal_in_the_place_of_an_answer_costs_nothing() -> None:
    streamed, whole = read(("error", b'{"type":"error","message":"m"}')), ResponsesReader()
    assert whole.see_whole(b'{"error":{"message":"m"}}', [])
    for reader in (streamed, whole):
        assert (reader.error, reader.has_started, reader.has_final_usage, reader.usage()) == (StreamError("", "m"), True, True, Usage())


def test_tools_and_searches_are_noted() -> None:
    search, opened = {"type": "web_search_call", "action": {"type": "search"}}, {"type": "web_search_call", "action": {"type": "open_page"}}
    reader = read(
        CREATED, item("done", type="function_call", name="Read"), item("done", **search), item("done", **search), item("done", **opened)
    )
    assert (reader.tools, reader.usage().web_search_requests) == (["Read"], 2)


@pytest.mark.parametrize(
    ("told", "searches"), [({"web_search": {"num_requests": 5}}, 5), ({"web_search": {"num_requests": 0}}, 0), (None, 1)]
)
def test_searches_are_those_that_the_provider_counts(told: object, searches: int) -> None:
    output = [{"type": "web_search_call", "action": {"type": "search"}}, {"type": "function_call", "name": "Read"}]
    reader = ResponsesReader()
    answer = {"object": "response", "status": "completed", "error": None, "output": output, "usage": COUNTED, "tool_usage": told}
    assert reader.see_whole(json.dumps(answer).encode(), [])
    assert (reader.usage().web_search_requests, reader.tools, reader.has_ended, reader.stop_reason) == (
        searches,
        ["Read"],
        True,
        "completed",
    )


def test_usage_is_put_in_our_words() -> None:
    counted = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 50, "cache_write_tokens": 30, "cache_write_tokens_details": {"ttl_12h_tokens": 10}},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 7},
    }
    assert read(response("completed", usage=counted)).usage() == Usage(20, 50, 20, 10, 9, 7)


@quick
@given(st.lists(st.sampled_from(["response", "usage", "error", "item", "output", "delta"]), max_size=3), values)
def test_no_event_is_too_odd_to_be_passed_over(path: list[str], value: str) -> None:
    """R51."""
    for name in reversed(path):
        value = f'{{"type":"response.completed","{name}":{value}}}'
    reader = ResponsesReader()
    assert reader.see("", value.encode()) in {True, False}
    assert reader.see_whole(value.encode(), []) in {True, False}
    assert reader.usage().output_tokens >= 0


def test_runs_of_pieces_pass_undecoded_and_their_text_is_counted() -> None:
    """R53."""
    stream = [
        CREATED,
        *[piece("hm, ", "reasoning_summary_text")] * 100,
        *[piece("word ")] * 400,
        happens("response.output_text.done"),
        COMPLETED,
    ]
    reader, looked, text = ResponsesReader(), 0, 0
    for name, data in stream:
        is_looked_at = reader.marks is None or reader.marks.search(event(name, data)) is not None
        looked += is_looked_at
        is_piece = reader.see(name, data) if is_looked_at else True
        text += (len(event(name, data)) - reader.frame_bytes) * is_piece
    assert (reader.has_ended, looked, text) == (True, 35, 2400)


@pytest.mark.parametrize("kind", sorted(MARKS))
def test_every_other_event_has_a_mark(kind: str) -> None:
    run = event(kind, b'{"type":"x"}') * 2
    assert not MARKS[kind].search(run)
    assert MARKS[kind].search(run + event("response.completed", b"{}"))
    assert MARKS[kind].search(event("error", b"{}") + run)
