"""Clients in Vertex mode, and Vertex AI behind the gateway, through the public door."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import anthropic
import pytest
from anthropic import AnthropicVertex

from keys.snapshot import ModelList
from proxy.limits import Limits
from routing.providers.google_access import open_google
from tests.fakes.google import FakeGoogle, google_refusal
from tests.fakes.google_tokens import key_file
from tests.fakes.script import Answer
from tests.proxy.door import know, summary
from tests.proxy.google_rig import ANTHROPIC, ASK, BEARER, CLAUDE, GoogleRig, google_behind
from tests.proxy.house import House
from tests.proxy.rig import ALICE
from tests.proxy.talk import ask, dial, sse

HELLO: Any = [{"role": "user", "content": "Hello"}]
OWN = "ya29.the-developers-own"


@pytest.fixture
def google(house: House, limits: Limits) -> Iterator[GoogleRig]:
    with google_behind(house.rig(limits)) as google:
        yield google
        assert google.fake.problems() == []


@pytest.fixture
def client(google: GoogleRig) -> Iterator[AnthropicVertex]:
    with AnthropicVertex(base_url=f"{google.rig.url}/vertex_ai/v1", region="us-east5", project_id="theirs", access_token=ALICE) as client:
        yield client


# ── clients in Vertex mode, served by Vertex


def test_whole_answer_passes_as_it_came(google: GoogleRig) -> None:
    answer = google.post(f"{ANTHROPIC}:rawPredict", ASK)
    assert (answer.status_code, answer.json()["model"], answer.json()["usage"]["output_tokens"]) == (200, CLAUDE, 12)
    sent = google.fake.seen[-1]
    assert sent.json() == ASK
    assert sent.path.endswith(b"/projects/fake-project/locations/us-east5/publishers/anthropic/models/claude-opus-5-5:rawPredict")


def test_call_is_on_record_with_its_cost(google: GoogleRig) -> None:
    """R143."""
    google.post(f"{ANTHROPIC}:rawPredict", ASK)
    record = summary(google.rig)
    (billed,) = google.fake.bill.rows
    assert (record.served_model, record.provider, record.outcome) == (CLAUDE, "vertex_ai", "ok")
    assert (record.input_tokens, record.output_tokens) == (billed.usage["input_tokens"], billed.usage["output_tokens"])
    assert record.cost_nano
    assert not record.is_estimated


def test_regional_endpoint_costs_a_tenth_more_than_the_global_one(google: GoogleRig) -> None:
    script = Answer(usage={"input_tokens": 1000, "output_tokens": 1000})
    google.fake.script(script, script)
    google.post(f"{ANTHROPIC}:rawPredict", ASK)
    google.route(CLAUDE, replace(google.vertex, id="vertex-3", region="global"))
    google.fake.locations.add("global")
    google.post(f"{ANTHROPIC}:rawPredict", ASK)
    regional, everywhere = [entry.summary.cost_nano or 0 for entry in google.rig.gateway.closings(2)]
    assert regional * 10 == everywhere * 11 > 0


def test_stream_passes_event_by_event(google: GoogleRig) -> None:
    answer = google.post(f"{ANTHROPIC}:streamRawPredict", {**ASK, "stream": True})
    assert (sse(answer.content)[0], sse(answer.content)[-1]) == ("message_start", "message_stop")
    assert (summary(google.rig).output_tokens, summary(google.rig).outcome) == (12, "ok")


@pytest.mark.parametrize("prefix", ["/vertex_ai/v1", "/vertex_ai", "/vertex/v1", "/vertex", "/vertex-ai/v1", "/vertex_ai/v1beta1"])
def test_door_has_many_names(google: GoogleRig, prefix: str) -> None:
    path = ANTHROPIC.removeprefix("/vertex_ai/v1")
    assert google.post(f"{prefix}{path}:rawPredict", ASK).status_code == 200


def raw_status(google: GoogleRig, path: str, method: str = "POST") -> int:
    """The answer's status for a path that goes out exactly as written."""
    body = json.dumps(ASK).encode()
    fields = ("host: gw", f"authorization: Bearer {ALICE}", f"content-length: {len(body)}", "connection: close")
    head = "\r\n".join((f"{method} {path} HTTP/1.1", *fields, "", ""))
    with dial(google.rig) as connection:
        connection.sendall(head.encode() + body)
        return int(b"".join(iter(lambda: connection.recv(65536), b"")).split(b" ", 2)[1])


@pytest.mark.parametrize("model", ["claude-sonnet-4-5@20250929", "claude-sonnet-4-5%4020250929"])
@pytest.mark.parametrize("colon", [":", "%3A", "%3a"])
def test_model_is_found_by_googles_id_however_it_is_escaped(google: GoogleRig, model: str, colon: str) -> None:
    google.route("claude-sonnet", replace(google.vertex, model="claude-sonnet-4-5@20250929"))
    assert raw_status(google, f"{ANTHROPIC.removesuffix(CLAUDE)}{model}{colon}rawPredict") == 200
    assert google.fake.seen[-1].path.endswith(b"/claude-sonnet-4-5@20250929:rawPredict")


