"""Recorded traffic of Bedrock through the gateway: bytes relayed as they were, usage and cost as the recording tells them. R43, R50."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from botocore.eventstream import EventStreamBuffer

from billing.catalogue import catalogue
from billing.pricing import cost
from billing.snapshot import PriceBook
from billing.usage import Usage
from proxy.limits import Limits
from proxy.meter import Meter
from routing.dialects.base import Dialect
from routing.dialects.converse import CONVERSE
from routing.dialects.invoke_other import INVOKE_OTHER
from routing.snapshot import DeploymentSnapshot
from tests.fakes.serving import serve_in_thread
from tests.proxy.bedrock_rig import BEARER
from tests.proxy.door import TRUST, summary
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import PATIENCE_S, Player

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
SPOKEN: dict[str, Dialect] = {"invoke-with-response-stream": INVOKE_OTHER, "converse-stream": CONVERSE}
HEADERS = {"content-type", "x-amzn-requestid", "x-amzn-errortype", "x-amzn-bedrock-content-type"}


@dataclass(frozen=True)
class Pair:
    """One recorded call."""

    id: str
    model: str
    verb: str
    status: int
    request: Any
    response: bytes
    headers: tuple[tuple[str, str], ...]

    @property
    def is_mantle(self) -> bool:
        return self.verb == "responses"

    @property
    def path(self) -> str:
        return "/v1/responses" if self.is_mantle else f"/bedrock/model/{self.model}/{self.verb}"


def pairs() -> list[Pair]:
    index = CORPUS / "index.json"
    rows = json.loads(index.read_text()) if index.is_file() else []
    return [_pair(row) for row in rows if row["provider"].startswith("bedrock")]


def _pair(row: dict[str, Any]) -> Pair:
    request = json.loads((CORPUS / row["request"]).read_text())
    parts = urlsplit(request["url"]).path.split("/")
    kept = [(name, value) for name, value in row["response_headers"].items() if name in HEADERS or "token-count" in name]
    model = row["model"] if parts[-1] == "responses" else unquote(parts[2])
    return Pair(row["id"], model, parts[-1], row["status"], request["body"], (CORPUS / row["response"]).read_bytes(), tuple(kept))


PAIRS = pairs()
GOOD = [pair for pair in PAIRS if pair.status == 200]
BILLED = [pair for pair in GOOD if pair.verb != "count-tokens"]
pytestmark = pytest.mark.skipif(not PAIRS, reason="the recorded traffic is not beside this checkout")


@pytest.fixture
def rig(house: House, limits: Limits) -> Iterator[Rig]:
    yield house.rig(limits)


def replay(rig: Rig, pair: Pair) -> tuple[httpx.Response, Player]:
    """The recorded request asked of the gateway, the recorded answer given to it in small pieces."""
    pieces = [pair.response[at : at + 97] for at in range(0, len(pair.response), 97)]
    headers = tuple(field for field in pair.headers if field[0] != "content-type")
    player = Player(pieces, dict(pair.headers).get("content-type", "application/json"), headers, pair.status)
    with serve_in_thread(player) as url, httpx.Client(verify=TRUST, timeout=PATIENCE_S) as client:
        deployment = DeploymentSnapshot("bed-1", "bed", "bedrock", pair.model, base_url=url, secret="k", region="us-east-1")
        rig.gateway.route(pair.model, deployment)
        return client.post(rig.url + pair.path, json=pair.request, headers=BEARER), player


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.id)
def test_answer_reaches_the_caller_byte_for_byte(rig: Rig, pair: Pair) -> None:
    """R50."""
    answer, player = replay(rig, pair)
    assert player.seen is not None
    assert (answer.status_code, answer.content) == (pair.status, pair.response)
    assert {name: answer.headers.get(name) for name, _ in pair.headers if name != "x-amzn-requestid"} == {
        name: value for name, value in pair.headers if name != "x-amzn-requestid"
    }


@pytest.mark.parametrize("pair", [pair for pair in GOOD if pair.verb != "count-tokens"], ids=lambda pair: pair.id)
def test_request_reaches_bedrock_as_it_was_recorded(rig: Rig, pair: Pair) -> None:
    _, player = replay(rig, pair)
    assert player.seen is not None
    assert player.seen.json() == pair.request
    assert player.seen.path.decode().endswith(pair.verb)


def frames(pair: Pair) -> list[dict[str, Any]]:
    buffer = EventStreamBuffer()
    buffer.add_data(pair.response)
    return [json.loads(message.payload) for message in buffer]


def told(pair: Pair) -> tuple[int, int, int, int]:
    """(uncached input, cache reads, cache writes, output) as the recording tells them."""
    match pair.verb:
        case "converse":
            return by_name(json.loads(pair.response).get("usage", {}), "{}s")
        case "converse-stream":
            return by_name(frames(pair)[-1]["usage"], "{}s")
        case "invoke":
            return by_header(dict(pair.headers))
        case "invoke-with-response-stream":
            event = json.loads(base64.b64decode(frames(pair)[-1]["bytes"]))
            return by_name(event["amazon-bedrock-invocationMetrics"], "{}Count")
        case _:
            return of_responses(pair)


def by_name(usage: dict[str, int], form: str) -> tuple[int, int, int, int]:
    names = ("inputToken", "cacheReadInputToken", "cacheWriteInputToken", "outputToken")
    fresh, read, written, output = (usage.get(form.format(name), 0) for name in names)
    return fresh, read, written, output


def by_header(headers: dict[str, str]) -> tuple[int, int, int, int]:
    names = ("input", "cache-read-input", "cache-write-input", "output")
    fresh, read, written, output = (int(headers.get(f"x-amzn-bedrock-{name}-token-count", "0")) for name in names)
    return fresh, read, written, output


def of_responses(pair: Pair) -> tuple[int, int, int, int]:
    """Mantle puts an event's name after its data."""
    found = json.loads(pair.response.rpartition(b"data: ")[2].partition(b"\nevent: ")[0])
    usage = found.get("response", found)["usage"]
    details = usage["input_tokens_details"]
    read, written = details.get("cached_tokens", 0), details.get("cache_write_tokens", 0)
    return usage["input_tokens"] - read - written, read, written, usage["output_tokens"]


