"""What is held for a call before anybody knows: never less than it may cost, by the dearest rates and the size of recorded requests."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.catalogue import GENAI_PROVIDERS, catalogue, shipped
from billing.estimate import (
    CONTEXT_TOKENS,
    IMAGE_TOKENS,
    HoldRates,
    Manner,
    Unseen,
    hold_nano,
    hold_rates,
    input_tokens_bound,
    input_tokens_guess,
    unseen_in,
)
from billing.pricing import cost
from billing.snapshot import Price, PriceBook, Rates
from billing.usage import Usage

NOW = 1_795_000_000.0
BOOK = PriceBook(catalogue=catalogue)
CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
# What a provider's own servers add to a call: nothing in the request tells how much.
BY_THE_PROVIDER = {
    "web-search", "web-fetch", "code-execution", "code-interpreter", "file-search", "tool-search", "advisor", "usage-iterations",
}  # fmt: skip
KINDS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
CLAUDES = [("anthropic", model) for model in shipped.models("anthropic")]
OTHERS = [(provider, model) for provider in GENAI_PROVIDERS for model in shipped.models(provider) if catalogue(provider, model, "")]


# R18
def test_longest_prompt_and_an_hour_of_cache_are_held_for() -> None:
    bands = (Rates(10, 50, 1, 12, 20), Rates(20, 70, 2, 25, 40, 1000))
    book = PriceBook({("p", "m"): (Price("v", bands),)})
    assert hold_rates(book, "p", "m", 0) == HoldRates(40, 70)


def test_unpriced_model_has_no_rates() -> None:
    assert hold_rates(PriceBook(), "p", "m", 0) is None


# R18
@pytest.mark.parametrize(
    ("model", "manner", "rates"),
    [
        ("claude-opus-5-5", Manner(geo="global"), HoldRates(8_000_000, 20_000_000)),
        ("claude-opus-5-5", Manner(), HoldRates(8_800_000, 22_000_000)),
        ("claude-opus-5-5", Manner(geo="us"), HoldRates(8_800_000, 22_000_000)),
        ("claude-opus-5-5", Manner("fast", geo="global"), HoldRates(16_000_000, 40_000_000)),
        ("claude-opus-5-5", Manner(tier="batch", geo="global"), HoldRates(8_000_000, 20_000_000)),
        ("claude-opus-5-5", Manner(tier="auto", geo="global"), HoldRates(8_000_000, 20_000_000)),
        ("claude-haiku-5-5", Manner(geo="global"), HoldRates(1_000_000, 2_500_000)),
        ("claude-opus-4-7", Manner("fast"), None),
        ("claude-opus-5-5", Manner("warp"), None),
    ],
)
def test_rates_are_the_dearest_that_the_call_may_have(model: str, manner: Manner, rates: HoldRates | None) -> None:
    assert hold_rates(BOOK, "anthropic", model, NOW, manner) == rates


def test_regional_surcharge_is_held_for_until_the_call_says_global() -> None:
    held = [hold_rates(BOOK, "vertex_ai", "claude-opus-5-5", NOW, Manner(geo=geo)) for geo in ("", "europe-west1", "global")]
    assert [rates and rates.output_pico for rates in held] == [22_000_000, 22_000_000, 20_000_000]


counts = st.integers(0, 10**6)
manners = st.builds(Manner, st.sampled_from(["", "fast"]), st.sampled_from(["", "batch", "flex"]), st.sampled_from(["", "us", "global"]))


# R18
@given(st.sampled_from(CLAUDES + OTHERS), st.builds(Usage, counts, counts, counts, counts, counts), manners)
def test_call_of_known_size_never_costs_more_than_is_held(of: tuple[str, str], usage: Usage, manner: Manner) -> None:
    told = msgspec.structs.replace(usage, service_tier=manner.tier, speed=manner.speed, inference_geo=manner.geo)
    rates = hold_rates(BOOK, *of, NOW, manner)
    found = cost(BOOK, *of, told, NOW)
    assert rates is not None or found.unpriced
    held = hold_nano(rates or HoldRates(10**12, 10**12), told.prompt_tokens, told.output_tokens)
    # each line is rounded half up by itself
    assert found.amount_nano <= held + len(KINDS)


@given(st.integers(0, 10**9), st.integers(0, 10**9), counts, counts)
def test_hold_is_rounded_up(fresh: int, output: int, inputs: int, outputs: int) -> None:
    exact = fresh * inputs + output * outputs
    assert 0 <= hold_nano(HoldRates(fresh, output), inputs, outputs) * 1000 - exact < 1000


@given(st.integers(0, 10**8))
def test_bound_is_never_below_the_guess_until_no_window_is_longer(size: int) -> None:
    assert input_tokens_bound(size) >= min(input_tokens_guess(size), CONTEXT_TOKENS)


@pytest.mark.parametrize(
    ("body", "unseen"),
    [
        (b'{"type": "text", "text": "an image of a document"}', Unseen()),
        (b'{"text": "{\\"type\\": \\"image\\"}"}', Unseen()),
        (b'[{"type":"image","source":{}},{"type" : "image"}]', Unseen(images=2)),
        (b'{"type":"\\u0069mage"}', Unseen(images=1)),
        (b'{"type":"document","source":{"type":"base64"}}', Unseen(documents=1)),
        (b'{"source":{"type":"file","file_id":"file_1"}}', Unseen(documents=1)),
        (b'[{"type":"web_search_20260318","name":"web_search"}]', Unseen(provider_tools=1)),
    ],
)
def test_what_bytes_do_not_bound_is_found(body: bytes, unseen: Unseen) -> None:
    assert unseen_in([body]) == unseen


# R21
def test_unseen_things_are_counted_at_their_most() -> None:
    plain = input_tokens_bound(100)
    assert input_tokens_bound(100, Unseen(images=2)) == plain + 2 * IMAGE_TOKENS
    assert input_tokens_bound(100, Unseen(documents=1)) == CONTEXT_TOKENS


def recorded() -> Iterator[tuple[str, set[str], bytes, int]]:
    """(id, what is special, request body, tokens of input) of every recorded call that told its usage."""
    for entry in json.loads((CORPUS / "index.json").read_text()):
        body = json.loads((CORPUS / entry["request"]).read_text())["body"]
        raw = body if isinstance(body, str) else json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        told = max(map(prompt, usages(CORPUS / entry["response"])), default=0) if entry["status"] == 200 else 0
        yield entry["id"], set(entry["features"]), raw.encode(), told


def usages(path: Path) -> Iterator[dict[str, Any]]:
    """Every usage object in an answer, whatever frames it."""
    text = path.read_bytes().decode("utf-8", "replace")
    for match in re.finditer(r'"usage(?:Metadata)?"\s*:\s*(?=\{)', text):
        yield json.JSONDecoder().raw_decode(text, match.end())[0]


def prompt(usage: dict[str, Any]) -> int:
    """All input, by whichever vendor's names."""
    whole = usage.get("prompt_tokens") or usage.get("promptTokenCount") or 0
    parts = ("cache_read_input_tokens", "cache_creation_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    fresh = usage.get("input_tokens") or usage.get("inputTokens") or 0
    return int(whole or fresh + sum(usage.get(name) or 0 for name in parts))


@pytest.fixture(scope="module")
def calls() -> list[tuple[str, set[str], bytes, int]]:
    if not (CORPUS / "index.json").exists():
        pytest.skip("the recorded traffic is not there")
    found = [call for call in recorded() if call[3]]
    assert len(found) > 50
    return found


# R18 R21
def test_recorded_input_costs_no_more_than_is_held_for_it(calls: list[tuple[str, set[str], bytes, int]]) -> None:
    """At Claude's prices: a hold of the guess at the rate of an hour's cache write, against fresh input."""
    rates = hold_rates(BOOK, "anthropic", "claude-sonnet-4-6", NOW, Manner(geo="global"))
    assert rates is not None
    own = [call for call in calls if not call[1] & BY_THE_PROVIDER]
    held = {name: hold_nano(rates, input_tokens_guess(len(body)), 0) for name, _, body, _ in own}
    paid = {name: cost(BOOK, "anthropic", "claude-sonnet-4-6", Usage(tokens), NOW).amount_nano for name, _, _, tokens in own}
    assert len(own) > 40
    assert [name for name in held if paid[name] > held[name]] == []


def test_recorded_input_is_within_the_guess_but_for_an_outlier(calls: list[tuple[str, set[str], bytes, int]]) -> None:
    own = [call for call in calls if not call[1] & BY_THE_PROVIDER]
    over = [name for name, _, body, tokens in own if tokens > input_tokens_guess(len(body))]
    assert over == ["107-openai-chat-completions"]


# R21
def test_recorded_input_is_within_the_bound(calls: list[tuple[str, set[str], bytes, int]]) -> None:
    own = [call for call in calls if not call[1] & BY_THE_PROVIDER]
    assert [name for name, _, body, tokens in own if tokens > input_tokens_bound(len(body), unseen_in([body]))] == []


def test_rates_follow_the_price_in_force() -> None:
    old, new = Price("old", (Rates(1, 1, 1, 1, 1),)), Price("new", (Rates(2, 2, 2, 2, 2),), starts_at=100)
    book = PriceBook({("p", "m"): (new, replace(old, starts_at=0))})
    assert [hold_rates(book, "p", "m", at) for at in (99, 100)] == [HoldRates(1, 1), HoldRates(2, 2)]
