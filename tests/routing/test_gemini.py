"""Gemini's dialect on plain bytes: what decides, what passes, and the figures of an answer."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dialects.base import UNCAPPED_OUTPUT, BadBody, PathAsk
from routing.dialects.gemini import GEMINI, GEMINI_ARRAY, GEMINI_COUNT, GEMINI_EMBED, GEMINI_EMBEDS
from routing.dialects.gemini_reader import GeminiReader
from routing.translation.sse_to_array import ToArray

quick = settings(derandomize=True, deadline=None, database=None, max_examples=100)
PATH = PathAsk("gemini-2.5-pro", False)
CHUNK = b'data: {"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": {"promptTokenCount": 4}}\r\n\r\n'


def cap_of(body: str) -> int:
    return GEMINI.read(f'{{"contents":[],{body}}}'.encode(), PATH).max_tokens


def test_body_passes_byte_for_byte_and_the_path_names_the_model() -> None:
    body = b'{"contents":[ {"parts": [{"text":"\\u00e9"}]} ],"safetySettings":[ ],"new":1.50}'
    ask = GEMINI.read(body, PathAsk("gemini-2.5-pro", True))
    assert (ask.model, ask.is_stream, GEMINI.write(ask, "gemini-x")) == ("gemini-2.5-pro", True, body)


@pytest.mark.parametrize(("body", "cap"), [
    ('"a":1', UNCAPPED_OUTPUT),
    ('"generationConfig":{}', UNCAPPED_OUTPUT),
    ('"generationConfig":null', UNCAPPED_OUTPUT),
    ('"generationConfig":{"maxOutputTokens":100}', 100),
    ('"generation_config":{"max_output_tokens":100}', 100),
    ('"generationConfig":{"maxOutputTokens":"100","candidateCount":3}', 300),
    ('"generationConfig":{"maxOutputTokens":1e2,"candidate_count":"2"}', 200),
    ('"generationConfig":{"candidateCount":2}', 2 * UNCAPPED_OUTPUT),
    ('"generationConfig":{"maxOutputTokens":null}', UNCAPPED_OUTPUT),
])  # fmt: skip
def test_output_is_capped_by_the_configuration_for_all_candidates(body: str, cap: int) -> None:
    assert cap_of(body) == cap


@pytest.mark.parametrize("body", [
    '"generationConfig":[]',
    '"generationConfig":{"maxOutputTokens":"many"}',
    '"generationConfig":{"maxOutputTokens":0}',
    '"generationConfig":{"maxOutputTokens":-1}',
    '"generationConfig":{"maxOutputTokens":1.5}',
    '"generationConfig":{"maxOutputTokens":1e99}',
    '"generationConfig":{"maxOutputTokens":"nan"}',
    '"generationConfig":{"maxOutputTokens":"inf"}',
    '"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}',
    '"generationConfig":{"maxoutputtokens":1}',
    '"generationConfig":{},"generation_config":{}',
    '"GenerationConfig":{}',
    '"generationconfig":{}',
])  # fmt: skip
def test_what_decides_is_said_once_and_plainly(body: str) -> None:
    with pytest.raises(BadBody):
        cap_of(body)


def test_name_that_is_there_twice_is_sent_once_as_it_was_read() -> None:
    ask = GEMINI.read(b'{"contents":[],"generationConfig":{"maxOutputTokens":5,"maxOutputTokens":7,"topP":0.50}}', PATH)
    assert GEMINI.write(ask, "m") == b'{"contents":[],"generationConfig":{"maxOutputTokens":7,"topP":0.50}}'
    assert ask.max_tokens == 7


def test_cap_is_lowered_for_each_candidate() -> None:
    ask = GEMINI.read(b'{"contents":[],"generation_config":{"candidate_count":2,"topP":0.50}}', PATH)
    assert GEMINI.lower_max_tokens(ask, 100)
    assert json.loads(bytes(GEMINI.write(ask, "m")))["generationConfig"] == {"candidateCount": 2, "topP": 0.5, "maxOutputTokens": 50}
    assert ask.max_tokens == 100


def test_cap_is_not_lowered_into_the_thinking_that_was_asked_for() -> None:
    ask = GEMINI.read(b'{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":128}}}', PATH)
    assert not GEMINI.lower_max_tokens(ask, 128)


@pytest.mark.parametrize(("thinking", "shows"), [
    ('{"thinkingBudget":0}', True), ('{"thinking_budget":"0"}', True), ('{"thinkingBudget":-1}', False), ("{}", False), ("[]", False),
])  # fmt: skip
def test_length_shows_only_without_thinking(thinking: str, shows: bool) -> None:
    ask = GEMINI.read(f'{{"contents":[],"generationConfig":{{"thinkingConfig":{thinking}}}}}'.encode(), PATH)
    assert GEMINI.shows_its_length(ask, b"") is shows


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"contents":[]', b'{"contents":["\xff"]}', b"[" * 5000])
def test_what_is_no_call_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        GEMINI.read(body, PATH)


@pytest.mark.parametrize("model", ["", "m\n", "m" * 201])
def test_model_without_a_fit_name_is_refused(model: str) -> None:
    with pytest.raises(BadBody):
        GEMINI.read(b'{"contents":[]}', PathAsk(model, False))


@quick
@given(st.binary(max_size=60))
def test_any_bytes_are_an_ask_or_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        GEMINI.read(body + b"!", PATH)


def test_model_in_the_body_is_left_to_the_path() -> None:
    ask = GEMINI_EMBED.read(b'{"model":"models/other","content":{}}', PATH)
    assert (GEMINI_EMBED.write(ask, "m"), ask.model, ask.max_tokens) == (b'{"content":{}}', "gemini-2.5-pro", 0)


def test_call_to_be_counted_names_the_deployments_model() -> None:
    ask = GEMINI_COUNT.read(b'{"generateContentRequest":{"model":"models/alias","contents":[ ]}}', PATH)
    assert GEMINI_COUNT.write(ask, "gemini-x") == b'{"generateContentRequest":{"model":"models/gemini-x","contents":[ ]}}'


def test_every_text_to_embed_names_the_deployments_model() -> None:
    ask = GEMINI_EMBEDS.read(b'{"requests":[{"model":"models/a","content":{ }},{"content":{},"model":"models/other"}]}', PATH)
    sent = b'{"requests":[{"model":"models/m","content":{ }},{"content":{},"model":"models/m"}]}'
    assert (GEMINI_EMBEDS.write(ask, "m"), ask.max_tokens) == (sent, 0)


@pytest.mark.parametrize("body", [b"{}", b'{"requests":{}}', b'{"requests":[7]}', b'{"requests":null}'])
def test_texts_to_embed_are_a_list(body: bytes) -> None:
    with pytest.raises(BadBody):
        GEMINI_EMBEDS.read(body, PATH)


def test_plain_count_passes_byte_for_byte() -> None:
    ask = GEMINI_COUNT.read(b'{"contents":[ ]}', PATH)
    assert (GEMINI_COUNT.write(ask, "m"), ask.max_tokens) == (b'{"contents":[ ]}', 0)


def see(*chunks: object) -> GeminiReader:
    reader = GEMINI.reader()
    for chunk in chunks:
        reader.see("", json.dumps(chunk).encode())
    return reader


def test_usage_counts_thoughts_as_output_and_what_was_cached_apart() -> None:
    counts = {"promptTokenCount": 100, "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 7, "candidatesTokenCount": 5}
    usage = see({"usageMetadata": {**counts, "thoughtsTokenCount": 9, "trafficType": "ON_DEMAND_FLEX"}}).usage()
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens, usage.thinking_tokens) == (47, 60, 14, 9)
    assert usage.service_tier == "flex"


@pytest.mark.parametrize(("told", "tier"), [("ON_DEMAND", ""), ("PROVISIONED_THROUGHPUT", "provisioned_throughput"), (7, "")])
def test_tier_is_told_as_the_price_list_knows_it(told: object, tier: str) -> None:
    assert see({"usageMetadata": {"trafficType": told}}).usage().service_tier == tier


def test_last_figures_count_and_stand_once_the_answer_has_its_reason() -> None:
    said = {"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1}}
    reader = see(said)
    assert (reader.has_started, reader.has_ended, reader.has_final_usage) == (True, False, False)
    reader.see("", json.dumps({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"candidatesTokenCount": 3}}).encode())
    assert (reader.has_ended, reader.has_final_usage, reader.stop_reason) == (True, True, "STOP")
    assert (reader.usage().input_tokens, reader.usage().output_tokens) == (4, 3)


def test_tools_and_model_are_noted() -> None:
    reader = see({"candidates": [{"content": {"parts": [{"functionCall": {"name": "look"}}, {"text": ""}]}}], "modelVersion": "gemini-3"})
    assert (reader.tools, reader.model) == (["look"], "gemini-3")


def test_refused_prompt_ends_the_answer() -> None:
    reader = see({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}})
    assert (reader.has_ended, reader.stop_reason, reader.usage().output_tokens) == (True, "PROHIBITED_CONTENT", 0)


def test_error_in_a_stream_is_noted_in_anthropics_words() -> None:
    reader = see({"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}})
    assert reader.error is not None
    assert (reader.error.type, reader.error.message, reader.has_ended) == ("overloaded_error", "Overloaded.", False)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"candidates":7}', b'{"usageMetadata":{"promptTokenCount":-1,"x":[]}}', b'{"candidates":null}']
)
def test_garbage_is_passed_over(body: bytes) -> None:
    reader = GEMINI.reader()
    reader.see("", body)
    assert reader.usage().prompt_tokens == 0


def test_whole_answer_without_a_reason_is_whole() -> None:
    reader = GEMINI_EMBED.reader()
    assert reader.see_whole(b'{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":9}}', [])
    assert (reader.has_ended, reader.has_final_usage, reader.usage().input_tokens) == (True, True, 9)


def test_what_is_no_answer_is_not_taken_for_one() -> None:
    assert not GEMINI.reader().see_whole(b"<html>", [])


def test_refusal_is_put_as_google_puts_it() -> None:
    body = json.loads(GEMINI.error_body(429, "The budget is used up.", "req_1", code="budget_exceeded"))
    assert (body["error"]["code"], body["error"]["status"], body["error"]["message"]) == (
        429,
        "RESOURCE_EXHAUSTED",
        "The budget is used up.",
    )
    assert [detail.get("reason") or detail["requestId"] for detail in body["error"]["details"]] == ["BUDGET_EXCEEDED", "req_1"]


def test_refusal_of_ours_is_read_as_it_was_meant() -> None:
    told = GEMINI.read_error(403, [], GEMINI.error_body(403, "No.", "req_1"))
    assert (told.status, told.kind, told.message, told.code) == (403, "permission_error", "No.", "PERMISSION_DENIED")


@pytest.mark.parametrize("cut", range(1, len(CHUNK)))
def test_array_is_the_same_wherever_the_events_were_cut(cut: int) -> None:
    turn, stream = ToArray(), CHUNK * 2
    whole = turn.feed(stream[:cut]) + turn.feed(stream[cut:]) + turn.end()
    data = CHUNK.strip().removeprefix(b"data: ")
    assert whole == b"[" + data + b",\r\n" + data + b"]"


def test_array_of_nothing_is_an_array() -> None:
    assert ToArray().end() == b"[]"


def test_chunk_of_any_length_is_passed_on() -> None:
    picture = b"x" * 3_000_000
    turn = ToArray()
    pieces = [turn.feed(piece) for piece in (b"data: ", picture, b"\n", b"\n")]
    assert b"".join(pieces) + turn.end() == b"[" + picture + b"]"


def test_garbage_without_an_end_is_not_gathered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.translation.sse_to_array.MAX_CHUNK_BYTES", 1000)
    turn = ToArray()
    passed = [turn.feed(b"x" * 300) for _ in range(20)]
    assert len(turn._tail) <= 1000
    assert not any(passed)


def test_error_in_an_array_closes_it() -> None:
    turn = ToArray()
    whole = turn.feed(CHUNK) + GEMINI_ARRAY.error_event(502, "Lost.", "req_1")
    assert [list(element) for element in json.loads(whole)] == [["candidates", "usageMetadata"], ["error"]]