@pytest.mark.parametrize("path", [
    f"{ANTHROPIC}:predict",
    f"{ANTHROPIC}",
    f"{ANTHROPIC}:",
    f"{ANTHROPIC.removesuffix(CLAUDE)}:rawPredict",
    ANTHROPIC.replace("/projects/p", "/projects/..") + ":rawPredict",
    ANTHROPIC.replace("/projects/p", "/projects/%2e%2e") + ":rawPredict",
    ANTHROPIC.replace("/projects/p", "/projects/p%2f..") + ":rawPredict",
    ANTHROPIC.replace("/projects/p", "/projects//p") + ":rawPredict",
    ANTHROPIC.replace("/projects/p", "/projects/%5c") + ":rawPredict",
    ANTHROPIC.replace("/projects/p", "/projects/%00") + ":rawPredict",
    ANTHROPIC.replace("/projects/p", "/projects/%ff") + ":rawPredict",
    ANTHROPIC.replace("/projects/p", "/projects%2fp") + ":rawPredict",
    ANTHROPIC.replace("/publishers/anthropic", "/publishers/meta") + ":rawPredict",
    ANTHROPIC.replace("/models/", "/endpoints/") + ":rawPredict",
    f"{ANTHROPIC}:rawPredict/x",
    "/vertex_ai",
])  # fmt: skip
def test_anything_else_is_not_there(google: GoogleRig, path: str) -> None:
    """R140."""
    assert raw_status(google, path) == 404
    assert not google.fake.seen


def test_only_calls_are_taken(google: GoogleRig) -> None:
    assert raw_status(google, f"{ANTHROPIC}:rawPredict", "GET") == 405


def test_model_that_is_not_open_to_the_key_is_refused_by_the_path(google: GoogleRig) -> None:
    headers = know(google.rig, "narrow", model_lists=(ModelList.of(["claude-haiku"]),))
    answer = google.post(f"{ANTHROPIC}:rawPredict", ASK, headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    assert not google.fake.seen


def test_platforms_fault_passes_to_a_vertex_client_as_it_came(google: GoogleRig) -> None:
    refusal = google_refusal(400, "Bad.", is_array=True)
    google.fake.script(refusal)
    answer = google.post(f"{ANTHROPIC}:rawPredict", ASK)
    assert (answer.status_code, answer.content) == (400, refusal.body)
    assert summary(google.rig).error_code == "invalid_request_error"


def test_sdk_is_answered(google: GoogleRig, client: AnthropicVertex) -> None:
    message = client.messages.create(model=CLAUDE, max_tokens=50, messages=HELLO)
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 12)
    assert google.fake.seen[-1].json()["anthropic_version"] == "2026-10-21"


def test_sdk_streams(client: AnthropicVertex) -> None:
    with client.messages.stream(model=CLAUDE, max_tokens=50, messages=HELLO) as stream:
        assert stream.get_final_text() == "Hello from the fake provider."


def test_sdk_counts_tokens_for_nothing(google: GoogleRig, client: AnthropicVertex) -> None:
    assert client.messages.count_tokens(model=CLAUDE, messages=HELLO).input_tokens > 0
    assert google.fake.seen[-1].json()["model"] == CLAUDE
    assert summary(google.rig).cost_nano == 0


def test_sdk_reads_whats_wrong_with_its_key(google: GoogleRig) -> None:
    with (
        AnthropicVertex(base_url=f"{google.rig.url}/vertex", region="us-east5", project_id="p", access_token="sk-unknown") as client,
        pytest.raises(anthropic.AuthenticationError, match="not known here"),
    ):
        client.messages.create(model=CLAUDE, max_tokens=50, messages=HELLO)


# ── clients of other doors, served by Vertex


def test_messages_client_is_served_by_vertex(google: GoogleRig) -> None:
    headers = {**BEARER, "anthropic-version": "2023-06-01", "anthropic-beta": "a-1"}
    answer = google.post("/v1/messages?beta=true", ask(CLAUDE, system="Be brief."), headers)
    assert (answer.status_code, answer.json()["model"]) == (200, CLAUDE)
    sent = google.fake.seen[-1]
    assert sent.json()["anthropic_version"] == "vertex-2023-10-16"
    assert (sent.query, sent.header("anthropic-beta")) == (b"", "a-1")


def test_messages_stream_is_served_by_vertex(google: GoogleRig) -> None:
    answer = google.post("/v1/messages", ask(CLAUDE, stream=True), {**BEARER, "anthropic-version": "2026-10-21"})
    assert sse(answer.content)[-1] == "message_stop"
    assert google.fake.seen[-1].json()["anthropic_version"] == "2026-10-21"


def test_messages_client_counts_at_vertex(google: GoogleRig) -> None:
    answer = google.post("/v1/messages/count_tokens", {"model": CLAUDE, "messages": HELLO}, {**BEARER, "anthropic-version": "2023-06-01"})
    assert answer.json()["input_tokens"] > 0
    assert google.fake.seen[-1].path.endswith(b"/models/count-tokens:rawPredict")


