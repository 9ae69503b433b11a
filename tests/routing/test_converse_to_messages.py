"""Converse's answers as those of Messages: golden files, any cut, the order of events, and Anthropic's SDK as the judge."""

import functools
import itertools
import json
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.translation.converse_answer import BadAnswer, Given
from routing.translation.converse_to_messages import BROKEN, ConverseToMessages
from routing.translation.messages_to_converse import tool_names
from routing.wire.eventstream import event, exception
from tests.routing.sse_rules import broken_rules

GOLDEN = Path(__file__).parents[1] / "golden" / "messages_converse"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
CALL = Given("req_1", "claude-sonnet-5", 1000, {"long_4790fddcbcb3": "a longer name"})
USAGE = {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}
quick = settings(derandomize=True, deadline=None, database=None, max_examples=100)
Frames = list[tuple[str, Any]]


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def golden_call() -> Given:
    asked = msgspec.json.decode(golden("full.request.json"), type=dict[str, msgspec.Raw])
    return Given("req_golden", "claude-sonnet-5", 1000, tool_names(asked))


def wire(frames: Frames) -> bytes:
    return b"".join(event(name, msgspec.json.encode(payload)) for name, payload in frames)


def turned(stream: bytes, cuts: list[int] | None = None, call: Given = CALL) -> bytes:
    turn = ConverseToMessages(call)
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts or ()), len(stream)]
    return b"".join(turn.feed(stream[start:end]) for start, end in itertools.pairwise(ends)) + turn.end()


def whole(content: Any, reason: str = "end_turn", usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    answer = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": reason, "usage": usage, **more}
    found: dict[str, Any] = json.loads(ConverseToMessages(CALL).whole(msgspec.json.encode(answer)))
    return found


@functools.cache
def sdk() -> anthropic.Anthropic:
    """A client of a provider that answers with what it is asked for as a model."""
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, content=json.loads(request.content)["model"].encode()))
    return anthropic.Anthropic(api_key="x", base_url="http://127.0.0.1", http_client=httpx2.Client(transport=transport))


def read_by_sdk(stream: bytes) -> dict[str, Any]:
    """The message that Anthropic's SDK makes of a stream, without what it does not take over from the end."""
    with sdk().messages.stream(model=stream.decode(), max_tokens=1, messages=[]) as events:
        return without_split(events.get_final_message().model_dump(mode="json", exclude_none=True))


def as_sdk_reads(message: dict[str, Any]) -> dict[str, Any]:
    return without_split(anthropic.types.Message.model_validate(message).model_dump(mode="json", exclude_none=True))


def without_split(message: dict[str, Any]) -> dict[str, Any]:
    message["usage"].pop("cache_creation", None)
    return message


def names(stream: bytes) -> list[str]:
    return [line[7:] for line in stream.decode().split("\n") if line.startswith("event: ")]


# ── golden files
def test_golden_answer_is_a_message() -> None:
    message = ConverseToMessages(golden_call()).whole(golden("full.answer.json"))
    assert msgspec.json.format(message, indent=1) + b"\n" == golden("full.message.json")


def test_golden_stream_is_one_of_messages() -> None:
    stream = turned(wire(json.loads(golden("full.frames.json"))), call=golden_call())
    assert stream == golden("full.sse")
    assert broken_rules(stream) == []


def test_golden_stream_and_golden_answer_are_the_same_message() -> None:
    assert read_by_sdk(golden("full.sse")) == as_sdk_reads(json.loads(golden("full.message.json")))


def test_golden_stream_cut_at_every_byte_is_the_same() -> None:
    stream = wire(json.loads(golden("full.frames.json")))
    assert {turned(stream, [cut], golden_call()) for cut in range(len(stream))} == {golden("full.sse")}


# ── any answer
text = st.text(max_size=8)
pieces = st.lists(text, max_size=4)
words = pieces.map(lambda parts: ({"text": "".join(parts)}, [{"text": part} for part in parts]))
thoughts = st.builds(
    lambda parts, sign: (
        {"reasoningContent": {"reasoningText": {"text": "".join(parts), "signature": sign}}},
        [{"reasoningContent": {"text": part}} for part in parts] + [{"reasoningContent": {"signature": sign}}],
    ),
    pieces, text,
)  # fmt: skip
hidden = st.sampled_from(["RXRr", "RUNr"]).map(lambda data: {"reasoningContent": {"redactedContent": data}}).map(lambda one: (one, [one]))
values: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    text, st.integers(-5, 5) | text | st.booleans() | st.lists(text, max_size=2), max_size=3
)


