"""The demo provider answers like the real API: judged by the vendor's own SDK, its event rules, and any JSON at all."""

import itertools
import json
import re
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.providers.demo import MAGIC_MODELS, MODELS, NO_ANSWER, End, PrefixMemory, Script, answer
from routing.providers.demo_answer import pieces
from routing.providers.demo_text import language

WRITE = {
    "name": "Write",
    "input_schema": {
        "type": "object",
        "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["file_path", "content"],
    },
}
BASH = {"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}}
ROUNDABOUT = {
    "name": "book_table",
    "input_schema": {
        "type": "object",
        "properties": {
            "guests": {"type": "integer", "minimum": 2},
            "day": {"type": "string", "format": "date"},
            "seat": {"enum": ["window", "bar"]},
            "menu": {"type": "array", "items": {"$ref": "#/$defs/dish"}},
            "note": {"type": "string"},
        },
        "required": ["guests", "day", "seat", "menu"],
        "$defs": {"dish": {"type": "object", "properties": {"vegan": {"type": "boolean"}}}},
    },
}
ERROR_MODELS = sorted(name for name in MAGIC_MODELS if name.startswith("demo-error-") and name[-1].isdigit())
DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature", "input_json_delta": "partial_json"}


def request(question: Any = "What is a proxy?", **fields: Any) -> dict[str, Any]:
    return {"model": "demo-opus-instant", "max_tokens": 1000, "messages": [{"role": "user", "content": question}]} | fields


def post(body: dict[str, Any], *, path: str = "/v1/messages", memory: PrefixMemory | None = None) -> Script:
    return answer(path, json.dumps(body).encode(), seed=7, memory=memory or PrefixMemory())


def played(script: Script) -> tuple[bytes, End | None]:
    steps = list(script.steps)
    assert [step.end for step in steps[:-1]] == [None] * (len(steps) - 1)
    assert steps[-1].data is None
    return b"".join(step.data or b"" for step in steps), steps[-1].end


def whole(body: dict[str, Any], **options: Any) -> dict[str, Any]:
    data, end = played(post(body, **options))
    assert end is End.NORMAL
    decoded: dict[str, Any] = json.loads(data)
    return decoded


def events(body: dict[str, Any], **options: Any) -> list[tuple[str, dict[str, Any]]]:
    data, _ = played(post(body | {"stream": True}, **options))
    frames = [frame.split("\n") for frame in data.decode().split("\n\n")[:-1]]
    return [(name.removeprefix("event: "), json.loads(payload.removeprefix("data: "))) for name, payload in frames]


def names(body: dict[str, Any]) -> list[str]:
    return [name for name, _ in events(body)]


def sdk(memory: PrefixMemory | None = None) -> anthropic.Anthropic:
    remembered = memory or PrefixMemory()

    def transport(sent: httpx2.Request) -> httpx2.Response:
        script = answer(sent.url.raw_path.decode(), sent.content, seed=7, memory=remembered)
        return httpx2.Response(script.status, headers=list(script.headers), content=played(script)[0])

    client = httpx2.Client(transport=httpx2.MockTransport(transport))
    return anthropic.Anthropic(api_key="none", base_url="http://demo.invalid", http_client=client, max_retries=0)


def streamed(body: dict[str, Any]) -> dict[str, Any]:
    with sdk().messages.stream(**body) as stream:
        return stream.get_final_message().to_dict()


VARIANTS = {
    "text": request(),
    "japanese": request("プロキシについて教えて"),
    "thinking": request(thinking={"type": "adaptive"}),
    "hidden thinking": request(thinking={"type": "enabled", "budget_tokens": 1024, "display": "omitted"}, max_tokens=2000),
    "tool": request("write hello to hello.txt", tools=[WRITE, BASH], thinking={"type": "adaptive"}),
    "forced tool": request("hm", tools=[ROUNDABOUT], tool_choice={"type": "any"}),
    "cut short": request(max_tokens=5),
    "stopped": request("explain tcp", stop_sequences=["tcp"]),
    "cached": request([{"type": "text", "text": "word " * 50, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]),
    "nothing wanted": request(max_tokens=0),
    "structured": request(output_config={"format": {"type": "json_schema", "schema": ROUNDABOUT["input_schema"]}}),
}
each_variant = pytest.mark.parametrize("body", VARIANTS.values(), ids=VARIANTS.keys())


@each_variant
def test_sdk_accumulates_the_stream_to_the_json_answer(body: dict[str, Any]) -> None:
    assert streamed(body) == sdk().messages.create(**body).to_dict() == whole(body)


@each_variant
def test_events_come_in_the_order_of_the_protocol(body: dict[str, Any]) -> None:
    block = "(content_block_start (ping )?(content_block_delta )*content_block_stop )"
    assert re.fullmatch(f"message_start {block}*message_delta message_stop ", "".join(f"{name} " for name in names(body)))
    assert all(name == payload["type"] for name, payload in events(body))
    opened = [payload["index"] for name, payload in events(body) if name == "content_block_start"]
    assert opened == list(range(len(opened)))


@each_variant
def test_counted_tokens_are_the_input_total(body: dict[str, Any]) -> None:
    usage = whole(body)["usage"]
    counted = whole({name: value for name, value in body.items() if name != "max_tokens"}, path="/v1/messages/count_tokens?beta=true")
    assert counted == {"input_tokens": sum(usage[f"{kind}input_tokens"] for kind in ("", "cache_creation_", "cache_read_"))}


@each_variant
def test_output_never_exceeds_max_tokens(body: dict[str, Any]) -> None:
    assert whole(body)["usage"]["output_tokens"] <= body["max_tokens"]


def test_text_arrives_in_word_sized_pieces_after_a_ping() -> None:
    received = events(request())
    assert [name for name, _ in received[:3]] == ["message_start", "content_block_start", "ping"]
    deltas = [payload["delta"] for name, payload in received if name == "content_block_delta"]
    assert len(deltas) > 10
    assert max(len(delta["text"]) for delta in deltas) <= 12


def test_same_question_gets_the_same_answer_whatever_the_seed() -> None:
    body = json.dumps(request()).encode()
    texts = [json.loads(played(answer("/v1/messages", body, seed=seed))[0]) for seed in (1, 2, None)]
    assert texts[0]["content"] == texts[1]["content"] == texts[2]["content"]
    assert len({text["id"] for text in texts}) == 3


def test_same_seed_gives_the_same_bytes_and_the_same_timing() -> None:
    body = request(model="demo-opus", stream=True)
    assert post(body) == post(body)


def test_instant_models_do_not_wait_and_others_do() -> None:
    assert {step.delay_s for step in post(request(stream=True)).steps} == {0.0}
    waits = [step.delay_s for step in post(request(model="demo-sonnet", stream=True)).steps]
    assert 0.25 <= waits[0] + waits[1] <= 0.6
    assert sum(waits) > 1


@pytest.mark.parametrize(
    ("question", "tongue"), [("What is a proxy?", "en"), ("プロキシとは", "ja"), ("Was ist ein Proxy?", "de"), ("Hallo!", "de")]
)
def test_answer_is_in_the_language_of_the_question(question: str, tongue: str) -> None:
    assert language(question) == tongue
    assert language(whole(request(question))["content"][0]["text"]) == tongue


@pytest.mark.parametrize(
    ("question", "expected"),
    [("hello", "demo provider"), ("explain budgets", "budgets"), ("what is 19 * 3?", "57"), ("def area(r):\n    return r", "`area`")],
)
def test_answer_fits_the_question(question: str, expected: str) -> None:
    assert expected in whole(request(question))["content"][0]["text"]


def test_notes_of_coding_agents_are_not_taken_for_the_question() -> None:
    noted = [{"type": "text", "text": "<system-reminder>\nwrite files\n</system-reminder>"}, {"type": "text", "text": "explain budgets"}]
    body = request(noted)
    body["messages"].append({"role": "system", "content": "Be brief."})
    assert "“budgets”" in whole(body)["content"][0]["text"]


@pytest.mark.parametrize(
    "model", [*MODELS, "claude-opus-5-5", "anthropic/claude-haiku-5-5", "Demo-Whatever", "claude-sonnet-5-5[1m]-instant"]
)
def test_answer_names_the_model_that_was_asked(model: str) -> None:
    assert whole(request(model=model))["model"] == model


def test_max_tokens_cuts_the_answer() -> None:
    cut = whole(request(max_tokens=3))
    assert (cut["stop_reason"], cut["usage"]["output_tokens"], len(pieces(cut["content"][0]["text"]))) == ("max_tokens", 3, 3)


def test_stop_sequence_ends_the_answer_before_it() -> None:
    stopped = whole(request("explain tcp", stop_sequences=["never there", "tcp"]))
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "tcp")
    assert "tcp" not in stopped["content"][0]["text"]


def test_thinking_is_shown_signed_and_counted() -> None:
    shown = whole(request(thinking={"type": "adaptive"}))
    thought, text = shown["content"]
    usage = shown["usage"]
    assert thought["type"] == "thinking"
    assert len(thought["signature"]) > 100
    assert usage["output_tokens_details"] == {"thinking_tokens": len(pieces(thought["thinking"]))}
    assert usage["output_tokens"] == len(pieces(thought["thinking"])) + len(pieces(text["text"]))


def test_omitted_thinking_sends_only_its_signature_and_is_billed_all_the_same() -> None:
    body = request(thinking={"type": "adaptive", "display": "omitted"})
    first = [payload["delta"]["type"] for name, payload in events(body) if name == "content_block_delta" and payload["index"] == 0]
    assert first == ["signature_delta"]
    assert whole(body)["usage"] == whole(request(thinking={"type": "adaptive"}))["usage"]


def test_cached_prefix_is_written_once_and_then_read_in_a_longer_conversation() -> None:
    memory = PrefixMemory()
    system = [{"type": "text", "text": "rules " * 400, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    first = request([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}], system=system)
    later = first | {
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}, {"role": "user", "content": "and?"}]
    }
    wrote, read = whole(first, memory=memory)["usage"], whole(later, memory=memory)["usage"]
    split = wrote["cache_creation"]
    assert split["ephemeral_1h_input_tokens"] > 500
    assert 0 < split["ephemeral_5m_input_tokens"] < 20
    assert wrote["cache_creation_input_tokens"] == sum(split.values())
    assert (read["cache_read_input_tokens"], read["cache_creation_input_tokens"]) == (split["ephemeral_1h_input_tokens"], 0)


