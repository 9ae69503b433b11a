"""The fake provider does what the other tests rely on."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fakes.bill import read_bill
from tests.fakes.messages import Json, dump
from tests.fakes.provider import DEFAULT_KEY, FakeProvider
from tests.fakes.script import BEFORE_HEADERS, CACHED_USAGE, ITERATED_USAGE, MAGIC, Answer, Gate, refusal
from tests.fakes.serving import Receive, Scope, Send, serve_in_thread

HEADERS = {"x-api-key": DEFAULT_KEY, "anthropic-version": "2023-06-01"}
HELLO: Json = {"role": "user", "content": "hello"}
WRITE: Json = {"name": "Write", "input_schema": {"type": "object", "properties": {"file_path": {}, "content": {}}}}


def ask(model: str = "claude-sonnet-5-5", **fields: object) -> Json:
    return {"model": model, "max_tokens": 1000, "messages": [HELLO], **fields}


def events(text: str) -> list[Json]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def leave_after_first_event(client: httpx.Client, request: Json) -> None:
    with client.stream("POST", "/v1/messages", json=request) as response:
        next(response.iter_text())


@pytest.fixture
def bill_path(tmp_path: Path) -> Path:
    return tmp_path / "bill.jsonl"


@pytest.fixture
def fake(bill_path: Path) -> Iterator[FakeProvider]:
    provider = FakeProvider(bill=bill_path)
    yield provider
    provider.bill.close()


@pytest.fixture
def client(fake: FakeProvider) -> Iterator[httpx.Client]:
    with serve_in_thread(fake) as url, httpx.Client(base_url=url, headers=HEADERS, timeout=20, trust_env=False) as client:
        yield client


def test_plain_call_is_answered_and_billed(fake: FakeProvider, client: httpx.Client, bill_path: Path) -> None:
    response = client.post("/v1/messages?beta=true", json=ask())
    message = response.json()
    assert message["content"] == [{"type": "text", "text": "Hello from the fake provider."}]
    assert int(response.headers["content-length"]) == len(response.content)
    assert [row.usage for row in fake.bill.rows] == [message["usage"]]
    assert read_bill(bill_path) == fake.bill.rows
    assert message["id"] == f"msg_{fake.bill.rows[0].call_id}"
    assert fake.problems() == []


def test_stream_has_the_event_order_of_the_wire(fake: FakeProvider, client: httpx.Client) -> None:
    found = events(client.post("/v1/messages", json=ask(stream=True)).text)
    kinds = list(dict.fromkeys(event["type"] for event in found))
    block = ["content_block_start", "ping", "content_block_delta", "content_block_stop"]
    assert kinds == ["message_start", *block, "message_delta", "message_stop"]
    assert "".join(event["delta"]["text"] for event in found if event["type"] == "content_block_delta") == "Hello from the fake provider."
    assert found[-2]["usage"]["output_tokens"] == fake.bill.rows[0].usage["output_tokens"]


def test_output_stops_at_max_tokens(fake: FakeProvider, client: httpx.Client) -> None:
    message = client.post("/v1/messages", json=ask(max_tokens=5)).json()
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("max_tokens", 5)


def test_request_is_kept_as_it_came(fake: FakeProvider, client: httpx.Client) -> None:
    body = b'{"max_tokens":9, "messages": [],"model":"m"}'
    client.post("/v1/messages?beta=true", content=body, headers={"anthropic-beta": "a,b"})
    seen = fake.seen[0]
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", b"/v1/messages", b"beta=true", body)
    assert seen.header("Anthropic-Beta") == "a,b"
    assert not seen.aborted


def test_only_the_newest_requests_are_kept() -> None:
    fake = FakeProvider(keep=2)
    with serve_in_thread(fake) as url:
        ids = [httpx.get(f"{url}/v1/models", headers=HEADERS).headers["request-id"] for _ in range(3)]
    assert [f"req_{seen.call_id}" for seen in fake.seen] == ids[1:]


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"x-api-key": "wrong"}, 401, "authentication_error"),
        ({"x-api-key": ""}, 401, "authentication_error"),
        ({"x-api-key": "", "authorization": f"Bearer {DEFAULT_KEY}"}, 200, None),
        ({"anthropic-version": "2023-06-01", "x-api-key": DEFAULT_KEY}, 200, None),
    ],
)
def test_credential_is_checked(client: httpx.Client, headers: dict[str, str], status: int, kind: str | None) -> None:
    response = client.post("/v1/messages", json=ask(), headers=headers)
    assert (response.status_code, response.json().get("error", {}).get("type")) == (status, kind)


def test_missing_version_is_a_problem(fake: FakeProvider, client: httpx.Client) -> None:
    del client.headers["anthropic-version"]
    assert client.post("/v1/messages", json=ask()).status_code == 400
    assert fake.problems() == ["anthropic-version: header is required"]
    assert fake.bill.rows == []


def test_body_that_is_no_request_is_a_problem(fake: FakeProvider, client: httpx.Client) -> None:
    assert client.post("/v1/messages", content=b"{").status_code == 400
    assert len(fake.problems()) == 1


def test_counting_tokens_is_free(fake: FakeProvider, client: httpx.Client) -> None:
    assert client.post("/v1/messages/count_tokens", json={"model": "m", "messages": []}).json()["input_tokens"] > 0
    assert fake.bill.rows == []


def test_models_are_listed(client: httpx.Client) -> None:
    assert "claude-opus-5-5" in [row["id"] for row in client.get("/v1/models").json()["data"]]


@pytest.mark.parametrize("status", [400, 429, 500, 529])
def test_magic_model_refuses_free_of_charge(fake: FakeProvider, client: httpx.Client, status: int) -> None:
    response = client.post("/v1/messages", json=ask(f"fake-{status}"))
    assert (response.status_code, response.json()["type"]) == (status, "error")
    assert fake.bill.rows == []


def test_rate_limit_says_when_to_retry(client: httpx.Client) -> None:
    assert client.post("/v1/messages", json=ask("fake-429")).headers["retry-after"] == "1"


def test_scripted_answers_come_in_order_then_plain_ones(fake: FakeProvider, client: httpx.Client) -> None:
    fake.script(refusal(529), refusal(500, "twice"))
    assert [client.post("/v1/messages", json=ask()).status_code for _ in range(3)] == [529, 500, 200]


def test_verbatim_body_passes_unchanged(fake: FakeProvider, client: httpx.Client) -> None:
    fake.script(Answer(status=418, body=b"\xff\x00 not json", content_type="text/plain"))
    response = client.post("/v1/messages", json=ask())
    assert (response.status_code, response.content, response.headers["content-type"]) == (418, b"\xff\x00 not json", "text/plain")


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("model", ["fake-reset-early", "fake-eof-early"])
def test_connection_breaks_before_the_headers(fake: FakeProvider, client: httpx.Client, model: str, is_stream: bool) -> None:
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        client.post("/v1/messages", json=ask(model, stream=is_stream))
    assert fake.bill.rows == []


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize(("model", "error"), [("fake-reset", httpx.ReadError), ("fake-eof", httpx.RemoteProtocolError)])
def test_connection_breaks_inside_the_answer(
    fake: FakeProvider, client: httpx.Client, model: str, error: type[Exception], is_stream: bool
) -> None:
    with pytest.raises(error):
        client.post("/v1/messages", json=ask(model, stream=is_stream))
    assert [row.is_complete for row in fake.bill.rows] == [False]
    assert not fake.seen[0].aborted


def test_truncated_json_ends_cleanly(client: httpx.Client) -> None:
    response = client.post("/v1/messages", json=ask("fake-truncated"))
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_error_event_ends_the_stream_and_its_bill(fake: FakeProvider, client: httpx.Client) -> None:
    found = events(client.post("/v1/messages", json=ask("fake-error-event", stream=True)).text)
    assert found[-1]["error"]["type"] == "overloaded_error"
    assert [row.usage["output_tokens"] for row in fake.bill.rows] == [4]


def test_stalled_call_ends_when_the_client_leaves(fake: FakeProvider, client: httpx.Client) -> None:
    leave_after_first_event(client, ask("fake-stall", stream=True))
    seen = fake.wait_for_call()
    assert seen.finished.wait(10)
    assert seen.aborted
    assert seen.sent_bytes > 0
    assert [row.is_complete for row in fake.bill.rows] == [False]


def test_gate_lets_a_stalled_stream_go_on(fake: FakeProvider, client: httpx.Client) -> None:
    gate = Gate()
    fake.script(Answer(fault="stall", fault_after=1, gate=gate))
    with client.stream("POST", "/v1/messages", json=ask(stream=True)) as response:
        parts = response.iter_text()
        first = next(parts)
        gate.open()
        rest = "".join(parts)
    assert [event["type"] for event in events(first)] == ["message_start"]
    assert events(rest)[-1]["type"] == "message_stop"


def test_gate_can_hold_the_headers_back(fake: FakeProvider, client: httpx.Client) -> None:
    gate = Gate()
    fake.script(Answer(fault="stall", fault_after=BEFORE_HEADERS, gate=gate))
    gate.open()
    assert client.post("/v1/messages", json=ask()).status_code == 200


@pytest.mark.parametrize(("bills_on", "tokens", "is_complete"), [(False, 4, False), (True, 12, True)])
def test_abandoned_call_is_charged(fake: FakeProvider, client: httpx.Client, bills_on: bool, tokens: int, is_complete: bool) -> None:
    fake.script(Answer(fault="stall", fault_after=4, bills_on=bills_on))
    with client.stream("POST", "/v1/messages", json=ask(stream=True)) as response:
        parts = response.iter_text()
        text = next(parts)
        while "content_block_delta" not in text:
            text += next(parts)
    assert fake.wait_for_call().finished.wait(10)
    assert [(row.usage["output_tokens"], row.is_complete) for row in fake.bill.rows] == [(tokens, is_complete)]


def test_huge_stream_waits_for_a_slow_reader(fake: FakeProvider, client: httpx.Client) -> None:
    size = 64 * 1024 * 1024
    fake.script(Answer(huge_bytes=size))
    leave_after_first_event(client, ask(stream=True))
    seen = fake.wait_for_call()
    assert seen.finished.wait(10)
    assert seen.aborted
    assert seen.sent_bytes < size


def test_huge_stream_is_as_long_as_asked(fake: FakeProvider, client: httpx.Client) -> None:
    fake.script(Answer(huge_bytes=2_000_000))
    response = client.post("/v1/messages", json=ask(stream=True))
    assert len(response.content) >= 2_000_000
    assert events(response.text)[-2]["usage"]["output_tokens"] == fake.bill.rows[0].usage["output_tokens"]


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("model", ["fake-gzip", "fake-bytes", "fake-comments", "fake-crlf"])
def test_odd_wire_reads_as_the_plain_one(fake: FakeProvider, client: httpx.Client, model: str, is_stream: bool) -> None:
    odd, plain = (client.post("/v1/messages", json=ask(name, stream=is_stream)) for name in (model, "mock-gzip"))
    usage = [fake.bill.rows[number].usage["output_tokens"] for number in (0, 1)]
    assert odd.status_code == plain.status_code == 200
    assert [event["type"] for event in events(odd.text)] == [event["type"] for event in events(plain.text)]
    assert usage == [12, 12]


def test_gzip_is_flushed_with_every_event(fake: FakeProvider, client: httpx.Client) -> None:
    fake.script(Answer(gzip=True, fault="stall", fault_after=1))
    with client.stream("POST", "/v1/messages", json=ask(stream=True)) as response:
        assert events(next(response.iter_text()))[0]["type"] == "message_start"


def test_crlf_and_comments_are_on_the_wire(client: httpx.Client) -> None:
    assert b"\r\n\r\n" in client.post("/v1/messages", json=ask("fake-crlf", stream=True)).content
    assert b": keep-alive\n\n" in client.post("/v1/messages", json=ask("fake-comments", stream=True)).content


def test_secret_headers_are_sent(client: httpx.Client) -> None:
    response = client.post("/v1/messages", json=ask("fake-secrets"))
    assert "fake-upstream-cookie" in response.headers["set-cookie"]
    assert "sk-fake-echoed-upstream-key" in response.headers["x-api-key"]


def test_thinking_block_streams_with_its_signature(client: httpx.Client) -> None:
    found = events(client.post("/v1/messages", json=ask("fake-thinking", stream=True)).text)
    kinds = [event["delta"]["type"] for event in found if event["type"] == "content_block_delta"]
    assert list(dict.fromkeys(kinds)) == ["thinking_delta", "signature_delta", "text_delta"]


@pytest.mark.parametrize(("model", "usage"), [("fake-cached", CACHED_USAGE), ("fake-iterations", ITERATED_USAGE)])
def test_true_usage_is_told_and_billed(fake: FakeProvider, client: httpx.Client, model: str, usage: Json) -> None:
    assert client.post("/v1/messages", json=ask(model)).json()["usage"] == usage
    found = events(client.post("/v1/messages", json=ask(model, stream=True)).text)
    assert {**found[0]["message"]["usage"], **found[-2]["usage"]} == usage
    assert [row.usage for row in fake.bill.rows] == [usage, usage]


def test_stream_can_lie_about_its_usage(fake: FakeProvider, client: httpx.Client) -> None:
    fake.script(Answer(usage=CACHED_USAGE, start_usage={"input_tokens": 1}, delta_usage={"output_tokens": 2}))
    found = events(client.post("/v1/messages", json=ask(stream=True)).text)
    assert (found[0]["message"]["usage"], found[-2]["usage"]) == ({"input_tokens": 1}, {"output_tokens": 2})
    assert fake.bill.rows[0].usage == CACHED_USAGE


def test_delays_and_gaps_keep_the_answer_whole(fake: FakeProvider, client: httpx.Client) -> None:
    fake.script(Answer(delay_s=0.01, gap_s=0.001))
    assert events(client.post("/v1/messages", json=ask(stream=True)).text)[-1]["type"] == "message_stop"


def test_file_task_calls_the_writing_tool(client: httpx.Client) -> None:
    asked = {"role": "user", "content": [{"type": "text", "text": "Write a greeting to /home/x/hello.txt."}]}
    prompt = [asked, {"role": "system", "content": "mid-conversation"}]
    message = client.post("/v1/messages", json=ask(messages=prompt, tools=[{"name": "Bash"}, WRITE])).json()
    assert message["stop_reason"] == "tool_use"
    assert message["content"][1]["name"] == "Write"
    assert message["content"][1]["input"] == {"file_path": "/home/x/hello.txt", "content": "hello from tallygate"}


def test_file_task_streams_its_input(client: httpx.Client) -> None:
    prompt = [{"role": "user", "content": "please fill notes/a.txt"}]
    found = events(client.post("/v1/messages", json=ask(messages=prompt, tools=[WRITE], stream=True)).text)
    deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]
    written = "".join(delta["partial_json"] for delta in deltas if delta["type"] == "input_json_delta")
    assert json.loads(written)["file_path"] == "notes/a.txt"


def test_tool_result_ends_the_task(client: httpx.Client) -> None:
    used = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Write", "input": {}}]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok a.txt"}]}
    message = client.post("/v1/messages", json=ask(messages=[HELLO, used, result], tools=[WRITE])).json()
    assert (message["stop_reason"], [block["type"] for block in message["content"]]) == ("end_turn", ["text"])


def test_talk_with_tools_is_answered_with_text(client: httpx.Client) -> None:
    assert client.post("/v1/messages", json=ask(tools=[WRITE])).json()["stop_reason"] == "end_turn"


def test_every_magic_model_is_served(fake: FakeProvider, client: httpx.Client) -> None:
    polite = [name for name, answer in MAGIC.items() if answer.fault is None and not answer.gap_s and not answer.delay_s]
    statuses = [client.post("/v1/messages", json=ask(name)).status_code for name in polite]
    assert statuses == [MAGIC[name].status for name in polite]


def test_application_that_fails_to_start_is_reported() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    with pytest.raises(RuntimeError), serve_in_thread(broken, lifespan="on"):
        pass


def test_fake_runs_as_its_own_process(bill_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.fakes.provider", "--port", str(port), "--bill", str(bill_path), "--key", "k"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": "error"})
    try:
        transport = httpx.HTTPTransport(retries=9)
        with httpx.Client(transport=transport) as client:
            response = client.post(f"http://127.0.0.1:{port}/v1/messages", content=dump(ask()), headers={**HEADERS, "x-api-key": "k"})
        assert response.status_code == 200
        assert len(read_bill(bill_path)) == 1
    finally:
        process.terminate()
        process.wait(10)
