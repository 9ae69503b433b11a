"""Bedrock's Converse as callers speak it and as its answers are read. R20, R43, R121."""

import json

import pytest

from billing.usage import Usage
from routing.dialects.base import UNCAPPED_OUTPUT, BadBody, PathAsk
from routing.dialects.converse import CONVERSE
from routing.wire.eventstream import Frames
from tests.fakes import bedrock_wire as wire
from tests.fakes.messages import Reply, plain_usage

PATH = PathAsk("us.amazon.nova-micro-v1:0", True)
BLOCKS = (
    {"type": "thinking", "thinking": "Let me think about this one."},
    {"type": "text", "text": "Hello there " * 10},
    {"type": "tool_use", "id": "t1", "name": "Write", "input": {"path": "a"}},
)
REPLY = Reply(model="x", blocks=BLOCKS, usage={**plain_usage(30, 40), "cache_read_input_tokens": 7}, stop_reason="tool_use")


def ask(**fields: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": [{"text": "x"}]}], **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({"inferenceConfig": {"maxTokens": 9}}, 9),
        ({"inferenceConfig": {}}, UNCAPPED_OUTPUT),
        ({}, UNCAPPED_OUTPUT),
        ({"inferenceConfig": {"maxTokens": 9}, "additionalModelRequestFields": {"max_tokens": 900}}, 900),
    ],
)
def test_most_output_is_known(fields: dict[str, object], tokens: int) -> None:
    """R20: also where a model's own field raises the cap."""
    read = CONVERSE.read(ask(**fields), PATH)
    assert (read.model, read.is_stream, read.max_tokens) == ("us.amazon.nova-micro-v1:0", True, tokens)


@pytest.mark.parametrize("limits", [{"maxTokens": "9"}, {"maxTokens": -1}, {"maxTokens": 10**12}, 3])
def test_cap_that_is_no_number_is_refused(limits: object) -> None:
    with pytest.raises(BadBody, match="inferenceConfig"):
        CONVERSE.read(ask(inferenceConfig=limits), PATH)


def test_body_goes_on_as_it_came() -> None:
    body = b'{"messages":[ {"role" : "user","content":[]}],"system":[{"text":"\\u00fc"}]}'
    assert CONVERSE.write(CONVERSE.read(body, PATH), "other") == body


def test_lower_cap_changes_nothing_else() -> None:
    read = CONVERSE.read(ask(inferenceConfig={"temperature": 0.5, "maxTokens": 900}), PATH)
    assert CONVERSE.lower_max_tokens(read, 100)
    assert json.loads(bytes(CONVERSE.write(read, "x")))["inferenceConfig"] == {"temperature": 0.5, "maxTokens": 100}
    assert read.max_tokens == 100


def test_cap_is_not_lowered_into_the_thinking() -> None:
    read = CONVERSE.read(ask(additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": 2000}}), PATH)
    assert not CONVERSE.lower_max_tokens(read, 2000)
    assert not CONVERSE.shows_its_length(read, b"")
    assert CONVERSE.shows_its_length(CONVERSE.read(ask(), PATH), b"")


def test_service_tier_moves_the_price() -> None:
    assert CONVERSE.pricing_hints(CONVERSE.read(ask(serviceTier={"type": "priority"}), PATH)) == {"tier": "priority"}
    assert CONVERSE.pricing_hints(CONVERSE.read(ask(serviceTier=7), PATH)) == {}


def test_stream_is_read_to_its_last_frame() -> None:
    reader = CONVERSE.reader()
    for name, payload in Frames().feed(b"".join(piece.data for piece in wire.converse_frames(REPLY))):
        reader.see(name, payload)
    assert (reader.has_started, reader.has_ended, reader.has_final_usage) == (True, True, True)
    assert (reader.stop_reason, reader.tools) == ("tool_use", ["Write"])
    assert reader.usage() == Usage(30, 7, output_tokens=40)


def test_stream_without_its_figures_has_not_ended() -> None:
    """R60."""
    reader = CONVERSE.reader()
    *frames, _ = list(wire.converse_frames(REPLY))
    for name, payload in Frames().feed(b"".join(piece.data for piece in frames)):
        reader.see(name, payload)
    assert (reader.has_ended, reader.has_final_usage, reader.stop_reason) == (False, False, "tool_use")


def test_bytes_around_a_text_are_told_exactly() -> None:
    """R20: what is left is the text, however the frames are padded."""
    reader, text = CONVERSE.reader(), 0
    for piece in wire.converse_frames(REPLY):
        for name, payload in Frames().feed(piece.data):
            text += (len(piece.data) - reader.frame_bytes) if reader.see(name, payload) else 0
    said = len("Let me think about this one.") + len("Hellothere" * 10) + len('{"path": "a"}')
    assert said <= text < 2 * said


def test_whole_answer_is_read() -> None:
    reader = CONVERSE.reader()
    assert reader.see_whole(wire.converse_body(REPLY), [])
    assert (reader.has_ended, reader.stop_reason, reader.tools) == (True, "tool_use", ["Write"])
    assert reader.usage() == Usage(30, 7, output_tokens=40)


def test_cache_writes_are_told_by_how_long_they_last() -> None:
    reader = CONVERSE.reader()
    usage = {"inputTokens": 3, "outputTokens": 61, "cacheWriteInputTokens": 297, "cacheDetails": [{"ttl": "1h", "inputTokens": 97}]}
    reader.see_whole(json.dumps({"usage": usage, "output": {"message": {"content": []}}}).encode(), [])
    assert reader.usage() == Usage(3, 0, 200, 97, 61)


def test_exception_is_the_streams_error() -> None:
    reader = CONVERSE.reader()
    reader.see("modelStreamErrorException", b'{"message":"Broke"}')
    assert reader.error is not None
    assert (reader.error.type, reader.error.message) == ("api_error", "Broke")


@pytest.mark.parametrize("data", [b"", b"oops", b"[]", b'{"usage":{"inputTokens":"x"}}', b'{"delta":3}'])
def test_rubbish_is_passed_over(data: bytes) -> None:
    """R51."""
    reader = CONVERSE.reader()
    assert reader.see("metadata", data) is False
    assert reader.usage() == Usage()