def test_caches_of_two_models_are_apart() -> None:
    memory = PrefixMemory()
    body = request("hi", cache_control={"type": "ephemeral"})
    wrote = whole(body, memory=memory)["usage"]["cache_creation_input_tokens"]
    assert wrote == whole(body | {"model": "demo-haiku"}, memory=memory)["usage"]["cache_creation_input_tokens"] > 0
    assert whole(body, memory=memory)["usage"]["cache_read_input_tokens"] == wrote


def test_memory_of_prefixes_forgets_the_oldest() -> None:
    memory = PrefixMemory(size=2)
    for digest in (b"a", b"b", b"c"):
        memory.remember(digest)
    assert [memory.knows(digest) for digest in (b"a", b"b", b"c")] == [False, True, True]


def test_writing_a_file_takes_a_tool_call_and_its_result_a_closing_text() -> None:
    body = request("write hello to hello.txt", tools=[WRITE, BASH], system="Primary working directory: /home/ada/project\n")
    asked = whole(body)
    call = asked["content"][-1]
    assert asked["stop_reason"] == "tool_use"
    assert (call["name"], call["input"]) == ("Write", {"file_path": "/home/ada/project/hello.txt", "content": "hello"})
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": "File created: hello.txt"}]}
    turns = [{"role": "assistant", "content": asked["content"]}, {"role": "user", "content": [result]}]
    closed = whole(body | {"messages": body["messages"] + turns})
    assert closed["stop_reason"] == "end_turn"
    assert "File created: hello.txt" in closed["content"][0]["text"]