@pytest.mark.parametrize("is_array", [False, True])
def test_messages_client_reads_the_platforms_fault_in_its_own_shape(google: GoogleRig, is_array: bool) -> None:
    google.fake.script(*[google_refusal(429, "Quota exceeded.", is_array=is_array, retry_delay="9.1s")] * 5)
    answer = google.post("/v1/messages", ask(CLAUDE))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert answer.json()["error"] == {"type": "rate_limit_error", "message": "Quota exceeded."}


def test_vertex_client_is_served_by_anthropic(google: GoogleRig) -> None:
    google.route(CLAUDE, google.rig.deployment)
    answer = google.post(f"{ANTHROPIC}:streamRawPredict", {**ASK, "stream": True})
    assert sse(answer.content)[-1] == "message_stop"
    sent = google.rig.fake.seen[-1].json()
    assert (sent["model"], sent["stream"], "anthropic_version" in sent) == (CLAUDE, True, False)


def test_next_deployment_takes_what_the_first_could_not(google: GoogleRig) -> None:
    google.route(CLAUDE, replace(google.vertex, region="x@evil"), replace(google.vertex, id="vertex-9"))
    assert google.post("/v1/messages", ask(CLAUDE)).status_code == 200
    assert len(google.fake.seen) == 1


# ── what opens the provider's door


def test_key_file_opens_vertex(google: GoogleRig) -> None:
    """R142."""
    access = open_google({"google_json": key_file(google.vertex.base_url)}, google.vertex)
    access.renew()
    google.route(CLAUDE, replace(google.vertex, access=access))
    assert google.post(f"{ANTHROPIC}:rawPredict", ASK).status_code == 200


@pytest.fixture
def theirs(house: House, limits: Limits) -> Iterator[GoogleRig]:
    """Vertex opens to the developer's own token only, and the deployment brings none."""
    with google_behind(house.rig(limits), FakeGoogle(token=OWN)) as google:
        google.route(CLAUDE, replace(google.vertex, access=None))
        yield google
        assert google.fake.problems() == []


def test_developers_own_token_passes_beside_the_key_in_proxy_authorization(theirs: GoogleRig) -> None:
    """R136."""
    headers = {"Proxy-Authorization": f"Bearer {ALICE}"}
    with AnthropicVertex(
        base_url=f"{theirs.rig.url}/vertex_ai/v1", region="us-east5", project_id="p", access_token=OWN, default_headers=headers
    ) as client:
        assert client.messages.create(model=CLAUDE, max_tokens=50, messages=HELLO).stop_reason == "end_turn"
    assert ALICE not in str(theirs.fake.seen[-1].headers)


@pytest.mark.parametrize("name", ["x-api-key", "x-goog-api-key", "x-litellm-api-key", "api-key"])
def test_developers_own_token_goes_nowhere_beside_a_key_in_another_header(theirs: GoogleRig, name: str) -> None:
    """R136."""
    answer = theirs.post(f"{ANTHROPIC}:rawPredict", ASK, {"authorization": f"Bearer {OWN}", name: ALICE})
    assert answer.status_code == 503
    assert not theirs.fake.seen


def test_developers_own_token_goes_to_no_other_door(theirs: GoogleRig) -> None:
    """R136."""
    answer = theirs.post("/v1/messages", ask(CLAUDE), {"authorization": f"Bearer {OWN}", "proxy-authorization": f"Bearer {ALICE}"})
    assert answer.status_code == 503
    assert not theirs.fake.seen


def test_developers_own_token_stays_here_where_the_deployment_has_a_credential(google: GoogleRig) -> None:
    """R136."""
    headers = {"authorization": f"Bearer {OWN}", "proxy-authorization": f"Bearer {ALICE}", "cookie": "a=b", "x-api-key": "sk-ant-theirs"}
    assert google.post(f"{ANTHROPIC}:rawPredict", ASK, headers).status_code == 200
    assert not {OWN, ALICE, "sk-ant-theirs"} & set(str(google.fake.seen[-1].headers).replace("'", " ").split())


def test_callers_key_is_never_taken_for_a_token(theirs: GoogleRig) -> None:
    """R136."""
    assert theirs.post(f"{ANTHROPIC}:rawPredict", ASK, BEARER).status_code == 503
    assert not theirs.fake.seen


def test_unknown_key_is_told_so_in_anthropics_words(google: GoogleRig) -> None:
    answer = google.post(f"{ANTHROPIC}:rawPredict", ASK, {"authorization": "Bearer sk-nobody"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")


def test_stream_that_breaks_ends_with_an_error_event(google: GoogleRig) -> None:
    google.fake.script(Answer(fault="reset", fault_after=4))
    answer = google.post(f"{ANTHROPIC}:streamRawPredict", {**ASK, "stream": True})
    assert sse(answer.content)[-1] == "error"
    assert summary(google.rig).is_estimated