@st.composite
def tool(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    asked: dict[str, Any] = draw(values)
    told = json.dumps(asked) if asked else ""
    cut = draw(st.integers(0, len(told)))
    use = {"toolUseId": draw(st.from_regex(r"[a-z]{1,9}", fullmatch=True)), "name": draw(st.sampled_from(["look", "long_4790fddcbcb3"]))}
    return {"toolUse": use | {"input": asked}}, [{"toolUse": use}, *({"toolUse": {"input": part}} for part in (told[:cut], told[cut:]))]


answers = st.lists(words | thoughts | hidden | tool(), max_size=6)
cuts = st.lists(st.integers(0, 3000), max_size=8)


def framed(number: int, deltas: list[Any]) -> Frames:
    """The frames of one block; a tool's first piece is its start."""
    opening = [one for one in deltas[:1] if "toolUseId" in one.get("toolUse", {})]
    starts = [("contentBlockStart", {"contentBlockIndex": number, "start": one}) for one in opening]
    rest = [("contentBlockDelta", {"contentBlockIndex": number, "delta": one}) for one in deltas[len(starts) :]]
    return [*starts, *rest, ("contentBlockStop", {"contentBlockIndex": number})]


def closing(reason: str = "end_turn") -> Frames:
    return [("messageStop", {"stopReason": reason}), ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}})]


def streamed(answer: Any) -> Frames:
    blocks = [frame for number, (_, deltas) in enumerate(answer) for frame in framed(number, deltas)]
    return [("messageStart", {"role": "assistant"}), *blocks, *closing()]


@quick
@given(answers, cuts)
def test_any_answer_is_the_same_message_streamed_or_whole(answer: Any, cuts: list[int]) -> None:
    stream = turned(wire(streamed(answer)), cuts)
    assert broken_rules(stream) == []
    assert read_by_sdk(stream) == as_sdk_reads(whole([block for block, _ in answer]))


@quick
@given(answers, st.randoms(use_true_random=False))
def test_interleaved_blocks_come_one_after_the_other(answer: Any, random: Any) -> None:
    lanes = [framed(number, deltas) for number, (_, deltas) in enumerate(answer)]
    mixed = [lane.pop(0) for lane in lanes[:1]]
    while left := [lane for lane in lanes if lane]:
        mixed.append(random.choice(left).pop(0))
    stream = turned(wire([("messageStart", {}), *mixed, *closing()]))
    assert broken_rules(stream) == []
    found = sorted(json.dumps(block) for block in read_by_sdk(stream)["content"])
    assert found == sorted(json.dumps(block) for block in as_sdk_reads(whole([block for block, _ in answer]))["content"])


kinds = st.sampled_from([
    "messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "of_tomorrow",
])  # fmt: skip
starts = st.sampled_from([
    {"toolUse": {"toolUseId": "t", "name": "n"}}, {"image": {"format": "png"}}, {"toolUse": {"type": "server_tool_use"}},
])  # fmt: skip
deltas = st.sampled_from([
    {"text": "a"}, {"text": ""}, {"toolUse": {"input": "{"}}, {"reasoningContent": {"text": "b"}}, {"reasoningContent": {"signature": "c"}},
    {"reasoningContent": {"redactedContent": "RXRr"}}, {"citation": {"title": "t"}}, {"of_tomorrow": 1}, {},
])  # fmt: skip
payloads = st.fixed_dictionaries({
    "contentBlockIndex": st.integers(0, 3), "start": st.none() | starts, "delta": st.none() | deltas,
    "stopReason": st.sampled_from(["end_turn", "malformed_tool_use"]), "usage": st.just(USAGE),
})  # fmt: skip


@quick
@given(st.lists(st.tuples(kinds, payloads), max_size=20))
def test_frames_in_any_order_keep_the_rules_of_messages(frames: Frames) -> None:
    assert broken_rules(turned(wire([*frames, *closing()]))) == []


@quick
@given(st.lists(st.tuples(kinds, st.binary(max_size=20)), max_size=4), st.binary(max_size=30), cuts)
def test_garbage_is_an_error_or_passed_over(frames: list[tuple[str, bytes]], tail: bytes, cuts: list[int]) -> None:
    stream = b"".join(event(name, payload) for name, payload in frames) + tail
    rules = broken_rules(turned(stream, cuts))
    assert [rule for rule in rules if not rule.startswith("ends")] == []


# ── faults
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("modelStreamErrorException", "api_error"),
        ("internalServerException", "api_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("validationException", "invalid_request_error"),
        ("ofTomorrowException", "api_error"),
    ],
)
def test_fault_in_a_stream_is_its_last_event(name: str, kind: str) -> None:
    begun = wire([("messageStart", {}), *framed(0, [{"text": "Hel"}])[:1]])
    stream = turned(begun + exception(name, "Too much.") + wire(closing()))
    assert names(stream)[-2:] == ["content_block_delta", "error"]
    assert json.loads(stream.rpartition(b"data: ")[2])["error"] == {"type": kind, "message": "Too much."}


def test_fault_before_anything_is_an_error() -> None:
    assert names(turned(exception("throttlingException", ""))) == ["error"]


def test_prompt_too_long_is_told_as_claude_code_knows_it() -> None:
    assert b'"prompt is too long: ' in turned(exception("validationException", "Input is too long for requested model."))


def test_stream_that_cannot_be_read_ends_with_an_error() -> None:
    stream = turned(wire(streamed([])[:1]) + b"\0" * 20)
    assert names(stream) == ["message_start", "error"]
    assert BROKEN.encode() in stream