@pytest.mark.parametrize(
    ("question", "written"),
    [
        ('create a file notes.md with "abc"', ("notes.md", "abc")),
        ("schreibe hallo in hallo.txt", ("hallo.txt", "hallo")),
        ("hello.txtに「こんにちは」と書いて", ("hello.txt", "こんにちは")),
        ("please create app.py", ("app.py", 'print("Hello from the demo provider")\n')),
    ],
)
def test_file_name_and_content_are_read_from_the_question(question: str, written: tuple[str, str]) -> None:
    call = whole(request(question, tools=[WRITE]))["content"][-1]
    assert (call["input"]["file_path"], call["input"]["content"]) == written


@pytest.mark.parametrize(
    ("question", "command"), [("run `echo hi`", "echo hi"), ("list the files", "ls -la"), ("run the script `rm -rf x`", "ls -la")]
)
def test_only_harmless_commands_are_run(question: str, command: str) -> None:
    assert whole(request(question, tools=[BASH]))["content"][-1]["input"] == {"command": command}


@pytest.mark.parametrize("fields", [{"tool_choice": {"type": "none"}}, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}])
def test_no_tool_is_called_when_none_may_or_none_fits(fields: dict[str, Any]) -> None:
    answered = whole(request("write hello to hello.txt", **({"tools": [WRITE]} | fields)))
    assert [block["type"] for block in answered["content"]] == ["text"]


