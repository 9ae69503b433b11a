"""LiteLLM's own fields of a call: tags and end users reach the record, test fields act only where the operator wants it."""

import json
from dataclasses import replace
from typing import Any

import anthropic
import httpx
import openai
import pytest

from routing.snapshot import RouteSnapshot, RouteTable, Target
from tests.fakes.provider import FakeProvider
from tests.proxy.door import check_refusal, plane, send, summary
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import HEADERS, PATIENCE_S
from tests.proxy.test_budget import row

MOCKED: dict[str, Any] = {"mock_response": "Not from a model"}
HELLO: Any = [{"role": "user", "content": "Hello"}]
TOOL = {"id": "call_7", "type": "function", "function": {"name": "Read", "arguments": '{"path": "a"}'}}


@pytest.fixture
def mocking(rig: Rig) -> Rig:
    plane(rig).takes_test_fields = True
    return rig


def sent(fake: FakeProvider) -> dict[str, Any]:
    return dict(json.loads(fake.seen[-1].body))


def fall_back(rig: Rig, kind: str = "fallbacks") -> None:
    """claude-first stands before claude-second, both at the provider."""
    usual = (Target(replace(rig.deployment, model="claude-sonnet-4-5-20250929")),)
    fallbacks: dict[str, Any] = {kind: ("claude-second",)}
    routes = [RouteSnapshot("claude-first", usual, retries=2, **fallbacks), RouteSnapshot("claude-second", usual)]
    plane(rig).snapshot = replace(plane(rig).snapshot, routes=RouteTable.of(routes))


@pytest.mark.parametrize(
    ("fields", "tags"),
    [
        ({"metadata": {"tags": ["red", "blue"], "user_id": "eve"}}, ["red", "blue"]),
        ({"metadata": {"tags": ["red"]}}, ["red"]),
        ({"tags": ["red"], "metadata": {"tags": ["blue", "red"]}}, ["red", "blue"]),
    ],
)
def test_tags_in_the_body_are_recorded_and_kept_from_the_provider(rig: Rig, fields: dict[str, Any], tags: list[str]) -> None:
    assert send(rig, **fields).status_code == 200
    assert summary(rig).tags == tags
    body = sent(rig.fake)
    assert ("tags" in body, "tags" in body.get("metadata", {})) == (False, False)
    assert body.get("metadata", {}).get("user_id") == fields.get("metadata", {}).get("user_id")


@pytest.mark.parametrize("fields", [{"metadata": {"tags": "red"}}, {"tags": 7}, {"metadata": {"user_id": '"tags"'}}])
def test_what_is_no_list_of_tags_is_the_providers_to_judge(rig: Rig, fields: dict[str, Any]) -> None:
    send(rig, **fields)
    assert {name: sent(rig.fake)[name] for name in fields} == fields
    assert summary(rig).tags == []


@pytest.mark.parametrize("header", ["x-litellm-end-user-id", "x-litellm-customer-id"])
def test_end_user_of_a_header_counts_more_than_the_bodys(rig: Rig, header: str) -> None:
    send(rig, headers={**HEADERS, header: "carol"}, metadata={"user_id": "eve"})
    assert summary(rig).end_user == "carol"
    assert header.encode() not in dict(rig.fake.seen[-1].headers)


@pytest.mark.parametrize(("scope", "name"), [("tag", "red"), ("end_user", "carol")])
def test_budget_of_a_tag_or_an_end_user_counts_what_the_call_says(rig: Rig, scope: Any, name: str) -> None:
    rig.gateway.budget(row(scope, name, 0))
    headers = {**HEADERS, "x-litellm-end-user-id": "carol"}
    check_refusal(send(rig, headers=headers, metadata={"tags": ["red"]}), 429, "budget_exceeded")


def test_test_fields_do_nothing_and_go_nowhere_unless_they_are_wanted(rig: Rig) -> None:
    answer = send(rig, **MOCKED, mock_timeout=True, mock_testing_fallbacks=True, mock_tool_calls=[TOOL])
    assert (answer.status_code, "Not from a model" in answer.text) == (200, False)
    assert [name for name in sent(rig.fake) if name.startswith("mock_")] == []


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("stream", [False, True])
def test_mocked_answer_costs_nothing_and_is_on_record(mocking: Rig, path: str, stream: bool) -> None:
    answer = send(mocking, path=path, stream=stream, **MOCKED)
    record = summary(mocking)
    assert (answer.status_code, answer.headers["x-litellm-response-cost"], len(mocking.fake.seen)) == (200, "0.000000000", 0)
    assert (record.cost_nano, record.outcome, record.status, record.tags) == (0, "ok", 200, ["mock_response"])
    assert mocking.gateway.closings()[0].postings == []