def test_frame_that_cannot_be_read_ends_the_stream() -> None:
    assert names(turned(event("contentBlockDelta", b'{"delta":7}') + wire(closing()))) == ["error"]


def test_truncated_stream_gets_no_end() -> None:
    assert names(turned(wire(streamed([({}, [{"text": "Hi"}])])[:2]))) == ["message_start", "content_block_start", "content_block_delta"]


def test_content_after_the_end_is_passed_over() -> None:
    late = [("messageStop", {"stopReason": "end_turn"}), ("contentBlockDelta", {"delta": {"text": "Late"}}), ("metadata", {"usage": USAGE})]
    assert names(turned(wire(late))) == ["message_start", "message_delta", "message_stop"]


def test_stream_without_figures_is_ended_all_the_same() -> None:
    stream = turned(wire([*streamed([({}, [{"text": "Hi"}])])[:-1]]))
    assert broken_rules(stream) == []
    assert b'"input_tokens":1000' in stream.rpartition(b"event: message_delta")[2]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"output":{}}', b"\xff", b'{"output":{"message":{"content":[{"text":1}]}}}'])
def test_whole_answer_that_is_none_is_told(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        ConverseToMessages(CALL).whole(body)


# ── single things
@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("end_turn", "end_turn"),
        ("max_tokens", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("malformed_model_output", "end_turn"),
        ("of_tomorrow", "end_turn"),
    ],
)
def test_reason_to_stop_is_told(reason: str, told: str) -> None:
    assert whole([{"text": "Hi"}], reason)["stop_reason"] == told


def test_answer_that_calls_a_tool_stopped_for_it() -> None:
    assert whole([{"toolUse": {"toolUseId": "t", "name": "n", "input": {}}}], "end_turn")["stop_reason"] == "tool_use"


@pytest.mark.parametrize("reason", ["guardrail_intervened", "content_filtered"])
def test_intervention_is_a_refusal_that_says_whose(reason: str) -> None:
    message = whole([], reason)
    assert message["stop_reason"] == "refusal"
    assert "Amazon Bedrock" in message["stop_details"]["explanation"]


def test_matched_stop_sequence_is_named() -> None:
    assert whole([], "stop_sequence", additionalModelResponseFields={"stop_sequence": "END"})["stop_sequence"] == "END"


def test_matched_stop_sequence_is_named_in_a_stream() -> None:
    stop = {"stopReason": "stop_sequence", "additionalModelResponseFields": {"stop_sequence": "END"}}
    assert read_by_sdk(turned(wire([("messageStop", stop), *closing()[1:]])))["stop_sequence"] == "END"


@pytest.mark.parametrize(
    ("details", "split"),
    [
        (None, (30, 0)),
        ([{"ttl": "1h", "inputTokens": 10}, {"ttl": "5m", "inputTokens": 20}], (20, 10)),
        ([{"ttl": "1h", "inputTokens": 30}], (0, 30)),
        ([{"ttl": "1h", "inputTokens": 99}], (0, 30)),
    ],
)
def test_cache_writes_are_told_by_their_time(details: Any, split: tuple[int, int]) -> None:
    usage = whole([], usage=USAGE | {"cacheReadInputTokens": 4, "cacheWriteInputTokens": 30, "cacheDetails": details})["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]) == (7, 4, 30)
    assert tuple(usage["cache_creation"].values()) == split


def test_tools_that_bedrock_runs_itself_are_not_the_callers() -> None:
    grounding = {"toolUse": {"toolUseId": "t", "name": "grounding", "type": "server_tool_use"}}
    assert whole([grounding | {}, {"text": "Found."}])["content"] == [{"type": "text", "text": "Found."}]
    frames = [("contentBlockStart", {"start": grounding}), ("contentBlockDelta", {"delta": {"toolUse": {"input": "{}"}}}), *closing()]
    assert names(turned(wire(frames))) == ["message_start", "message_delta", "message_stop"]


def test_same_call_gives_the_same_id() -> None:
    assert whole([])["id"] == whole([])["id"] != Given("req_2", "m").message_id


# ── recorded traffic
def recorded(endpoint: str) -> list[bytes]:
    found = [one for one in json.loads((CORPUS / "index.json").read_text()) if (one["endpoint"], one["status"]) == (endpoint, 200)]
    return [(CORPUS / one["response"]).read_bytes() for one in found]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the recorded traffic is not beside this checkout")
def test_recorded_streams_are_good_ones_of_messages() -> None:
    streams = [turned(stream, list(range(0, 9000, 7))) for stream in recorded("converse-stream")]
    assert [broken_rules(stream) for stream in streams] == [[]] * 6
    assert all(read_by_sdk(stream)["usage"]["output_tokens"] > 0 for stream in streams)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the recorded traffic is not beside this checkout")
def test_recorded_answers_are_messages() -> None:
    messages = [json.loads(ConverseToMessages(CALL).whole(answer)) for answer in recorded("converse")]
    assert [message["stop_reason"] for message in messages] == ["refusal", "end_turn", "end_turn", "end_turn"]
    assert all(as_sdk_reads(message)["usage"]["output_tokens"] > 0 for message in messages)
