"""Recorded traffic of Gemini and of Vertex replayed through the door: every byte is relayed, and every figure is on record."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from proxy.limits import Limits
from tests.fakes.serving import serve_in_thread
from tests.proxy.door import summary
from tests.proxy.google_rig import GoogleRig, google_behind
from tests.proxy.house import House
from tests.proxy.talk import Player

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
DOORS = {"gemini": "/gemini", "vertex": "/vertex_ai"}
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the recorded traffic is not beside this checkout")
Pair = dict[str, Any]


def pairs(*, counts: bool) -> list[Any]:
    """What was recorded of Google's own tongue: calls that count tokens, or all others."""
    index = json.loads((CORPUS / "index.json").read_text()) if CORPUS.is_dir() else []
    found = [one for one in index if one["provider"] in DOORS and (one["endpoint"] == "countTokens") is counts]
    return [pytest.param(one, id=one["id"]) for one in found]


@pytest.fixture
def google(house: House, limits: Limits) -> Iterator[GoogleRig]:
    with google_behind(house.rig(limits)) as google:
        yield google


def replayed(google: GoogleRig, pair: Pair) -> tuple[bytes, bytes, Player]:
    """(what the provider said, what came through, the provider)."""
    recorded = (CORPUS / pair["response"]).read_bytes()
    asked = json.loads((CORPUS / pair["request"]).read_text())
    url = urlsplit(asked["url"])
    player = Player([recorded[:100], recorded[100:]], pair["response_headers"]["content-type"])
    deployment = google.gemini if pair["provider"] == "gemini" else google.vertex
    with serve_in_thread(player) as address:
        google.route(pair["model"], replace(deployment, base_url=address, model=pair["model"]))
        answer = google.post(f"{DOORS[pair['provider']]}{url.path}?{url.query}", asked["body"])
    assert answer.status_code == 200
    assert player.seen is not None
    assert player.seen.json() == asked["body"]
    return recorded, answer.content, player


def last_usage(recorded: bytes) -> dict[str, Any]:
    """What the provider counted, by a reading of its own."""
    text = recorded.decode()
    chunks = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")] or [text]
    usage: dict[str, Any] = json.loads(chunks[-1])["usageMetadata"]
    return usage


@needs_corpus
@pytest.mark.parametrize("pair", pairs(counts=False))
def test_recorded_answer_is_relayed_byte_for_byte_and_billed(google: GoogleRig, pair: Pair) -> None:
    """R143."""
    recorded, came, _ = replayed(google, pair)
    assert came == recorded
    record, told = summary(google.rig), last_usage(recorded)
    assert record.input_tokens + record.cache_read_tokens == told["promptTokenCount"] + told.get("toolUsePromptTokenCount", 0)
    assert record.cache_read_tokens == told.get("cachedContentTokenCount", 0)
    assert record.output_tokens == told["candidatesTokenCount"] + told.get("thoughtsTokenCount", 0)
    assert told["totalTokenCount"] == record.input_tokens + record.cache_read_tokens + record.output_tokens
    assert (record.is_estimated, record.outcome, bool(record.cost_nano)) == (False, "ok", True)


@needs_corpus
@pytest.mark.parametrize("pair", pairs(counts=True))
def test_recorded_count_is_relayed_and_free(google: GoogleRig, pair: Pair) -> None:
    recorded, came, _ = replayed(google, pair)
    assert (came, summary(google.rig).cost_nano) == (recorded, 0)


@needs_corpus
@pytest.mark.parametrize("pair", [one for one in pairs(counts=False) if "stream" in str(one.id)])
def test_recorded_stream_is_one_array_for_who_asks_for_one(google: GoogleRig, pair: Pair) -> None:
    asked = json.loads((CORPUS / pair["request"]).read_text())
    recorded = (CORPUS / pair["response"]).read_bytes()
    with serve_in_thread(Player([recorded], "text/event-stream")) as address:
        google.route(pair["model"], replace(google.gemini, base_url=address, model=pair["model"]))
        answer = google.post(f"/v1beta/models/{pair['model']}:streamGenerateContent", asked["body"])
    chunks = [json.loads(line.removeprefix("data: ")) for line in recorded.decode().splitlines() if line]
    assert answer.json() == chunks
    assert summary(google.rig).outcome == "ok"


@needs_corpus
def test_there_is_something_to_replay() -> None:
    assert (len(pairs(counts=False)), len(pairs(counts=True))) == (6, 1)