def test_openais_client_reads_a_mocked_answer(mocking: Rig) -> None:
    with openai.OpenAI(api_key=ALICE, base_url=f"{mocking.url}/v1", timeout=PATIENCE_S) as client:
        ask: dict[str, Any] = {"model": "claude-sonnet", "messages": HELLO, "extra_body": {**MOCKED, "mock_tool_calls": [TOOL]}}
        whole = client.chat.completions.create(**ask)
        *chunks, last = client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    choice = whole.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("Not from a model", "tool_calls")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Not from a model"
    assert (chunks[-2].choices[0].delta.tool_calls or [])[0].function.name == "Read"
    assert (whole.usage, last.usage) == (last.usage, whole.usage)


def test_anthropics_client_reads_a_mocked_answer(mocking: Rig) -> None:
    with anthropic.Anthropic(api_key=ALICE, base_url=mocking.url, timeout=PATIENCE_S) as client:
        ask: dict[str, Any] = {"model": "claude-sonnet", "messages": HELLO, "max_tokens": 9}
        ask["extra_body"] = {**MOCKED, "mock_tool_calls": [TOOL]}
        whole = client.messages.create(**ask)
        with client.messages.stream(**ask) as stream:
            streamed: Any = stream.get_final_message()
    assert [block.type for block in whole.content] == [block.type for block in streamed.content] == ["text", "tool_use"]
    assert (streamed.content[0].text, streamed.content[1].input) == ("Not from a model", {"path": "a"})
    assert (whole.stop_reason, streamed.stop_reason) == ("tool_use", "tool_use")


@pytest.mark.parametrize(
    "fields",
    [
        {"mock_response": 7},
        {"mock_tool_calls": "x"},
        {"mock_tool_calls": [{"function": {"name": "x", "arguments": "{"}}]},
        {"mock_tool_calls": [1]},
    ],
)
def test_mocked_answer_that_cannot_be_is_refused(mocking: Rig, fields: dict[str, Any]) -> None:
    check_refusal(send(mocking, **fields), 400, "invalid_request")


def test_mocked_answer_is_for_those_who_may_use_the_model(mocking: Rig) -> None:
    check_refusal(send(mocking, model="nonesuch", **MOCKED), 403, "model_not_allowed")


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ({"mock_testing_fallbacks": True}, "fallbacks"),
        ({"mock_testing_rate_limit_error": True}, "fallbacks"),
        ({"mock_timeout": True}, "fallbacks"),
        ({"mock_response": "litellm.InternalServerError"}, "fallbacks"),
        ({"mock_testing_context_fallbacks": True}, "context_window_fallbacks"),
        ({"mock_testing_content_policy_fallbacks": True}, "content_policy_fallbacks"),
    ],
)
def test_mocked_failure_leads_to_the_fallback_and_costs_nothing(mocking: Rig, field: dict[str, Any], kind: str) -> None:
    fall_back(mocking, kind)
    answer = send(mocking, model="claude-first", **field)
    (entry,) = mocking.gateway.closings()
    assert (answer.status_code, answer.headers["x-litellm-attempted-fallbacks"], len(mocking.fake.seen)) == (200, "1", 1)
    first = entry.summary.attempts[0]
    assert (first.route, first.outcome, first.error_code) == ("claude-first", "failed", "mock_failure")
    assert len(entry.postings) == 1


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("mock_testing_fallbacks", 500),
        ("mock_testing_rate_limit_error", 429),
        ("mock_timeout", 408),
        ("mock_testing_context_fallbacks", 400),
    ],
)
def test_mocked_failure_without_a_fallback_is_told_and_cools_nothing(mocking: Rig, field: str, status: int) -> None:
    fields: dict[str, Any] = {field: True}
    for _ in range(4):
        check_refusal(send(mocking, **fields), status, "mock_failure", "gateway")
    assert send(mocking).status_code == 200
    assert [entry.summary.cost_nano for entry in mocking.gateway.closings(5)][:4] == [0, 0, 0, 0]


def test_switched_off_test_field_changes_nothing(mocking: Rig) -> None:
    assert send(mocking, mock_testing_fallbacks=False, mock_response=None).status_code == 200
    assert len(mocking.fake.seen) == 1


def test_refusal_before_any_attempt_bears_the_calls_id(rig: Rig) -> None:
    answer: httpx.Response = send(rig, headers={**HEADERS, "x-litellm-call-id": "call-7"}, model="nonesuch")
    assert answer.headers["x-litellm-call-id"] == "call-7"
