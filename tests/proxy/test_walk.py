"""The walk through the public door, in front of the fake provider."""

import httpx
import pytest

from tests.proxy.rig import ALICE, Rig

ASK = {"model": "claude-opus-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}


def headers(token: str = ALICE) -> dict[str, str]:
    return {"x-api-key": token, "anthropic-version": "2023-06-01"}


def test_whole_answer_passes_and_is_priced(rig: Rig) -> None:
    answer = httpx.post(f"{rig.url}/v1/messages", json=ASK, headers=headers())
    assert answer.status_code == 200, answer.text
    entry = rig.gateway.closings()[0]
    assert answer.headers["request-id"] == entry.summary.id
    assert entry.summary.outcome == "ok"
    assert entry.summary.cost_nano == sum(line.amount_nano for line in entry.summary.price_lines) > 0
    assert [posting.attempt_id for posting in entry.postings] == [f"{entry.summary.id}.1"]


def test_stream_passes_byte_for_byte(rig: Rig) -> None:
    answer = httpx.post(f"{rig.url}/v1/messages", json={**ASK, "stream": True}, headers=headers())
    direct = rig.fake.seen[-1]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n') or "message_stop" in answer.text
    assert direct.sent_bytes == len(answer.content)
    assert rig.gateway.closings()[0].summary.outcome == "ok"


@pytest.mark.parametrize("path", ["/v1/messages", "/anthropic/v1/messages", "/v1/v1/messages", "/v1/messages/"])
def test_every_spelling_of_the_path_is_served(rig: Rig, path: str) -> None:
    assert httpx.post(rig.url + path, json=ASK, headers=headers()).status_code == 200
