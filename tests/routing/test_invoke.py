"""Bedrock's InvokeModel as callers speak it and as its answers are read: Claude's, and any other model's. R43, R119, R121."""

import base64
import json

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import EventStreamJSONParser

from billing.usage import Usage
from routing.dialects.base import UNCAPPED_OUTPUT, BadBody, PathAsk
from routing.dialects.invoke import COUNT_TOKENS, INVOKE, packed
from routing.dialects.invoke_other import INVOKE_OTHER
from routing.dialects.messages import MESSAGES
from routing.wire.eventstream import Frames
from tests.fakes import bedrock_wire as wire
from tests.fakes.messages import Piece, Reply, plain_usage, stream_pieces

PATH = PathAsk("us.anthropic.claude-opus-5-5", True)
BODY = b'{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a-1"],"max_tokens":9,"messages":[ {"role" :"user","content":"x"}]}'
USAGE = {**plain_usage(30, 40), "cache_read_input_tokens": 7}
REPLY = Reply(model="claude-opus-5-5", blocks=({"type": "text", "text": "Hello there " * 20},), usage=USAGE, deltas=20)


def claude_frames() -> list[Piece]:
    return list(wire.claude_frames(stream_pieces(REPLY), USAGE, "1"))


def test_model_and_stream_come_from_the_path() -> None:
    ask = INVOKE.read(BODY, PATH)
    assert (ask.model, ask.is_stream, ask.max_tokens) == ("us.anthropic.claude-opus-5-5", True, 9)


def test_body_goes_on_as_it_came() -> None:
    assert INVOKE.write(INVOKE.read(BODY, PATH), "other") == BODY


def test_wrapping_is_taken_off_for_anthropic_and_put_on_for_bedrock() -> None:
    sent = bytes(MESSAGES.write(INVOKE.read(BODY, PATH), "claude-opus-5-5"))
    assert json.loads(sent) == {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "stream": True}
    back = INVOKE.write(MESSAGES.read(sent), "us.anthropic.claude-opus-5-5")
    assert json.loads(back) == {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}


@pytest.mark.parametrize("name", ["model", "stream"])
def test_what_stands_in_the_path_is_refused_in_the_body(name: str) -> None:
    """R121."""
    with pytest.raises(BadBody, match=name):
        INVOKE.read(BODY.replace(b'"max_tokens"', b'"%b":"x","max_tokens"' % name.encode()), PATH)


@pytest.mark.parametrize(("body", "words"), [(b"{", "JSON"), (b"{}", "messages"), (b'{"messages":[]}', "max_tokens"), (b"[]", "JSON")])
def test_unfit_body_is_refused_in_words(body: bytes, words: str) -> None:
    with pytest.raises(BadBody, match=words):
        INVOKE.read(body, PATH)


def test_claudes_stream_is_read_to_its_end() -> None:
    reader = INVOKE.reader()
    for name, payload in Frames().feed(b"".join(piece.data for piece in claude_frames())):
        reader.see(name, payload)
    assert (reader.has_ended, reader.has_final_usage, reader.stop_reason) == (True, True, "end_turn")
    assert reader.usage() == Usage(30, 7, output_tokens=40, service_tier="standard", inference_geo="global")


def test_bytes_around_a_text_are_told_exactly() -> None:
    """R20: what is left is the text, however the frames are padded."""
    reader, text = INVOKE.reader(), 0
    for piece in claude_frames():
        for name, payload in Frames().feed(piece.data):
            text += (len(piece.data) - reader.frame_bytes) if reader.see(name, payload) else 0
    assert len("Hello there " * 20) <= text < 2 * len("Hello there " * 20)


def test_hidden_thinking_counts_by_the_length_that_it_tells() -> None:
    event = b'{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"","estimated_tokens":1000}}'
    frame = wire.chunk_frame(event)
    reader = INVOKE.reader()
    ((name, payload),) = Frames().feed(frame)
    assert reader.see(name, payload)
    assert len(frame) - reader.frame_bytes >= 2500


def test_exception_is_the_streams_error() -> None:
    reader = INVOKE.reader()
    reader.see("throttlingException", b'{"message":"Too many"}')
    assert reader.error is not None
    assert (reader.error.type, reader.error.message) == ("rate_limit_error", "Too many")


