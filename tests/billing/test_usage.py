"""Merging usage objects: later values replace earlier ones, iterations are billed parts, garbage is passed over."""

import json
from pathlib import Path
from typing import Any

import anthropic
import genai_prices
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import MAX_COUNT, Usage, UsageMerger

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def merged(start: object, *deltas: object) -> Usage:
    merger = UsageMerger()
    merger.start(start)
    for delta in deltas:
        merger.delta(delta)
    return merger.result()


WHOLE = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 5000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 40,
    "output_tokens_details": {"thinking_tokens": 30},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    "service_tier": "batch",
    "speed": "fast",
    "inference_geo": "us",
}


def test_whole_message_is_read() -> None:
    assert merged(WHOLE) == Usage(3, 5000, 100, 200, 40, 30, 2, 1, "batch", "fast", "us")


def test_nothing_seen_is_nothing_used() -> None:
    assert UsageMerger().result() == Usage()
    assert UsageMerger().result(estimated=True) == Usage(estimated=True)


# R19
def test_later_values_replace_earlier_ones() -> None:
    usage = merged({"input_tokens": 2068, "output_tokens": 8}, {"output_tokens": 200}, {"input_tokens": 22_397, "output_tokens": 637})
    assert (usage.input_tokens, usage.output_tokens) == (22_397, 637)


def test_delta_with_output_alone_keeps_the_rest() -> None:
    assert merged(WHOLE, {"output_tokens": 41, "input_tokens": None}) == Usage(3, 5000, 100, 200, 41, 30, 2, 1, "batch", "fast", "us")


def test_zero_in_a_delta_replaces_too() -> None:
    assert merged({"cache_read_input_tokens": 55_096}, {"cache_read_input_tokens": 0}).cache_read_tokens == 0


@pytest.mark.parametrize(("total", "short", "long"), [(600, 200, 400), (0, 0, 0), (1, 1, 0), (301, 101, 200)])
def test_new_total_of_cache_writes_is_divided_as_the_start_was(total: int, short: int, long: int) -> None:
    usage = merged(WHOLE, {"cache_creation_input_tokens": total})
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (short, long)


def test_cache_writes_without_a_split_are_short() -> None:
    assert merged({"cache_creation_input_tokens": 1165}) == Usage(cache_write_5m_tokens=1165)


def test_split_without_a_total_is_enough() -> None:
    usage = merged({"cache_creation": WHOLE["cache_creation"]})
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (100, 200)


def test_iterations_of_every_type_are_parts_at_their_own_model() -> None:
    parts = [
        {"type": "message", "input_tokens": 1128, "output_tokens": 155},
        {"type": "advisor_message", "model": "claude-fable-5", "input_tokens": 2564, "output_tokens": 99},
        {"type": "compaction", "input_tokens": 100, "cache_read_input_tokens": 55_096, "output_tokens": 83},
        {"type": "fallback_message", "model": "claude-opus-5", "output_tokens": 7},
    ]
    usage = merged({"input_tokens": 1128}, {"output_tokens": 155, "iterations": parts})
    assert usage.iterations == (
        Usage(1128, output_tokens=155),
        Usage(2564, output_tokens=99, model="claude-fable-5"),
        Usage(100, 55_096, output_tokens=83),
        Usage(output_tokens=7, model="claude-opus-5"),
    )
    assert (usage.input_tokens, usage.output_tokens) == (1128, 155)


def test_iteration_without_a_split_is_divided_as_the_start_was() -> None:
    usage = merged(WHOLE, {"iterations": [{**WHOLE, "cache_creation": None}]})
    assert (usage.iterations[0].cache_write_5m_tokens, usage.iterations[0].cache_write_1h_tokens) == (100, 200)


