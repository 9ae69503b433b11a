"""OpenAI's APIs at the public door, with the vendor's own SDK: what comes back, what the provider was asked, what it cost."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import openai
import pytest

from billing.snapshot import Price, PriceBook, Rates
from proxy.limits import Limits
from tests.fakes.openai import KEY, VECTOR, FakeOpenAI, openai_refusal
from tests.fakes.openai_wire import TEXT, usage_of
from tests.fakes.script import Answer, Gate
from tests.fakes.serving import serve_in_thread
from tests.proxy.door import plane, send, summary
from tests.proxy.house import House, Switch
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import PATIENCE_S
from tests.proxy.test_budget import posted, row

MODEL = "gpt-4o"
HELLO: Any = [{"role": "user", "content": "Hello"}]
READ: Any = [{"type": "function", "function": {"name": "Read", "parameters": {"type": "object", "properties": {}}}}]
SAID = "".join(TEXT)
# A nano-dollar for each token of input, cached ones a tenth, ten for each of output.
PRICE = Price("list-1", (Rates(1_000, 10_000, 100, 1_250, 2_000),))
PRICES = PriceBook({(provider, "*"): (PRICE,) for provider in ("openai", "azure", "mistral", "groq")})


@pytest.fixture(scope="module")
def upstream() -> Iterator[tuple[str, Switch]]:
    switch = Switch(FakeOpenAI())
    with serve_in_thread(switch) as url:
        yield url, switch


@pytest.fixture
def fake(upstream: tuple[str, Switch]) -> FakeOpenAI:
    upstream[1].app = fake = FakeOpenAI()
    return fake


@pytest.fixture
def rig(house: House, limits: Limits, upstream: tuple[str, Switch], fake: FakeOpenAI) -> Rig:
    rig = house.rig(limits)
    usual = replace(rig.deployment, provider="openai", base_url=f"{upstream[0]}/v1", secret=KEY)
    plane(rig).snapshot = replace(plane(rig).snapshot, prices=PRICES)
    rig.gateway.route("*", usual)
    rig.gateway.route("azure", replace(usual, provider="azure", base_url=upstream[0], api="classic", model="my-gpt-4o"))
    rig.gateway.route("azure-v1", replace(usual, provider="azure", base_url=upstream[0], model="my-gpt-4o"))
    for name in ("mistral", "groq"):
        rig.gateway.route(f"{name}*", replace(usual, provider=name))
    return rig


@pytest.fixture
def client(rig: Rig) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=ALICE, base_url=f"{rig.url}/v1", timeout=PATIENCE_S) as client:
        yield client


def raw_stream(rig: Rig, model: str = MODEL, **fields: object) -> bytes:
    """A stream of Chat Completions as it came on the wire."""
    return post(rig, "/v1/chat/completions", model=model, messages=HELLO, stream=True, **fields).content


def post(rig: Rig, path: str, **fields: object) -> httpx.Response:
    return send(rig, json.dumps(fields).encode(), path=path, headers={"authorization": f"Bearer {ALICE}"})


def charged(rig: Rig) -> tuple[int, int, int | None]:
    """(input, output, nano-dollars) of the test's only call."""
    record = summary(rig)
    assert not record.is_estimated
    return record.input_tokens, record.output_tokens, record.cost_nano


def billed(fake: FakeOpenAI) -> tuple[int, int, int]:
    """The same by the provider's bill."""
    prompt, output = fake.bill.total("prompt_tokens"), fake.bill.total("output_tokens")
    return prompt, output, prompt + 10 * output


def test_chat_comes_back_typed_and_priced(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, user="eve", prompt_cache_key="s-1")
    record = summary(rig)
    assert (answer.choices[0].message.content, answer.usage and answer.usage.completion_tokens) == (SAID, 12)
    assert charged(rig) == billed(fake)
    assert (record.endpoint, record.end_user, record.session_id, record.stop_reason) == ("chat", "eve", "s-1", "stop")
    assert fake.problems() == []