@pytest.mark.parametrize("pair", BILLED, ids=lambda pair: pair.id)
def test_usage_and_cost_are_those_of_the_recording(rig: Rig, pair: Pair) -> None:
    """R43."""
    replay(rig, pair)
    record = summary(rig)
    fresh, read, written, output = told(pair)
    assert (record.input_tokens, record.cache_read_tokens, record.output_tokens) == (fresh, read, output)
    assert record.cache_write_5m_tokens + record.cache_write_1h_tokens == written
    assert (record.outcome, record.is_estimated) == ("ok", False)
    usage = Usage(fresh, read, record.cache_write_5m_tokens, record.cache_write_1h_tokens, output)
    expected = cost(PriceBook(catalogue=catalogue), "bedrock", pair.model, usage, time.time())
    assert (record.cost_nano, record.is_unpriced) == (expected.amount_nano, False)


STREAMS = [pair for pair in BILLED if pair.verb in SPOKEN]


@pytest.mark.parametrize("pair", STREAMS, ids=lambda pair: pair.id)
def test_output_guessed_from_bytes_is_at_least_what_bedrock_counted(pair: Pair) -> None:
    """R20: for a stream that is cut before its figures come."""
    meter = Meter(SPOKEN[pair.verb])
    meter.feed(pair.response)
    assert told(pair)[3] <= meter.output_guess < 12 * told(pair)[3]


def test_counts_and_refusals_cost_nothing(rig: Rig) -> None:
    free = [pair for pair in PAIRS if pair not in BILLED]
    for pair in free:
        replay(rig, pair)
    assert len(free) > 3
    assert {entry.summary.cost_nano or 0 for entry in rig.gateway.closings(len(free))} == {0}