def test_forced_tool_gets_arguments_that_follow_its_schema() -> None:
    forced = whole(request("a quiet place", tools=[BASH, ROUNDABOUT], tool_choice={"type": "tool", "name": "book_table"}))
    assert [block["type"] for block in forced["content"]] == ["tool_use"]
    assert forced["content"][0]["input"] == {"guests": 2, "day": "2026-11-21", "seat": "window", "menu": [{"vegan": True}]}


def test_schema_that_contains_itself_does_not_explode() -> None:
    members = {f"m{number}": {"$ref": "#"} for number in range(200)}
    tool = {"name": "tree", "input_schema": {"type": "object", "properties": members}}
    forced = whole(request("grow", tools=[tool], tool_choice={"type": "any"}, max_tokens=100_000))
    assert forced["stop_reason"] == "tool_use"


def test_schema_whose_default_is_no_object_still_gives_an_object() -> None:
    tool = {"name": "odd", "input_schema": {"type": "object", "default": []}}
    assert whole(request("hm", tools=[tool], tool_choice={"type": "any"}))["content"][0]["input"] == {}


def test_lookup_tool_is_called_when_the_question_names_it() -> None:
    tool = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    call = whole(request("What is the weather in Osaka?", tools=[tool]))["content"][-1]
    assert (call["name"], call["input"]) == ("get_weather", {"city": "Osaka"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": "hi"}, "messages: Input should be a valid list"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [{"role": "robot", "content": "hi"}]}, "messages.0.role: Input should be 'user', 'assistant' or 'system'"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text.text: Field required"),
        ({"max_tokens": "many"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"tool_choice": {"type": "any"}}, "tool_choice may only be specified while providing tools"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "`max_tokens` must be greater than `thinking.budget_tokens`."),
        ({"model": 5}, "model: Input should be a valid string"),
    ],
)
def test_wrong_field_is_a_400_in_the_vendors_shape(change: dict[str, Any], message: str) -> None:
    script = post(request() | change)
    refusal = json.loads(played(script)[0])
    assert script.status == 400
    assert refusal["error"] == {"type": "invalid_request_error", "message": message}
    assert dict(script.headers)["request-id"] == refusal["request_id"]


def test_missing_max_tokens_is_named() -> None:
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Field required"):
        sdk().post("/v1/messages", body={"model": "demo-opus", "messages": [{"role": "user", "content": "hi"}]}, cast_to=object)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b'"\\ud800"', b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900])
def test_body_that_is_no_json_object_is_a_400(body: bytes) -> None:
    assert answer("/v1/messages", body).status == 400


def test_unknown_model_and_unknown_path_are_404() -> None:
    with pytest.raises(anthropic.NotFoundError) as refused:
        sdk().messages.create(**request(model="gpt-next"))
    assert refused.value.body["error"] == {"type": "not_found_error", "message": "model: gpt-next"}  # type: ignore[index] # the SDK says object
    assert post(request(), path="/v1/nowhere").status == 404


def test_prompt_beyond_the_window_is_refused_in_the_known_words() -> None:
    refusal = whole(request("word " * 200_000, model="demo-haiku"))
    assert re.fullmatch(r"prompt is too long: \d+ tokens > 200000 maximum", refusal["error"]["message"])


def test_models_are_listed_and_found() -> None:
    assert [model.id for model in sdk().models.list()] == list(MODELS)
    assert sdk().models.retrieve("demo-haiku").max_input_tokens == 200_000


@pytest.mark.parametrize(("model", "suffix", "stream"), list(itertools.product(ERROR_MODELS, ("", "-instant"), (True, False))))
def test_error_models_answer_with_their_status(model: str, suffix: str, stream: bool) -> None:
    script = post(request(model=model + suffix, stream=stream))
    body = json.loads(played(script)[0])
    assert script.status == int(model.rpartition("-")[2])
    assert (body["type"], set(body["error"])) == ("error", {"type", "message"})