def test_stream_is_metered_and_its_usage_kept_from_a_caller_who_did_not_ask(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID
    assert [chunk.usage for chunk in chunks if chunk.usage] == []
    assert fake.seen[-1].json()["stream_options"] == {"include_usage": True}
    assert charged(rig) == billed(fake)


def test_stream_tells_its_usage_to_a_caller_who_asked(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True})
    *_, last = stream
    assert (last.choices, last.usage and last.usage.completion_tokens) == ([], 12)
    assert charged(rig) == billed(fake)


def test_only_the_usage_chunk_is_missing_from_a_stream(rig: Rig) -> None:
    asked = raw_stream(rig, stream_options={"include_usage": True})
    unasked = raw_stream(rig)
    kept = [event for event in asked.split(b"\n\n") if b'"choices":[],"usage":{' not in event]
    number = [line.split(b'"')[3] for line in (asked, unasked)]
    assert b"\n\n".join(kept).replace(number[0], number[1]) == unasked
    assert unasked.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("answer", [Answer(chunk_size=1), Answer(chunk_size=7), Answer(crlf=True), Answer(crlf=True, chunk_size=3)])
def test_stream_in_odd_pieces_is_metered_and_loses_its_usage_chunk(rig: Rig, fake: FakeOpenAI, answer: Answer) -> None:
    """R50."""
    fake.script(answer)
    stream = raw_stream(rig)
    assert (stream.count(b"data:"), stream.count(b'"usage":{')) == (9, 0)
    assert charged(rig) == billed(fake)


def test_streamed_tool_call_is_assembled_and_goes_round(rig: Rig, client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=HELLO, tools=READ) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert (call.type, summary(rig).tools, summary(rig).stop_reason) == ("function", ["Read"], "tool_calls")
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "ok"}
    asked: Any = {"role": "assistant", "tool_calls": [{"id": call.id, "type": "function", "function": {"name": "Read", "arguments": "{}"}}]}
    second = client.chat.completions.create(model=MODEL, messages=[*HELLO, asked, result], tools=READ)
    assert second.choices[0].finish_reason == "stop"


def test_several_answers_to_one_call_are_charged_together(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, n=3)
    assert (len(answer.choices), charged(rig)) == (3, billed(fake))


def test_what_was_cached_costs_less(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI) -> None:
    fake.script(Answer(usage=usage_of(1000, 12, cached=800, written=100, reasoning=7)))
    list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    record = summary(rig)
    assert (record.input_tokens, record.cache_read_tokens, record.cache_write_5m_tokens, record.thinking_tokens) == (100, 800, 100, 7)
    assert record.cost_nano == 100 + 80 + 125 + 120


