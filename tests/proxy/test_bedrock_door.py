"""The entrance of Bedrock's clients, and Bedrock behind other entrances: bytes, figures, refusals. R43, R50, R60, R61, R121, R136, R140."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import boto3
import pytest
from anthropic import AnthropicBedrock
from botocore.config import Config
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError

from keys.snapshot import ModelList
from proxy.limits import Limits
from routing.providers.aws_access import open_aws
from routing.snapshot import DeploymentSnapshot
from routing.wire import sse
from tests.fakes import bedrock_wire as wire
from tests.fakes.bedrock import API_KEY, KEY_ID, REGION, SECRET
from tests.fakes.script import CACHED_USAGE, Answer
from tests.proxy.bedrock_rig import ARN, ASK, BEARER, CONVERSATION, NEW, NOVA, OLD, TITAN, WAYS, BedrockRig, bedrock_behind, runtime
from tests.proxy.door import know, plane, summary
from tests.proxy.house import House
from tests.proxy.rig import ALICE
from tests.proxy.talk import HEADERS, ask
from tests.proxy.test_budget import row

EVENT_NAMES = ["message_start", "content_block_start", *["content_block_delta"] * 3, "content_block_stop", "message_delta", "message_stop"]


@pytest.fixture
def bedrock(house: House, limits: Limits) -> Iterator[BedrockRig]:
    with bedrock_behind(house.rig(limits)) as served:
        yield served


def frames(stream: bytes) -> list[dict[str, Any]]:
    """Messages events in frames, as botocore reads them."""
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return [json.loads(base64.b64decode(json.loads(message.payload)["bytes"])) for message in buffer]


# ── the door itself
@pytest.mark.parametrize(
    "written",
    [
        OLD,
        OLD.replace(":", "%3A"),
        OLD.replace(":", "%3a"),
        "claude-by-invoke",
        ARN.replace("/", "%2F"),
        ARN.replace(":", "%3A").replace("/", "%2F"),
    ],
)
def test_model_is_found_however_its_id_is_written(bedrock: BedrockRig, written: str) -> None:
    """R140."""
    answer = bedrock.post(f"/bedrock/model/{written}/invoke", ASK)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"][0]["text"] == "Hello from the fake provider."
    assert bedrock.fake.problems() == []


@pytest.mark.parametrize(
    "path",
    [
        "/bedrock/model/../invoke", "/bedrock/model/%2e%2e/invoke", "/bedrock/model//invoke", "/bedrock/model/a%5Cb/invoke",
        "/bedrock/model/a%00/invoke", "/bedrock/model/a/b/invoke", "/bedrock/model/x/delete", "/bedrock/foundation-models",
        "/bedrock/model/invoke",
    ],
)  # fmt: skip
def test_path_that_is_not_on_the_list_leads_nowhere(bedrock: BedrockRig, path: str) -> None:
    """R140."""
    answer = bedrock.post(path, ASK)
    assert answer.status_code in {400, 404}
    assert not bedrock.fake.seen


def test_method_that_is_not_on_the_list_is_refused(bedrock: BedrockRig) -> None:
    answer = bedrock.get(f"/bedrock/model/{OLD}/invoke")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_body_passes_byte_for_byte(bedrock: BedrockRig) -> None:
    """R50."""
    body = b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[ {"role" : "user","content":"\\u00fc  "} ]}'
    assert bedrock.post(f"/bedrock/model/{OLD}/invoke", body).status_code == 200
    sent = bedrock.fake.seen[-1].body
    assert sorted(json.loads(sent).items()) == sorted(json.loads(body).items())
    assert b'[ {"role" : "user","content":"\\u00fc  "} ]' in sent


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_stream_passes_byte_for_byte(bedrock: BedrockRig, size: int) -> None:
    """R50: padding, checksums and all."""
    stream = b"".join(wire.chunk_frame(json.dumps({"type": name}).encode()) for name in ("message_start", "message_stop"))
    bedrock.fake.script(Answer(body=stream, content_type=wire.EVENTSTREAM, chunk_size=size))
    answer = bedrock.post(f"/bedrock/model/{OLD}/invoke-with-response-stream", ASK)
    assert answer.content == stream
    assert answer.headers["content-type"] == wire.EVENTSTREAM


def test_guardrail_headers_go_along_and_keys_do_not(bedrock: BedrockRig) -> None:
    """R136."""
    headers = {
        **BEARER,
        "x-amzn-bedrock-guardrailidentifier": "g1",
        "x-api-key": "sk-ant-foreign",
        "cookie": "a=b",
        "x-amz-security-token": "t",
    }
    bedrock.post(f"/bedrock/model/{OLD}/invoke", ASK, headers)
    seen = bedrock.fake.seen[-1]
    assert seen.header("x-amzn-bedrock-guardrailidentifier") == "g1"
    assert seen.header("authorization") == f"Bearer {API_KEY}"
    assert [seen.header(name) for name in ("x-api-key", "cookie", "x-amz-security-token")] == [None] * 3


@pytest.mark.parametrize("path", ["invoke", "invoke-with-response-stream"])
def test_call_is_on_record_with_its_cost(bedrock: BedrockRig, path: str) -> None:
    """R43."""
    bedrock.fake.script(Answer(usage=CACHED_USAGE))
    bedrock.post(f"/bedrock/model/{OLD}/{path}", ASK)
    record = summary(bedrock.rig)
    assert (record.provider, record.outcome, record.is_unpriced, record.is_estimated) == ("bedrock", "ok", False, False)
    assert (record.input_tokens, record.cache_read_tokens, record.output_tokens) == (40, 5000, 60)
    assert record.cost_nano == sum(line.amount_nano for line in record.price_lines)


@pytest.mark.parametrize("verb", ["converse", "converse-stream"])
def test_conversation_is_on_record_with_its_cost(bedrock: BedrockRig, verb: str) -> None:
    """R43."""
    answer = bedrock.post(f"/bedrock/model/{NOVA}/{verb}", CONVERSATION)
    record = summary(bedrock.rig)
    assert answer.status_code == 200
    assert (record.output_tokens, record.outcome, record.stop_reason) == (12, "ok", "end_turn")
    assert record.cost_nano == record.input_tokens * 35 + 12 * 140


@pytest.mark.parametrize("verb", ["invoke", "invoke-with-response-stream"])
def test_other_models_body_is_on_record_with_its_cost(bedrock: BedrockRig, verb: str) -> None:
    """R43: from headers, or from the figures beside the last event."""
    body = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {"maxTokens": 9}}
    assert bedrock.post(f"/bedrock/model/{NOVA}/{verb}", body).status_code == 200
    record = summary(bedrock.rig)
    assert (record.output_tokens, record.is_estimated, record.cost_nano) == (12, False, record.input_tokens * 35 + 12 * 140)


def test_model_without_a_price_is_refused_where_a_budget_would_have_to_bound_it(bedrock: BedrockRig) -> None:
    """R143."""
    bedrock.rig.gateway.budget(row(amount=10**12))
    bedrock.route("unheard.of-v1:0", replace(bedrock.deployment, model="unheard.of-v1:0"))
    answer = bedrock.post("/bedrock/model/unheard.of-v1:0/invoke", {"inputText": "Hello"})
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (403, "price_unknown")
    assert not bedrock.fake.seen


def test_embedding_costs_what_goes_in(bedrock: BedrockRig) -> None:
    answer = bedrock.post(f"/bedrock/model/{TITAN}/invoke", {"inputText": "Hello"})
    assert answer.json()["embedding"] == [0.25, -0.5]
    assert summary(bedrock.rig).cost_nano == summary(bedrock.rig).input_tokens * 20


def test_model_that_is_not_open_to_the_key_is_refused_by_the_path(bedrock: BedrockRig) -> None:
    know(bedrock.rig, "narrow", model_lists=(ModelList(frozenset({"claude-sonnet"})),))
    answer = bedrock.post(f"/bedrock/model/{OLD}/invoke", ASK, {"authorization": "Bearer sk-narrow"})
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
    assert "not open to key narrow" in answer.json()["message"]


def test_call_without_a_key_is_told_so_in_awss_words(bedrock: BedrockRig) -> None:
    answer = bedrock.post(f"/bedrock/model/{OLD}/invoke", ASK, {})
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (401, "UnrecognizedClientException")
    assert "No key was sent" in answer.json()["message"]


def test_refusal_of_bedrock_passes_as_it_came(bedrock: BedrockRig) -> None:
    bedrock.fake.script(wire.THROTTLED)
    answer = bedrock.post(f"/bedrock/model/{OLD}/invoke", ASK)
    assert (answer.status_code, answer.content) == (429, wire.THROTTLED.body)
    assert answer.headers["x-amzn-errortype"].startswith("ThrottlingException:")


def test_cut_stream_ends_with_an_exception_frame(bedrock: BedrockRig) -> None:
    """R60."""
    bedrock.fake.script(Answer(fault="end", fault_after=3))
    answer = bedrock.post(f"/bedrock/model/{OLD}/invoke-with-response-stream", ASK)
    buffer = EventStreamBuffer()
    buffer.add_data(answer.content)
    assert list(buffer)[-1].headers[":message-type"] == "exception"
    assert summary(bedrock.rig).is_estimated


# ── what Claude Code asks first
def test_profiles_are_those_that_the_caller_may_call(bedrock: BedrockRig) -> None:
    know(bedrock.rig, "narrow", model_lists=(ModelList(frozenset({OLD})),))
    rows = bedrock.get("/bedrock/inference-profiles?type=SYSTEM_DEFINED", {"authorization": "Bearer sk-narrow"}).json()
    (row,) = rows["inferenceProfileSummaries"]
    assert (row["inferenceProfileId"], row["status"], row["type"]) == (OLD, "ACTIVE", "SYSTEM_DEFINED")
    assert row["models"] == [{"modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"}]


@pytest.mark.parametrize("written", [ARN, ARN.replace(":", "%3A").replace("/", "%2F")])
def test_profile_behind_an_arn_names_its_model(bedrock: BedrockRig, written: str) -> None:
    bedrock.route(ARN, replace(bedrock.deployment, model=ARN, base_model="anthropic.claude-opus-5-5"))
    found = bedrock.get(f"/bedrock/inference-profiles/{written}").json()
    assert (found["inferenceProfileArn"], found["type"]) == (ARN, "APPLICATION")
    assert found["models"][0]["modelArn"].endswith("foundation-model/anthropic.claude-opus-5-5")


def test_profile_that_is_not_there_is_not_found_in_awss_words(bedrock: BedrockRig) -> None:
    answer = bedrock.get("/bedrock/inference-profiles/nobody.x")
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")


def test_profiles_are_shown_to_nobody_without_a_key(bedrock: BedrockRig) -> None:
    assert bedrock.get("/bedrock/inference-profiles", {}).status_code == 401


def packed(body: dict[str, Any]) -> dict[str, Any]:
    return {"input": {"invokeModel": {"body": base64.b64encode(json.dumps(body).encode()).decode()}}}


@pytest.mark.parametrize("model", [OLD, "anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-by-invoke"])
def test_tokens_are_counted_for_nothing(bedrock: BedrockRig, model: str) -> None:
    answer = bedrock.post(f"/bedrock/model/{model}/count-tokens", packed(ASK))
    assert (answer.status_code, answer.json()["inputTokens"] > 0) == (200, True), answer.text
    assert bedrock.fake.problems() == []
    assert summary(bedrock.rig).cost_nano in {None, 0}


def test_count_by_anthropics_name_is_asked_of_bedrock_and_the_other_way_round(bedrock: BedrockRig) -> None:
    by_bedrock = bedrock.post("/v1/messages/count_tokens", ask("claude-by-invoke"), HEADERS)
    by_anthropic = bedrock.post("/bedrock/model/claude-sonnet/count-tokens", packed(ASK))
    assert by_bedrock.json().keys() == {"input_tokens"}
    assert by_anthropic.json().keys() == {"inputTokens"}


# ── signatures
def signed_by_us(bedrock: BedrockRig, model: str = OLD, **changes: Any) -> DeploymentSnapshot:
    fields = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET}
    unsigned = replace(bedrock.deployment, model=model, secret="", **changes)
    return replace(unsigned, access=open_aws(fields, unsigned))


@pytest.mark.parametrize(
    ("model", "way", "service"), [(OLD, "invoke", "bedrock"), (NEW, "messages", "bedrock"), (NEW, "mantle", "bedrock-mantle")]
)
def test_call_is_signed_for_the_bytes_that_go_out(bedrock: BedrockRig, model: str, way: str, service: str) -> None:
    """R142."""
    bedrock.route("claude-signed", signed_by_us(bedrock, model, api=way))
    answer = bedrock.post("/v1/messages?beta=true", ask("claude-signed"), HEADERS)
    assert answer.status_code == 200, answer.text
    assert bedrock.fake.services == [service]


@pytest.mark.parametrize("verb", ["invoke", "converse-stream", "count-tokens"])
def test_colon_in_a_signed_path_is_escaped_as_aws_expects(bedrock: BedrockRig, verb: str) -> None:
    """R142."""
    bedrock.route(OLD, signed_by_us(bedrock))
    bodies: dict[str, Any] = {"invoke": ASK, "converse-stream": CONVERSATION, "count-tokens": packed(ASK)}
    assert bedrock.post(f"/bedrock/model/{OLD}/{verb}", bodies[verb]).status_code == 200
    assert bedrock.fake.services == ["bedrock"]


# ── a Messages client by each of Bedrock's ways
@pytest.mark.parametrize("way", sorted(WAYS))
def test_messages_client_is_served_by_each_way(bedrock: BedrockRig, way: str) -> None:
    answer = bedrock.post("/v1/messages", ask(f"claude-by-{way}"), HEADERS)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"] == [{"type": "text", "text": "Hello from the fake provider."}]
    assert (summary(bedrock.rig).output_tokens, summary(bedrock.rig).outcome) == (12, "ok")


def test_answer_that_is_turned_round_is_asked_for_plain(bedrock: BedrockRig) -> None:
    """R66"""
    bedrock.post("/v1/messages", ask("claude-by-converse"), {**HEADERS, "accept-encoding": "gzip"})
    assert bedrock.fake.seen[-1].header("accept-encoding") == "identity"


@pytest.mark.parametrize("way", sorted(WAYS))
def test_messages_client_gets_a_stream_of_events_by_each_way(bedrock: BedrockRig, way: str) -> None:
    answer = bedrock.post("/v1/messages", ask(f"claude-by-{way}", stream=True), HEADERS)
    assert answer.headers["content-type"].startswith("text/event-stream")
    names = dict.fromkeys(name for name, _ in sse.events(answer.content) if name != "ping")
    assert list(names) == list(dict.fromkeys(EVENT_NAMES))
    assert wire.METRICS.encode() not in answer.content
    assert summary(bedrock.rig).output_tokens == 12


def test_exception_frame_reaches_a_messages_client_as_an_event(bedrock: BedrockRig) -> None:
    """R61."""
    bedrock.fake.script(Answer(fault="error", fault_after=4))
    answer = bedrock.post("/v1/messages", ask("claude-by-invoke", stream=True), HEADERS)
    *_, (name, data) = sse.events(answer.content)
    assert (name, json.loads(data)["error"]["type"]) == ("error", "rate_limit_error")
    assert summary(bedrock.rig).error_code == "rate_limit_error"


@pytest.mark.parametrize(
    ("refusal", "status", "kind", "words"),
    [
        (wire.THROTTLED, 429, "rate_limit_error", "Too many tokens"),
        (wire.DENIED, 403, "permission_error", "don't have access"),
        (wire.OVERLONG, 400, "invalid_request_error", "prompt is too long"),
    ],
)
def test_refusal_of_bedrock_is_told_in_anthropics_words(bedrock: BedrockRig, refusal: Answer, status: int, kind: str, words: str) -> None:
    bedrock.fake.script(refusal)
    answer = bedrock.post("/v1/messages", ask("claude-by-invoke"), HEADERS)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert words in answer.json()["error"]["message"]
    assert "x-amzn-errortype" not in answer.headers


def test_model_that_wants_a_profile_is_told_with_bedrocks_words(bedrock: BedrockRig) -> None:
    bedrock.route("claude-bare", replace(bedrock.deployment, model="anthropic.claude-sonnet-4-5-20250929-v1:0"))
    answer = bedrock.post("/v1/messages", ask("claude-bare"), HEADERS)
    assert answer.status_code == 400
    assert "on-demand throughput" in answer.json()["error"]["message"]


def test_throttled_bedrock_gives_way_to_anthropic(bedrock: BedrockRig) -> None:
    bedrock.fake.script(wire.THROTTLED)
    bedrock.route("claude-both", replace(bedrock.deployment, model=OLD), replace(bedrock.rig.deployment, model="claude-sonnet-4-5"))
    answer = bedrock.post("/bedrock/model/claude-both/invoke-with-response-stream", ASK)
    assert [event["type"] for event in frames(answer.content)] == EVENT_NAMES
    assert [attempt.provider for attempt in summary(bedrock.rig).attempts] == ["bedrock", "anthropic"]


def test_what_converse_was_not_told_is_told_of_that_attempt_alone(bedrock: BedrockRig) -> None:
    converse = replace(bedrock.deployment, model=OLD, api="converse")
    bedrock.route("claude-lossy", converse, replace(bedrock.rig.deployment, model="claude-sonnet-4-5"))
    fields = ask("claude-lossy") | {"metadata": {"user_id": '"'}}
    assert bedrock.post("/v1/messages", fields, HEADERS).headers["x-tallygate-lost"] == "metadata"
    bedrock.fake.script(wire.THROTTLED)
    assert "x-tallygate-lost" not in bedrock.post("/v1/messages", fields, HEADERS).headers
    first, second = bedrock.rig.gateway.closings(2)
    assert [note.left_out for entry in (first, second) for note in entry.summary.attempts] == [["metadata"], ["metadata"], []]


# ── a client in Bedrock mode served by Anthropic
def test_bedrock_client_is_served_by_anthropic(bedrock: BedrockRig) -> None:
    headers = {**BEARER, "anthropic-beta": "claude-code-20250219"}
    answer = bedrock.post("/bedrock/model/claude-sonnet/invoke", {**ASK, "anthropic_beta": ["interleaved-thinking-2025-05-14"]}, headers)
    assert answer.json()["type"] == "message"
    seen = bedrock.rig.fake.seen[-1]
    assert seen.json() == {"model": "claude-sonnet-4-5-20250929", "max_tokens": 50, "messages": ASK["messages"]}
    assert "interleaved-thinking-2025-05-14" in str(seen.header("anthropic-beta"))
    assert bedrock.rig.fake.problems() == []


def test_bedrock_client_gets_frames_with_figures_from_anthropic(bedrock: BedrockRig) -> None:
    answer = bedrock.post("/bedrock/model/claude-sonnet/invoke-with-response-stream", ASK)
    assert answer.headers["content-type"] == wire.EVENTSTREAM
    events = frames(answer.content)
    assert [event["type"] for event in events] == EVENT_NAMES
    assert events[-1][wire.METRICS]["outputTokenCount"] == 12
    assert summary(bedrock.rig).output_tokens == 12


# ── the vendors' own clients
@pytest.fixture
def client(bedrock: BedrockRig) -> Iterator[Any]:
    with closing(runtime(bedrock.rig.url)) as opened:
        yield opened


def test_boto3_invokes_a_model(bedrock: BedrockRig, client: Any) -> None:
    answer = client.invoke_model(modelId=OLD, body=json.dumps(ASK))
    assert json.loads(answer["body"].read())["usage"]["output_tokens"] == 12


@pytest.mark.parametrize("model", [OLD, "claude-sonnet"])
def test_boto3_reads_a_stream(bedrock: BedrockRig, client: Any, model: str) -> None:
    answer = client.invoke_model_with_response_stream(modelId=model, body=json.dumps(ASK))
    events = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert [event["type"] for event in events] == EVENT_NAMES


def test_boto3_converses(bedrock: BedrockRig, client: Any) -> None:
    answer = client.converse(modelId=NOVA, **CONVERSATION)
    assert answer["output"]["message"]["content"] == [{"text": "Hello from the fake provider."}]
    assert answer["usage"]["outputTokens"] == 12


def test_boto3_converses_in_a_stream(bedrock: BedrockRig, client: Any) -> None:
    events = list(client.converse_stream(modelId=ARN, **CONVERSATION)["stream"])
    assert [next(iter(event)) for event in events[-2:]] == ["messageStop", "metadata"]


def test_boto3_counts_tokens(bedrock: BedrockRig, client: Any) -> None:
    body = {"invokeModel": {"body": json.dumps(ASK).encode()}}
    assert client.count_tokens(modelId="anthropic.claude-sonnet-4-5-20250929-v1:0", input=body)["inputTokens"] > 0


def test_boto3_raises_the_exception_that_it_knows(bedrock: BedrockRig, client: Any) -> None:
    bedrock.fake.script(wire.THROTTLED)
    with pytest.raises(client.exceptions.ThrottlingException, match="Too many tokens"):
        client.invoke_model(modelId=OLD, body=json.dumps(ASK))


def test_boto3_raises_inside_a_stream(bedrock: BedrockRig, client: Any) -> None:
    """R61."""
    bedrock.fake.script(Answer(fault="error", fault_after=4))
    answer = client.invoke_model_with_response_stream(modelId=OLD, body=json.dumps(ASK))
    with closing(answer["body"]) as body, pytest.raises(EventStreamError, match="Too many requests"):
        list(body)


def test_signed_client_is_told_which_variable_to_set(bedrock: BedrockRig) -> None:
    config = Config(retries={"total_max_attempts": 1})
    names = {"aws_access_key_id": "AKIAX", "aws_secret_access_key": "x", "region_name": REGION}
    opened = boto3.client("bedrock-runtime", endpoint_url=f"{bedrock.rig.url}/bedrock", config=config, **names)
    with closing(opened) as client, pytest.raises(ClientError, match="AWS_BEARER_TOKEN_BEDROCK"):
        client.invoke_model(modelId=OLD, body=json.dumps(ASK))


def test_access_key_id_opens_where_the_operator_says_so(bedrock: BedrockRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plane(bedrock.rig), "takes_aws_key_ids", True)
    names = {"aws_access_key_id": ALICE, "aws_secret_access_key": "x", "region_name": REGION}
    opened = boto3.client("bedrock-runtime", endpoint_url=f"{bedrock.rig.url}/bedrock", **names)
    with closing(opened) as client:
        assert json.loads(client.invoke_model(modelId=OLD, body=json.dumps(ASK))["body"].read())["type"] == "message"
    assert all(ALICE not in str(seen.headers) for seen in bedrock.fake.seen)


@pytest.mark.parametrize("model", [OLD, NEW, "claude-sonnet"])
def test_anthropics_bedrock_client_streams(bedrock: BedrockRig, model: str) -> None:
    opened = AnthropicBedrock(api_key=ALICE, aws_region=REGION, base_url=f"{bedrock.rig.url}/bedrock")
    asked: Any = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
    with opened as client, client.messages.stream(**asked) as stream:
        message = stream.get_final_message()
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 12)
    assert bedrock.fake.problems() == []
