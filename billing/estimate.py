"""How much an attempt may cost before anybody knows: input by its size, output by its grant, at the dearest rates. Pure.

What providers add of their own accord (what their servers search and fetch, helpers of another model) no request tells; see docs/prices.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from billing.money import PICO_PER_NANO
from billing.pricing import uplift_of, uplifted, variant_of
from billing.snapshot import DISCOUNTS, PriceBook

# Two and a half bytes a token is what tool definitions and code take at the most, prose takes four.
BYTES_NUMERATOR, BYTES_DENOMINATOR = 5, 2
# What tools bring along unseen: a system prompt of the provider's own, up to some hundred tokens.
UNSEEN_TOKENS = 512

# The most that a provider charges for one picture, and for a tool of its own that is offered.
IMAGE_TOKENS = 5_000
PROVIDER_TOOL_TOKENS = 4_000
# A document of some bytes may have as many pages as fit the largest context window there is.
CONTEXT_TOKENS = 1_000_000
# A letter can be written as an escape, so that a word is not found: each such escape counts as a picture.
_image = re.compile(rb'"image(?:_url)?"|"input_image"|"inlineData"|\\u00[4-7]')
_document = re.compile(rb'"document"|"file_id"|"file_data"|"input_file"|"fileData"')
_provider_tool = re.compile(
    rb'_20\d{6}"|"type"\s*:\s*"(?:web_search(?:_preview)?|file_search|code_interpreter|image_generation|mcp|item_reference)"'
)


class HoldRates(NamedTuple):
    """Pico-USD per token."""

    input_pico: int
    output_pico: int


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a request brings in that its bytes do not bound."""

    images: int = 0
    documents: int = 0
    provider_tools: int = 0


NOTHING_UNSEEN = Unseen()


@dataclass(frozen=True, slots=True)
class Manner:
    """How a call asks to be made, in the provider's words; empty where it does not say."""

    speed: str = ""
    tier: str = ""
    geo: str = ""


ANYHOW = Manner()


def hold_rates(book: PriceBook, provider: str, model: str, at: float, manner: Manner = ANYHOW) -> HoldRates | None:
    """The dearest rates that may apply, or None: unpriced.

    That is: its longest prompt's band, cache writes for an hour, and a surcharge for the place that the provider may choose by itself.
    Discounts are not counted on.
    """
    price = dearer = book.find(provider, model, at)
    variant = variant_of(provider, manner.tier, manner.speed) if manner is not ANYHOW else ""
    if variant and variant not in DISCOUNTS:
        dearer = book.find(provider, model, at, variant)
    if price is None or dearer is None:
        return None
    # a provider short of fast capacity may make the call at standard speed
    fresh, output = max(price.dearest_input, dearer.dearest_input), max(price.dearest_output, dearer.dearest_output)
    return _uplifted(fresh, output) if uplift_of(provider, model, manner.geo or "us") else HoldRates(fresh, output)


@lru_cache(maxsize=1024)
def _uplifted(input_pico: int, output_pico: int) -> HoldRates:
    return HoldRates(uplifted(input_pico), uplifted(output_pico))


def input_tokens_guess(request_bytes: int) -> int:
    """Input tokens from the size of a request, on the high side for text."""
    return UNSEEN_TOKENS + -(-request_bytes * BYTES_DENOMINATOR // BYTES_NUMERATOR)


def input_tokens_bound(request_bytes: int, unseen: Unseen = NOTHING_UNSEEN) -> int:
    """More input than a request of that size can have: no token of text is shorter than a byte, and no input longer than a window."""
    added = unseen.images * IMAGE_TOKENS + unseen.documents * CONTEXT_TOKENS + unseen.provider_tools * PROVIDER_TOOL_TOKENS
    return min(UNSEEN_TOKENS + request_bytes + added, CONTEXT_TOKENS)


def unseen_in(parts: Iterable[bytes]) -> Unseen:
    """What JSON texts bring in that their bytes do not bound; a text that only talks of such things counts too."""
    images = documents = tools = 0
    for part in parts:
        images += len(_image.findall(part))
        documents += len(_document.findall(part))
        tools += len(_provider_tool.findall(part))
    return Unseen(images, documents, tools)


def hold_nano(rates: HoldRates, input_tokens: int, output_tokens: int) -> int:
    """Rounded up."""
    return -(-(rates.input_pico * input_tokens + rates.output_pico * output_tokens) // PICO_PER_NANO)