def test_embeddings_come_packed_as_the_client_wants_them(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    assert ([tuple(one.embedding) for one in answer.data], fake.seen[-1].json()["encoding_format"]) == ([VECTOR, VECTOR], "base64")
    assert charged(rig) == billed(fake)
    assert (summary(rig).endpoint, summary(rig).output_tokens) == ("embeddings", 0)


@pytest.mark.parametrize("is_stream", [False, True])
def test_completions_of_old_are_served(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI, is_stream: bool) -> None:
    answer: Any = client.completions.create(model=MODEL, prompt="Once", stream=is_stream)
    chunks = list(answer) if is_stream else [answer]
    assert "".join(chunk.choices[0].text for chunk in chunks) == SAID
    assert charged(rig) == billed(fake)


def test_response_is_served(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI) -> None:
    assert client.responses.create(model=MODEL, input="Hello", max_output_tokens=100).output_text == SAID
    assert charged(rig) == billed(fake)


def test_streamed_response_is_assembled(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI) -> None:
    with client.responses.stream(model=MODEL, input="Hello") as stream:
        assert stream.get_final_response().output_text == SAID
    assert charged(rig) == billed(fake)
    assert (summary(rig).endpoint, summary(rig).stop_reason, "stream_options" in fake.seen[-1].json()) == ("responses", "completed", False)


@pytest.mark.parametrize("model", [f"{quirk}-1" for quirk in ("azure", "openrouter", "deepseek", "groq", "vllm")])
def test_every_way_to_tell_the_usage_is_read(rig: Rig, fake: FakeOpenAI, model: str) -> None:
    raw_stream(rig, model)
    assert charged(rig) == billed(fake)
    assert fake.problems() == []


def test_provider_that_refuses_the_question_tells_its_usage_all_the_same(rig: Rig, fake: FakeOpenAI) -> None:
    raw_stream(rig, "mistral-large", stream_options={"include_usage": True})
    assert (charged(rig), fake.problems()) == (billed(fake), [])


@pytest.mark.parametrize(("model", "path", "query"), [
    ("azure", b"/openai/deployments/my-gpt-4o/chat/completions", b"api-version=2024-10-21"),
    ("azure-v1", b"/openai/v1/chat/completions", b""),
])  # fmt: skip
def test_azure_is_asked_in_either_of_its_ways(
    rig: Rig, fake: FakeOpenAI, client: openai.OpenAI, model: str, path: bytes, query: bytes
) -> None:
    client.chat.completions.create(model=model, messages=HELLO)
    seen = fake.seen[-1]
    assert (seen.path, seen.query, seen.header("api-key"), seen.header("authorization")) == (path, query, KEY, None)
    assert (charged(rig), fake.problems()) == (billed(fake), [])


@pytest.mark.parametrize("base", ["", "/", "/v1", "/openai", "/openai/v1/"])
def test_client_works_under_every_base(rig: Rig, base: str) -> None:
    with openai.OpenAI(api_key=ALICE, base_url=rig.url + base) as client:
        assert client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content == SAID


def test_client_of_azure_is_served_by_the_path(rig: Rig, fake: FakeOpenAI) -> None:
    with openai.AzureOpenAI(api_key=ALICE, azure_endpoint=rig.url, api_version="2024-10-21") as client:
        assert client.chat.completions.create(model=MODEL, messages=HELLO).choices[0].message.content == SAID
    assert fake.seen[-1].json()["model"] == MODEL


def test_model_that_is_not_allowed_is_refused_in_openais_shape(rig: Rig, client: openai.OpenAI) -> None:
    plane(rig).snapshot = replace(plane(rig).snapshot, routes=type(plane(rig).snapshot.routes).of([]))
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="nonesuch", messages=HELLO)
    assert (caught.value.code, caught.value.type, caught.value.param) == ("400", "invalid_request_error", "model")
    assert caught.value.response.headers["x-tallygate-error-source"] == "client"


