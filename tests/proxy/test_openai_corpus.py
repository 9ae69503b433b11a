"""Recorded traffic of OpenAI, Azure, Bedrock's OpenAI models and compatibles, replayed through the public door."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from audit.requests import RequestSummary
from billing.catalogue import catalogue
from billing.snapshot import PriceBook
from proxy.limits import Limits
from proxy.meter import Meter
from routing.dialects.responses import RESPONSES
from tests.fakes.serving import serve_in_thread
from tests.proxy.door import plane, send, summary
from tests.proxy.house import House, Switch
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import Player

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
FAMILIES = ("openai", "azure-openai", "bedrock-mantle")
PIECE_BYTES = 61
Pair = dict[str, Any]

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the recorded traffic is not beside this checkout")


def recorded(**wanted: object) -> list[Pair]:
    """The pairs of these families whose entry has these values; none where there is no corpus."""
    index = CORPUS / "index.json"
    pairs = json.loads(index.read_text()) if index.is_file() else []
    return [one for one in pairs if one["provider"].startswith(FAMILIES) and wanted.items() <= one.items()]


def each(pairs: list[Pair]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pair", pairs, ids=[one["id"] for one in pairs])


def answered(pair: Pair) -> bytes:
    return Path(CORPUS / pair["response"]).read_bytes()


def asked(pair: Pair) -> Pair:
    """The request's body; Azure's may leave the model to the path."""
    body: Pair = json.loads((CORPUS / pair["request"]).read_text())["body"]
    return {"model": pair["model"], **body}


def told(pair: Pair) -> list[Pair]:
    """Every JSON text in an answer."""
    if pair["format"] == "json":
        return [json.loads(answered(pair))]
    lines = answered(pair).decode().splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


@pytest.fixture(scope="module")
def upstream() -> Iterator[tuple[str, Switch]]:
    switch = Switch(Player([]))
    with serve_in_thread(switch) as url:
        yield url, switch


@pytest.fixture
def rig(house: House, limits: Limits, upstream: tuple[str, Switch]) -> Rig:
    rig = house.rig(limits)
    plane(rig).snapshot = replace(plane(rig).snapshot, prices=PriceBook(catalogue=catalogue))
    rig.gateway.route("*", replace(rig.deployment, provider="openai", base_url=f"{upstream[0]}/v1"))
    return rig


def replay(rig: Rig, switch: Switch, pair: Pair) -> httpx.Response:
    """The recorded answer, in small pieces, to the recorded question."""
    body = answered(pair)
    pieces = [body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES)]
    kind = pair["response_headers"].get("content-type", "application/json")
    switch.app = Player(pieces, kind, status=pair["status"])
    path = "/v1/" + pair["endpoint"].removeprefix("v1/")
    return send(rig, json.dumps(asked(pair)).encode(), path=path, headers={"authorization": f"Bearer {ALICE}"})


def is_usage_alone(event: bytes) -> bool:
    return b'"choices":[]' in event and b'"usage":{' in event


def owed(pair: Pair) -> bytes:
    """What the caller has to get: all of it, but for a usage chunk that only we have asked for."""
    body = answered(pair)
    if pair["endpoint"] != "chat/completions" or not pair["stream"] or asked(pair).get("stream_options", {}).get("include_usage"):
        return body
    return b"\n\n".join(event for event in body.split(b"\n\n") if not is_usage_alone(event))


def usage_in(pair: Pair) -> Pair:
    """The last usage object of an answer, wherever it is."""
    found = [one.get("usage") or one.get("response", {}).get("usage") for one in told(pair)]
    return next((one for one in reversed(found) if one), {})


def figures(usage: Pair) -> tuple[int, int, int, int, int]:
    """(uncached, read from the cache, written to it, output, thinking) by OpenAI's words."""
    prompt: int = usage.get("prompt_tokens") or usage["input_tokens"]
    output: int = usage.get("completion_tokens") or usage.get("output_tokens", 0)
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    cached: int = details.get("cached_tokens") or usage.get("num_cached_tokens") or 0
    written: int = details.get("cache_write_tokens", 0)
    thought: int = (usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}).get("reasoning_tokens", 0)
    return prompt - cached - written, cached, written, output, thought


def metered(record: RequestSummary) -> tuple[int, int, int, int, int]:
    return (
        record.input_tokens,
        record.cache_read_tokens,
        record.cache_write_5m_tokens,
        record.output_tokens,
        record.thinking_tokens,
    )


@needs_corpus
@each(recorded())
def test_answer_is_relayed_byte_for_byte(rig: Rig, upstream: tuple[str, Switch], pair: Pair) -> None:
    """R50."""
    answer = replay(rig, upstream[1], pair)
    assert (answer.status_code, answer.content) == (pair["status"], owed(pair))


@needs_corpus
@each([pair for pair in recorded(status=200) if usage_in(pair)])
def test_usage_is_what_the_provider_told(rig: Rig, upstream: tuple[str, Switch], pair: Pair) -> None:
    replay(rig, upstream[1], pair)
    record = summary(rig)
    assert metered(record) == figures(usage_in(pair))
    assert (record.outcome, record.is_estimated) == ("ok", False)
    assert record.served_model in {one.get("model") or one.get("response", {}).get("model") for one in told(pair)}


@needs_corpus
@each(recorded(status=200, model="gpt-4o", endpoint="chat/completions"))
def test_cost_is_what_the_vendor_charges(rig: Rig, upstream: tuple[str, Switch], pair: Pair) -> None:
    """At 2.50 dollars a million tokens of input, 1.25 where cached, and 10 for output."""
    replay(rig, upstream[1], pair)
    fresh, cached, _, output, _ = figures(usage_in(pair))
    assert summary(rig).cost_nano == 2500 * fresh + 1250 * cached + 10_000 * output


@needs_corpus
@each([pair for pair in recorded(status=200) if not usage_in(pair)])
def test_answer_without_usage_is_estimated(rig: Rig, upstream: tuple[str, Switch], pair: Pair) -> None:
    """R13."""
    replay(rig, upstream[1], pair)
    record = summary(rig)
    assert (record.outcome, record.is_estimated) == ("ok", True)
    assert record.input_tokens > 0 and 20 < record.output_tokens < 60


@needs_corpus
@each([pair for pair in recorded() if pair["status"] >= 400])
def test_refusal_costs_nothing_and_is_on_record(rig: Rig, upstream: tuple[str, Switch], pair: Pair) -> None:
    replay(rig, upstream[1], pair)
    record = summary(rig)
    assert (record.cost_nano, record.error_source, record.error_message) == (0, "provider", told(pair)[0]["error"]["message"])


# R20
@needs_corpus
@each([pair for pair in recorded(status=200, stream=True) if pair["endpoint"].endswith("responses")])
def test_output_guessed_from_bytes_is_at_least_what_could_be_seen_of_it(pair: Pair) -> None:
    """R20. Thinking is hidden."""
    meter = Meter(RESPONSES)
    meter.feed(answered(pair))
    usage = meter.usage()
    assert meter.output_guess >= usage.output_tokens - usage.thinking_tokens