def test_rate_limited_model_says_when_to_come_back() -> None:
    with pytest.raises(anthropic.RateLimitError) as limited:
        sdk().messages.create(**request(model="demo-error-429"))
    assert limited.value.response.headers["retry-after"] == "3"
    assert limited.value.type == "rate_limit_error"


def test_slow_model_pings_for_twenty_seconds_before_the_first_token() -> None:
    steps = list(post(request(model="demo-slow", stream=True)).steps)
    assert [b"event: ping" in (step.data or b"") for step in steps[:5]] == [False, True, True, True, False]
    assert sum(step.delay_s for step in steps[1:5]) == 20
    assert next(iter(post(request(model="demo-slow")).steps)).delay_s > 20
    assert names(request(model="demo-slow-instant"))[-1] == "message_stop"


def test_silent_model_sends_not_even_headers() -> None:
    for stream in (True, False):
        script = post(request(model="demo-silent", stream=stream))
        assert (script.status, script.headers, played(script)) == (NO_ANSWER, (), (b"", End.STALL))


@pytest.mark.parametrize(
    ("model", "last", "end"),
    [
        ("demo-stall", "message_start", End.STALL),
        ("demo-cut", "content_block_delta", End.CUT),
        ("demo-error-midstream", "error", End.NORMAL),
        ("demo-truncated", "content_block_delta", End.NORMAL),
    ],
)
def test_faulty_stream_breaks_where_its_name_says(model: str, last: str, end: End) -> None:
    body = request(model=f"{model}-instant")
    assert names(body)[-1] == last
    assert played(post(body | {"stream": True}))[1] is end


@pytest.mark.parametrize(("model", "end"), [("demo-stall", End.STALL), ("demo-cut", End.CUT), ("demo-truncated", End.NORMAL)])
def test_faulty_json_answer_is_never_whole(model: str, end: End) -> None:
    script = post(request(model=f"{model}-instant"))
    data, ended = played(script)
    assert (script.status, ended) == (200, end)
    with pytest.raises(json.JSONDecodeError):
        json.loads(data)


def test_midstream_error_reaches_the_sdk_after_some_text() -> None:
    body = request(model="demo-error-midstream-instant")
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"), sdk().messages.stream(**body) as stream:
        stream.until_done()
    assert names(body).count("content_block_delta") > 5
    assert post(body).status == 529


@given(st.text())
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SCHEMA_WORDS = ("type", "properties", "required", "items", "enum", "$ref", "anyOf", "minItems", "minimum", "format", "default")
KINDS = st.sampled_from(["object", "array", "integer", "string", "null", "#/properties/a", "a"])
SCHEMAS = st.recursive(
    KINDS | VALUES,
    lambda inner: st.dictionaries(st.sampled_from([*SCHEMA_WORDS, "a"]), inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=8,
)
BLOCK_WORDS = {
    "text": VALUES,
    "tool_use_id": st.just("t"),
    "content": VALUES,
    "is_error": VALUES,
    "cache_control": VALUES,
    "source": VALUES,
}
BLOCKS = st.fixed_dictionaries({"type": st.sampled_from(["text", "tool_result", "image"])}, optional=BLOCK_WORDS)
CONTENT = st.sampled_from(["write hi to a.txt", "run ls", "こんにちは"]) | st.lists(BLOCKS, max_size=3) | VALUES
TURNS = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": CONTENT}), min_size=1, max_size=3
)
TOOLS = st.lists(st.fixed_dictionaries({"name": st.sampled_from(["Bash", "get_x", ""]), "input_schema": SCHEMAS}), min_size=1, max_size=2)
FIELDS = ("system", "thinking", "stop_sequences", "output_config", "cache_control", "speed")
OPTIONAL = dict.fromkeys(FIELDS, VALUES) | {"tool_choice": st.just({"type": "any"}), "stream": st.booleans(), "tools": TOOLS | VALUES}
MODEL_NAMES = st.sampled_from(["demo-opus-instant", "demo-cut", "demo-truncated"])
ALMOST = st.fixed_dictionaries({"model": MODEL_NAMES, "max_tokens": st.integers(0, 300), "messages": TURNS}, optional=OPTIONAL)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["/v1/messages", "/v1/messages/count_tokens", "/v1/models"]), ALMOST | VALUES)
def test_any_json_is_answered_or_refused(path: str, body: Any) -> None:
    script = answer(path, json.dumps(body).encode(), memory=PrefixMemory())
    assert script.status == 200 or 400 <= script.status < 500
    assert played(script)[0]