@pytest.mark.parametrize("name, payload", [("chunk", b"oops"), ("chunk", b'{"bytes":"%%"}'), ("initial-response", b"{}"), ("", b"")])
def test_rubbish_is_passed_over(name: str, payload: bytes) -> None:
    """R51."""
    reader = INVOKE.reader()
    assert reader.see(name, payload) is False
    assert reader.error is None


def test_betas_in_the_body_tell_that_length_is_shown() -> None:
    thinking = b'{"anthropic_beta":["thinking-token-count-2026-05-13"],"thinking":{"type":"adaptive","display":"omitted"},'
    ask = INVOKE.read(BODY.replace(b"{", thinking, 1).replace(b'"anthropic_beta":["a-1"],', b""), PATH)
    assert INVOKE.shows_its_length(ask, b"")


# ── other models
@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({"inputText": "x", "textGenerationConfig": {"maxTokenCount": 77}}, 77),
        ({"inputText": "x", "textGenerationConfig": {}}, UNCAPPED_OUTPUT),
        ({"messages": [], "inferenceConfig": {"maxTokens": 12}}, 12),
        ({"messages": [], "inferenceConfig": {"max_new_tokens": 13}}, 13),
        ({"prompt": "x", "max_gen_len": 14}, 14),
        ({"prompt": "x", "max_tokens": 15}, 15),
        ({"message": "x"}, UNCAPPED_OUTPUT),
        ({"inputText": "x"}, 0),
        ({"texts": ["x"], "input_type": "search_query"}, 0),
    ],
)
def test_most_output_that_a_model_may_make_is_known(body: dict[str, object], tokens: int) -> None:
    """R20: what is no embedding is held for some output."""
    assert INVOKE_OTHER.read(json.dumps(body).encode(), PathAsk("amazon.x", False)).max_tokens == tokens


@pytest.mark.parametrize("body", [b'{"max_tokens":-1}', b'{"max_tokens":"9"}', b'{"inferenceConfig":3}', b'{"max_tokens":1e99}'])
def test_cap_that_is_no_number_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        INVOKE_OTHER.read(body, PathAsk("amazon.x", False))


def test_whole_answer_is_counted_by_its_headers() -> None:
    reader = INVOKE_OTHER.reader()
    headers = [
        (name.encode(), value.encode())
        for name, value in wire.token_headers({"input_tokens": 3, "output_tokens": 44, "cache_read_input_tokens": 9511})
    ]
    assert reader.see_whole(b'{"outputs":[{"text":"x"}]}', headers)
    assert reader.usage() == Usage(3, 9511, output_tokens=44)
    assert (reader.has_ended, reader.has_final_usage) == (True, True)


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (b'{"embedding":[0.1],"inputTextTokenCount":8}', Usage(8)),
        (b'{"inputTextTokenCount":8,"results":[{"tokenCount":5,"outputText":"x"}]}', Usage(8, output_tokens=5)),
    ],
)
def test_titan_tells_in_its_body_where_no_header_does(body: bytes, usage: Usage) -> None:
    reader = INVOKE_OTHER.reader()
    assert reader.see_whole(body, [])
    assert reader.usage() == usage


def test_answer_that_was_cut_off_has_not_ended() -> None:
    """R60."""
    reader = INVOKE_OTHER.reader()
    assert reader.see_whole(b'{"outputs":[{"te', [])
    assert not reader.has_ended


def test_figures_beside_the_last_event_end_a_stream() -> None:
    reader = INVOKE_OTHER.reader()
    frames = b"".join(piece.data for piece in wire.nova_frames(REPLY))
    content = [reader.see(name, payload) for name, payload in Frames().feed(frames)]
    assert (reader.has_ended, reader.has_final_usage) == (True, True)
    assert reader.usage() == Usage(30, 7, output_tokens=40)
    assert sum(content) > 20


def test_claude_read_as_any_model_still_counts_by_its_own_usage() -> None:
    reader = INVOKE_OTHER.reader()
    frames = list(wire.claude_frames(stream_pieces(REPLY), {**USAGE, "output_tokens": 20}, "1"))
    for name, payload in Frames().feed(b"".join(piece.data for piece in frames)):
        reader.see(name, payload)
    assert reader.usage().output_tokens == 40
    assert reader.has_ended