def test_own_split_of_an_iteration_counts() -> None:
    own = {"cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 0}}
    part = merged(WHOLE, {"iterations": [{**WHOLE, **own}]}).iterations[0]
    assert (part.cache_write_5m_tokens, part.cache_write_1h_tokens) == (300, 0)


@pytest.mark.parametrize(
    "parts", [[], [{}], ["x", None, 3], [{"input_tokens": "3"}], [{"input_tokens": 3, "output_tokens": 39}], {"0": {}}]
)
def test_iterations_that_come_to_less_than_the_whole_are_not_believed(parts: object) -> None:
    assert merged({"input_tokens": 3, "output_tokens": 40, "iterations": parts}) == Usage(3, output_tokens=40)


@pytest.mark.parametrize("value", [-1, MAX_COUNT + 1, 10**30, True, 2.5, "7", None, [], {}])
def test_bad_count_is_passed_over(value: object) -> None:
    assert merged({"input_tokens": 5, "output_tokens": 1}, {"input_tokens": value, "output_tokens": 2}) == Usage(5, output_tokens=2)


@pytest.mark.parametrize("start", [None, [], "x", 3, {"cache_creation": [], "server_tool_use": "x", "service_tier": 1, "iterations": 7}])
def test_bad_usage_object_is_passed_over(start: object) -> None:
    assert merged(start, start) == Usage()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*WHOLE, "iterations", "model"]), inner, max_size=6),
    max_leaves=20,
)


@given(st.lists(json_values, min_size=1, max_size=3))
def test_no_answer_can_make_the_merger_fail(usages: list[object]) -> None:
    usage = merged(*usages)
    for part in (usage, *usage.iterations):
        assert 0 <= part.prompt_tokens <= 3 * MAX_COUNT
        assert 0 <= part.output_tokens <= MAX_COUNT


def recordings(form: str) -> list[Any]:
    if not (CORPUS / "index.json").exists():
        return [pytest.param(None, marks=pytest.mark.skip("no recorded traffic beside this checkout"), id="absent")]
    entries = json.loads((CORPUS / "index.json").read_text())
    wanted = ("anthropic", "messages", form, 200)
    chosen = [entry for entry in entries if (entry["provider"], entry["endpoint"], entry["format"], entry["status"]) == wanted]
    return [pytest.param(CORPUS / entry["response"], id=entry["id"]) for entry in chosen]


def as_extracted(usage: Usage) -> dict[str, int]:
    """Our counts under genai-prices' names."""
    return {
        "input_tokens": usage.prompt_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "web_searches": usage.web_search_requests,
        "output_reasoning_tokens": usage.thinking_tokens,
    }


def assert_same(usage: Usage, message: dict[str, Any]) -> None:
    told = genai_prices.extract_usage(message, provider_id="anthropic").usage
    ours = as_extracted(usage)
    assert ours == {name: told.reported_value(name) for name in ours}


@pytest.mark.parametrize("path", recordings("json"))
def test_recorded_message_is_read_as_genai_prices_reads_it(path: Path) -> None:
    message = json.loads(path.read_text())
    assert_same(merged(message["usage"]), message)


def events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data:")) for line in path.read_text().splitlines() if line.startswith("data:")]


def as_the_sdk_sums_it_up(path: Path) -> dict[str, Any]:
    """The final message that the vendor's own client makes of a stream."""

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=path.read_bytes())

    client = anthropic.Anthropic(
        api_key="unused", base_url="http://127.0.0.1:1", http_client=httpx2.Client(transport=httpx2.MockTransport(answer))
    )
    with client, client.beta.messages.stream(model="any", max_tokens=1, messages=[{"role": "user", "content": "Hi"}]) as stream:
        return stream.get_final_message().model_dump(warnings=False)


# R19
@pytest.mark.parametrize("path", recordings("sse"))
def test_recorded_stream_merges_as_the_sdk_and_genai_prices_read_it(path: Path) -> None:
    events = events_of(path)
    start = next(event["message"]["usage"] for event in events if event["type"] == "message_start")
    deltas = [event["usage"] for event in events if event["type"] == "message_delta"]
    assert_same(merged(start, *deltas), as_the_sdk_sums_it_up(path))