def test_bad_body_is_refused_in_openais_words(client: openai.OpenAI, fake: FakeOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Invalid type for 'stream'") as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO, extra_body={"stream": "yes"})
    assert (caught.value.code, caught.value.type, len(fake.seen)) == ("400", "invalid_request_error", 0)


def test_wrong_key_is_refused_in_openais_shape(rig: Rig) -> None:
    with openai.OpenAI(api_key="sk-stranger", base_url=f"{rig.url}/v1") as stranger, pytest.raises(openai.AuthenticationError) as caught:
        stranger.embeddings.create(model=MODEL, input="a")
    assert (caught.value.code, caught.value.type) == ("401", "token_not_found_in_db")


@pytest.mark.parametrize("call", ["chat", "responses", "embeddings"])
def test_spent_budget_is_refused_once_and_the_provider_hears_nothing(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI, call: str) -> None:
    spent = row(amount=1000)
    rig.gateway.budget(spent, posted=posted(spent, 1000, datetime.now(UTC)))
    calls: dict[str, Any] = {
        "chat": lambda: client.chat.completions.create(model=MODEL, messages=HELLO, stream=True),
        "responses": lambda: client.responses.create(model=MODEL, input="Hello", stream=True),
        "embeddings": lambda: client.embeddings.create(model=MODEL, input="Hello"),
    }
    with pytest.raises(openai.BadRequestError, match="Budget has been exceeded!") as caught:
        calls[call]()
    assert (caught.value.code, caught.value.type) == ("400", "budget_exceeded")
    assert (len(fake.seen), len(rig.gateway.closings())) == (0, 1)


def test_providers_refusal_passes_as_it_came(rig: Rig, fake: FakeOpenAI) -> None:
    refusal = openai_refusal(404, "The model does not exist.", code="model_not_found")
    fake.script(refusal)
    answer = post(rig, "/v1/chat/completions", model=MODEL, messages=HELLO)
    assert (answer.status_code, answer.content) == (404, refusal.body)
    assert (summary(rig).cost_nano, summary(rig).error_message) == (0, "The model does not exist.")


@pytest.mark.parametrize("after", [0, 3])
def test_error_in_a_stream_is_raised_by_the_client_and_on_record(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI, after: int) -> None:
    """R61."""
    fake.script(Answer(fault="error", fault_after=after))
    with pytest.raises(openai.APIError, match="The server had an error"):
        list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    record = summary(rig)
    assert (record.error_source, record.outcome, record.is_estimated) == ("provider", "failed", after > 0)


@pytest.mark.parametrize("call", ["chat", "responses"])
def test_stream_that_ends_too_early_ends_with_an_error(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI, call: str) -> None:
    """R60."""
    fake.script(Answer(fault="eof", fault_after=4))
    calls: dict[str, Any] = {
        "chat": lambda: client.chat.completions.create(model=MODEL, messages=HELLO, stream=True),
        "responses": lambda: client.responses.create(model=MODEL, input="Hello", stream=True),
    }
    with pytest.raises(openai.APIError) as caught:
        list(calls[call]())
    assert caught.value.code in {"upstream_truncated", "provider_connection_lost"}
    assert (summary(rig).outcome, summary(rig).is_estimated) == ("truncated", True)


def test_money_for_the_input_stays_held_while_a_stream_runs(rig: Rig, fake: FakeOpenAI) -> None:
    gate = Gate()
    fake.script(Answer(fault="stall", fault_after=5, gate=gate))
    rig.gateway.budget(row(amount=10**9))
    body = json.dumps({"model": MODEL, "stream": True, "max_tokens": 50, "messages": HELLO, "x": "y" * 40_000}).encode()
    with httpx.stream("POST", f"{rig.url}/v1/chat/completions", content=body, headers={"authorization": f"Bearer {ALICE}"}) as answer:
        chunks = answer.iter_bytes()
        while SAID[:5].encode() not in next(chunks):
            pass
        (purse,) = rig.gateway.purses()
        assert purse.held > 10_000
        gate.open()
        assert b"[DONE]" in b"".join(chunks)
    assert charged(rig) == billed(fake)


def test_bill_of_every_kind_of_call_is_what_we_charged(rig: Rig, fake: FakeOpenAI, client: openai.OpenAI) -> None:
    for is_stream in (False, True):
        for answer in (
            client.chat.completions.create(model=MODEL, messages=HELLO, stream=is_stream, n=2),
            client.completions.create(model=MODEL, prompt="Once", stream=is_stream),
            client.responses.create(model=MODEL, input="Hello", stream=is_stream),
        ):
            list(answer)
    client.embeddings.create(model=MODEL, input="Hello")
    records = [entry.summary for entry in rig.gateway.closings(7)]
    assert sum(record.cost_nano or 0 for record in records) == billed(fake)[2]
    assert [sum(posting.amount_nano for posting in entry.postings) for entry in rig.gateway.closings(7)] == [
        one.cost_nano for one in records
    ]