# ── counting
def test_packed_body_is_read_for_a_count() -> None:
    ask = COUNT_TOKENS.read(packed(BODY), PathAsk("anthropic.claude-opus-5-5", False), counts_only=True)
    assert (ask.model, ask.max_tokens) == ("anthropic.claude-opus-5-5", 0)
    assert json.loads(bytes(MESSAGES.write(ask, "claude-opus-5-5")))["messages"] == [{"role": "user", "content": "x"}]


def test_packing_is_what_botos_clients_do() -> None:
    assert json.loads(packed(BODY)) == {"input": {"invokeModel": {"body": base64.b64encode(BODY).decode()}}}


def test_conversation_to_count_goes_on_as_it_came() -> None:
    body = b'{"input":{"converse":{"messages":[]}}}'
    assert COUNT_TOKENS.write(COUNT_TOKENS.read(body, PATH), "x") == body


@pytest.mark.parametrize("body", [b"{}", b'{"input":{}}', b'{"input":{"invokeModel":{"body":"%"}}}', b'{"input":3}', packed(b"{}")])
def test_nothing_to_count_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        COUNT_TOKENS.read(body, PATH)


# ── errors
@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        (429, "rate_limit_error", "ThrottlingException"),
        (429, "billing_error", "ServiceQuotaExceededException"),
        (403, "", "AccessDeniedException"),
        (400, "", "ValidationException"),
        (503, "", "ServiceUnavailableException"),
        (502, "", "InternalServerException"),
    ],
)
def test_refusal_has_the_name_that_aws_clients_know(status: int, kind: str, name: str) -> None:
    assert (b"x-amzn-errortype", name.encode()) in INVOKE.error_headers(status, kind)
    assert json.loads(INVOKE.error_body(status, "Your side.", "req_1", error_type=kind)) == {"message": "Your side."}


@pytest.mark.parametrize("shape", ["ResponseStream", "ConverseStreamOutput"])
@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        (529, "", "serviceUnavailableException"),
        (503, "api_error", "internalServerException"),
        (504, "", "modelStreamErrorException"),
        (429, "", "throttlingException"),
        (429, "billing_error", "validationException"),
        (403, "", "validationException"),
        (499, "", "validationException"),
        (502, "", "internalServerException"),
    ],
)
def test_refusal_inside_a_stream_is_a_frame_whose_message_botocore_reads(shape: str, status: int, kind: str, name: str) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(INVOKE.error_event(status, "Your side.", "req_1", error_type=kind))
    model = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))
    parsed = EventStreamJSONParser().parse(buffer.next().to_response_dict(), model.shape_for(shape))
    assert parsed["Error"] == {"Code": name, "Message": "Your side."}


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (429, "ThrottlingException:http://internal.amazon.com/", (429, "rate_limit_error")),
        (429, "ModelNotReadyException", (429, "rate_limit_error")),
        (503, "ServiceUnavailableException", (529, "overloaded_error")),
        (424, "ModelErrorException", (500, "api_error")),
        (408, "ModelTimeoutException", (504, "timeout_error")),
        (403, "UnrecognizedClientException", (500, "api_error")),
        (403, "com.amazon.coral#AccessDeniedException", (403, "permission_error")),
        (404, "", (404, "not_found_error")),
        (418, "", (418, "invalid_request_error")),
    ],
)
def test_awss_errors_are_told_in_anthropics_words(status: int, name: str, expected: tuple[int, str]) -> None:
    told = INVOKE.read_error(status, [(b"x-amzn-errortype", name.encode())], b'{"message":"Why"}')
    assert (told.status, told.kind, told.message) == (*expected, "Why")


def test_too_long_a_prompt_is_told_in_the_words_that_make_claude_code_compact() -> None:
    told = INVOKE.read_error(400, [], b'{"message":"Input is too long for requested model."}')
    assert told.message.startswith("prompt is too long")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message":3}'])
def test_unreadable_error_is_told_by_its_status(body: bytes) -> None:
    assert INVOKE.read_error(503, [], body).kind == "overloaded_error"
