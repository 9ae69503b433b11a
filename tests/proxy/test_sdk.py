"""The vendor's own SDK against the gateway, end to end."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import ToolUseBlock

from proxy.limits import Limits
from tests.fakes.script import Answer, refusal
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import HEADERS, MODEL

WRITE: Any = {
    "name": "Write",
    "input_schema": {"type": "object", "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}}},
}
HELLO: Any = [{"role": "user", "content": "Hello"}]
TASK: Any = [{"role": "user", "content": "Write a greeting to notes/a.txt."}]


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@pytest.fixture
def client(rig: Rig) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=ALICE, base_url=rig.url) as client:
        yield client


def test_message_comes_back_typed_with_our_request_id(rig: Rig, client: anthropic.Anthropic) -> None:
    message = client.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 12)
    assert message._request_id == rig.gateway.closings()[0].summary.id


def test_async_client_is_served(rig: Rig) -> None:
    async def call() -> str | None:
        async with anthropic.AsyncAnthropic(api_key=ALICE, base_url=rig.url) as client:
            return (await client.messages.create(model=MODEL, max_tokens=50, messages=HELLO)).stop_reason

    assert asyncio.run(call()) == "end_turn"


def test_async_stream_is_served(rig: Rig) -> None:
    async def call() -> str:
        async with (
            anthropic.AsyncAnthropic(api_key=ALICE, base_url=rig.url) as client,
            client.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream,
        ):
            return "".join([text async for text in stream.text_stream])

    assert asyncio.run(call()) == "Hello from the fake provider."


def test_streamed_tool_use_is_assembled(rig: Rig, client: anthropic.Anthropic) -> None:
    with client.messages.stream(model=MODEL, max_tokens=50, messages=TASK, tools=[WRITE]) as stream:
        message = stream.get_final_message()
    (used,) = [block for block in message.content if isinstance(block, ToolUseBlock)]
    assert (message.stop_reason, used.name, used.input["file_path"]) == ("tool_use", "Write", "notes/a.txt")
    assert stream.request_id == rig.gateway.closings()[0].summary.id


def test_tool_loop_goes_round(client: anthropic.Anthropic) -> None:
    first = client.messages.create(model=MODEL, max_tokens=50, messages=TASK, tools=[WRITE])
    (used,) = [block for block in first.content if isinstance(block, ToolUseBlock)]
    result: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": used.id, "content": "ok"}]}
    second = client.messages.create(
        model=MODEL, max_tokens=50, tools=[WRITE], messages=[*TASK, {"role": "assistant", "content": first.content}, result]
    )
    assert second.stop_reason == "end_turn"


def test_thinking_streams_with_its_signature(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model="fake-thinking", max_tokens=50, messages=HELLO) as stream:
        thought = stream.get_final_message().content[0]
    assert (thought.type, getattr(thought, "signature", "")) == ("thinking", "ZmFrZS1zaWduYXR1cmU=")


def test_tokens_are_counted(client: anthropic.Anthropic) -> None:
    assert client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 0


def test_beta_client_is_served_with_its_betas(rig: Rig, client: anthropic.Anthropic) -> None:
    client.beta.messages.create(model=MODEL, max_tokens=50, messages=HELLO, betas=["context-1m-2025-08-07", "new-2027-01-01"])
    sent = rig.fake.seen[-1].header("anthropic-beta") or ""
    assert {"context-1m-2025-08-07", "new-2027-01-01"} <= set(sent.replace(" ", "").split(","))


def test_client_sends_its_version_and_bearer_and_they_are_understood(rig: Rig, client: anthropic.Anthropic) -> None:
    client.messages.create(model=MODEL, max_tokens=50, messages=HELLO)
    seen = rig.fake.seen[-1]
    assert seen.header("anthropic-version") == "2026-10-21"
    assert seen.header("authorization") is None


def test_old_style_client_is_served(rig: Rig) -> None:
    old = {"x-api-key": ALICE, "anthropic-version": "2023-06-01", "authorization": "Bearer sk-ant-of-somebody-else"}
    with anthropic.Anthropic(api_key="unused", base_url=rig.url, default_headers=old) as client:
        client.messages.create(model=MODEL, max_tokens=50, messages=HELLO, extra_query={"beta": "true"})
    seen = rig.fake.seen[-1]
    assert (seen.header("anthropic-version"), seen.query) == ("2023-06-01", b"beta=true")


@pytest.mark.parametrize("base", ["", "/", "/anthropic", "/anthropic/", "/v1"])
def test_client_works_under_every_base(rig: Rig, base: str) -> None:
    with anthropic.Anthropic(api_key=ALICE, base_url=rig.url + base) as client:
        assert client.messages.create(model=MODEL, max_tokens=50, messages=HELLO).stop_reason == "end_turn"
        assert client.messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 0
        assert [row.id for row in client.models.list()] == ["claude-sonnet"]
        assert client.models.retrieve("claude-sonnet").id == "claude-sonnet"


@pytest.mark.parametrize("status", [429, 500, 529])
def test_client_retries_when_the_provider_says(rig: Rig, client: anthropic.Anthropic, status: int) -> None:
    rig.fake.script(*[refusal(status, headers=(("retry-after-ms", "1"), ("retry-after", "0"))) for _ in range(2)])
    assert client.messages.create(model=MODEL, max_tokens=50, messages=HELLO).stop_reason == "end_turn"
    assert [entry.summary.status for entry in rig.gateway.closings(3)] == [status, status, 200]
    assert [entry.summary.cost_nano == 0 for entry in rig.gateway.closings(3)] == [True, True, False]


@pytest.mark.parametrize("is_stream", [False, True])
def test_client_that_gives_up_sees_the_providers_error(rig: Rig, client: anthropic.Anthropic, is_stream: bool) -> None:
    rig.fake.script(refusal(529, headers=(("x-should-retry", "false"),)))
    with pytest.raises(anthropic.OverloadedError) as caught:
        client.messages.create(model=MODEL, max_tokens=50, messages=HELLO, stream=is_stream)
    assert (caught.value.status_code, caught.value.type, caught.value.api_message) == (529, "overloaded_error", "Overloaded")
    assert len(rig.gateway.closings()) == 1


def test_packed_answer_is_unpacked_by_the_client(rig: Rig, client: anthropic.Anthropic) -> None:
    rig.fake.script(Answer(gzip=True))
    assert client.messages.create(model=MODEL, max_tokens=50, messages=HELLO).usage.output_tokens == 12
    assert rig.gateway.closings()[0].summary.output_tokens == 12


def test_error_event_in_a_stream_is_raised_by_the_client(rig: Rig, client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.APIStatusError), client.messages.stream(model="fake-error-event", max_tokens=50, messages=HELLO) as stream:
        stream.get_final_message()
    assert rig.gateway.closings()[0].summary.error_source == "provider"


def test_client_may_name_its_key_in_a_header_of_litellm(rig: Rig) -> None:
    headers = {**HEADERS, "x-litellm-api-key": f"Bearer {ALICE}", "x-api-key": "sk-ant-foreign"}
    with anthropic.Anthropic(api_key="sk-ant-other", base_url=rig.url, default_headers=headers) as client:
        assert client.messages.create(model=MODEL, max_tokens=50, messages=HELLO).id
