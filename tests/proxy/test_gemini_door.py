"""Gemini's own clients through the public door, served by Vertex AI and by the Gemini API."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from keys.snapshot import ModelList
from proxy.limits import Limits
from tests.fakes.google import google_refusal, usage_of
from tests.fakes.script import Answer
from tests.proxy.door import check_refusal, know, summary
from tests.proxy.google_rig import BEARER, CONTENTS, GEMINI, GOOGLE, GoogleRig, google_behind
from tests.proxy.house import House
from tests.proxy.rig import ALICE

KEY = {"x-goog-api-key": ALICE}
PLAIN = f"/v1beta/models/{GEMINI}"
CACHED = {**usage_of(100, 20, 7), "cachedContentTokenCount": 60, "toolUsePromptTokenCount": 5}


@pytest.fixture
def google(house: House, limits: Limits) -> Iterator[GoogleRig]:
    with google_behind(house.rig(limits)) as google:
        yield google
        assert google.fake.problems() == []


@pytest.fixture(params=["vertex", "gemini"])
def served(google: GoogleRig, request: pytest.FixtureRequest) -> GoogleRig:
    """By one provider, then by the other."""
    google.route(GEMINI, replace(getattr(google, request.param), model=GEMINI))
    return google


def texts(chunks: list[dict[str, Any]]) -> str:
    return "".join(part["text"] for chunk in chunks for candidate in chunk["candidates"] for part in candidate["content"]["parts"])


@pytest.mark.parametrize("path", [PLAIN, f"/gemini{PLAIN}", f"/gemini/v1/models/{GEMINI}", GOOGLE])
def test_whole_answer_passes_from_every_door(served: GoogleRig, path: str) -> None:
    answer = served.post(f"{path}:generateContent", CONTENTS, KEY)
    assert (answer.status_code, texts([answer.json()])) == (200, "Hello from Gemini.")
    assert served.fake.seen[-1].json() == CONTENTS


def test_call_is_on_record_with_its_cost(served: GoogleRig) -> None:
    """R143."""
    served.fake.script(Answer(usage=CACHED))
    served.post(f"{PLAIN}:generateContent", CONTENTS, KEY)
    record = summary(served.rig)
    assert (record.input_tokens, record.cache_read_tokens, record.output_tokens, record.thinking_tokens) == (45, 60, 27, 7)
    assert (record.stop_reason, record.served_model, record.outcome, record.is_estimated) == ("STOP", GEMINI, "ok", False)
    assert served.fake.bill.rows[0].usage["output_tokens"] == record.output_tokens


def test_stream_passes_as_events(served: GoogleRig) -> None:
    answer = served.post(f"{PLAIN}:streamGenerateContent?alt=sse", CONTENTS, KEY)
    assert answer.headers["content-type"] == "text/event-stream"
    chunks = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\r\n\r\n") if line]
    assert (len(chunks), texts(chunks)) == (3, "Hello from Gemini.")
    assert (summary(served.rig).output_tokens, summary(served.rig).outcome) == (17, "ok")


@pytest.mark.parametrize("query", ["", "?alt=json", "?prettyPrint=true"])
def test_stream_is_an_array_where_events_are_not_asked_for(served: GoogleRig, query: str) -> None:
    answer = served.post(f"{PLAIN}:streamGenerateContent{query}", CONTENTS, KEY)
    assert answer.headers["content-type"].startswith("application/json")
    assert (len(answer.json()), texts(answer.json())) == (3, "Hello from Gemini.")
    assert (summary(served.rig).output_tokens, summary(served.rig).outcome) == (17, "ok")


def test_tool_call_is_noted(served: GoogleRig) -> None:
    served.fake.script(Answer(blocks=({"functionCall": {"name": "look_up", "args": {}}, "thoughtSignature": "c2ln"},)))
    answer = served.post(f"{PLAIN}:streamGenerateContent?alt=sse", CONTENTS, KEY)
    assert b'"thoughtSignature":"c2ln"' in answer.content
    assert summary(served.rig).tools == ["look_up"]


def test_tokens_are_counted_for_nothing(served: GoogleRig) -> None:
    answer = served.post(f"{PLAIN}:countTokens", CONTENTS, KEY)
    assert answer.json()["totalTokens"] > 0
    assert summary(served.rig).cost_nano == 0


def test_vectors_are_billed_by_what_goes_in(served: GoogleRig) -> None:
    answer = served.post(f"{PLAIN}:embedContent", {"content": {"parts": [{"text": "Hello"}]}}, KEY)
    assert answer.json()["embedding"]["values"] == [0.25, -0.5]
    record = summary(served.rig)
    assert (record.input_tokens, record.output_tokens, record.is_estimated) == (
        answer.json()["usageMetadata"]["promptTokenCount"],
        0,
        False,
    )


def test_many_texts_are_embedded_at_once_by_the_gemini_api(google: GoogleRig) -> None:
    google.route(GEMINI, google.gemini)
    request = {"model": f"models/{GEMINI}", "content": {"parts": [{"text": "Hello"}]}}
    answer = google.post(f"{PLAIN}:batchEmbedContents", {"requests": [request, request]}, KEY)
    assert (answer.status_code, google.fake.seen[-1].json()) == (200, {"requests": [request, request]})
    assert summary(google.rig).input_tokens == answer.json()["usageMetadata"]["promptTokenCount"]


def test_vectors_without_a_figure_are_billed_by_the_size_of_the_request(served: GoogleRig) -> None:
    served.fake.script(Answer(body=b'{"embedding":{"values":[%s]}}' % b",".join([b"0.123456789"] * 3000)))
    served.post(f"{PLAIN}:embedContent", {"content": {"parts": [{"text": "Hello"}]}}, KEY)
    record = summary(served.rig)
    assert (record.input_tokens > 0, record.output_tokens <= 1, record.is_estimated) == (True, True, True)


@pytest.mark.parametrize("headers", [BEARER, KEY, {"x-api-key": ALICE}, {"x-litellm-api-key": ALICE}])
def test_key_may_stand_in_any_header(google: GoogleRig, headers: dict[str, str]) -> None:
    assert google.post(f"{PLAIN}:generateContent", CONTENTS, headers).status_code == 200


def test_key_in_the_query_stays_here(google: GoogleRig) -> None:
    """R136."""
    google.route(GEMINI, google.gemini)
    answer = google.post(f"{PLAIN}:streamGenerateContent?key={ALICE}&alt=sse", CONTENTS, {})
    assert (answer.status_code, google.fake.seen[-1].query) == (200, b"alt=sse")


def test_call_without_a_key_is_told_so_in_googles_words(google: GoogleRig) -> None:
    error = google.post(f"{PLAIN}:generateContent", CONTENTS, {}).json()["error"]
    assert (error["code"], error["status"]) == (401, "UNAUTHENTICATED")
    assert "No key was sent" in error["message"]


def test_model_that_is_not_open_to_the_key_is_refused_by_the_path(google: GoogleRig) -> None:
    headers = know(google.rig, "narrow", model_lists=(ModelList.of(["claude-haiku"]),))
    error = google.post(f"{PLAIN}:generateContent", CONTENTS, headers).json()["error"]
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    assert not google.fake.seen


def test_body_that_is_no_call_is_refused_in_googles_words(google: GoogleRig) -> None:
    answer = google.post(f"{PLAIN}:generateContent", b'{"contents":')
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert answer.json()["error"]["details"][0]["reason"] == "INVALID_REQUEST"


@pytest.mark.parametrize("path", [
    f"{PLAIN}:batchGenerateContent", f"{PLAIN}:predict", PLAIN, "/v1beta/cachedContents", "/v1beta/files",
    f"/gemini/v9/models/{GEMINI}:generateContent", "/gemini/v1beta/models/..%2f..:generateContent",
])  # fmt: skip
def test_anything_else_is_not_there(google: GoogleRig, path: str) -> None:
    """R140, R141."""
    answer = google.post(path, CONTENTS, KEY)
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
    assert not google.fake.seen


def test_providers_refusal_passes_as_it_came(served: GoogleRig) -> None:
    refusal = google_refusal(400, "Request contains an invalid argument.")
    served.fake.script(refusal)
    answer = served.post(f"{PLAIN}:generateContent", CONTENTS, KEY)
    assert (answer.status_code, answer.content) == (400, refusal.body)
    assert (summary(served.rig).error_code, summary(served.rig).error_source) == ("invalid_request_error", "provider")


def test_next_deployment_takes_what_the_first_could_not(google: GoogleRig) -> None:
    google.route(GEMINI, replace(google.vertex, model=GEMINI), google.gemini)
    google.fake.script(*[google_refusal(503, "Overloaded.")])
    assert google.post(f"{PLAIN}:generateContent", CONTENTS, KEY).status_code == 200
    assert len(google.fake.seen) == 2


def test_stream_that_breaks_ends_with_an_error(served: GoogleRig) -> None:
    served.fake.script(Answer(fault="reset", fault_after=2))
    answer = served.post(f"{PLAIN}:streamGenerateContent?alt=sse", CONTENTS, KEY)
    last = json.loads(answer.text.strip().rpartition("data: ")[2])
    assert (last["error"]["code"], summary(served.rig).is_estimated) == (502, True)


def test_array_that_breaks_is_closed_by_an_error(served: GoogleRig) -> None:
    served.fake.script(Answer(fault="end", fault_after=2))
    answer = served.post(f"{PLAIN}:streamGenerateContent", CONTENTS, KEY)
    assert [next(iter(element)) for element in answer.json()] == ["candidates", "candidates", "error"]


def test_messages_client_is_told_that_gemini_is_not_served_to_it_yet(google: GoogleRig) -> None:
    answer = google.post("/v1/messages", {"model": GEMINI, "max_tokens": 5, "messages": []})
    check_refusal(answer, 503, "no_deployment", "gateway")
