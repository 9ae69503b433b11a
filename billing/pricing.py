"""cost(): usage × price → lines that add up. Integers only; each line is rounded once, half up, to a nano-USD."""

import re

import msgspec

from billing.money import line_nano
from billing.snapshot import VARIANTS, Price, PriceBook, Rates
from billing.usage import Usage

# Inference kept in one place costs a tenth more, where the price list does not name such endpoints by a model id of their own.
UPLIFT_NUMERATOR, UPLIFT_DENOMINATOR = 11, 10
US_ONLY_PROVIDERS = frozenset({"anthropic", "azure", "demo"})
ANYWHERE = frozenset({"", "global", "not_available"})
STANDARD = frozenset({"", "standard", "default", "auto", "standard_only", "scale", "on_demand"})
# Capacity that was paid for in advance, at the standard rates.
PREPAID = frozenset({("anthropic", "priority"), ("demo", "priority"), ("bedrock", "reserved"), ("vertex_ai", "provisioned_throughput")})
# What a provider calls a tier that we do not know: it has no price, whatever it is.
UNKNOWN = "unknown"
VERSION_CHARS = 60
# Claude models of before Google asked more for regional endpoints.
_without_uplift = re.compile(r"claude-(?:3|(?:4-)?(?:opus|sonnet)(?:-4)?(?:@|-0|-1|-2025|$))")


class PriceLine(msgspec.Struct, frozen=True):
    """`count` units of `kind` at `unit_pico` each; `model` is set where a part was served by another model."""

    kind: str
    count: int
    unit_pico: int
    amount_nano: int
    model: str = ""


class Cost(msgspec.Struct, frozen=True):
    """The sum of its lines. `unpriced`: for some part nobody told us a price; the amount is then only what is certain.

    `price_version` names the price and, after plus signs, what was special about the call: `+fast`, `+batch`, `+us`, `+regional`.
    """

    amount_nano: int
    lines: tuple[PriceLine, ...]
    unpriced: bool = False
    price_version: str = ""


def variant_of(provider: str, tier: str, speed: str) -> str:
    """Which price a call has by its service tier and speed; the dearer where it has both."""
    if speed not in STANDARD:
        return "fast" if speed == "fast" else UNKNOWN
    if tier in STANDARD or (provider, tier) in PREPAID:
        return ""
    return tier if tier in VARIANTS else UNKNOWN


def uplift_of(provider: str, model: str, geo: str) -> str:
    """The surcharge of inference kept in one place: `us`, `regional` (at Google, whose adapter tells the location as `geo`) or none.

    At Bedrock the model id says it and has its own price.
    """
    if provider in US_ONLY_PROVIDERS:
        return "us" if geo == "us" else ""
    if provider == "vertex_ai" and geo not in ANYWHERE and "claude" in model and not _without_uplift.search(model):
        return "regional"
    return ""


def cost(book: PriceBook, provider: str, model: str, usage: Usage, at: float) -> Cost:
    """What `usage` costs at the prices of epoch second `at`.

    A call dearer than standard (fast, priority, a tier we do not know) for which nobody told us a price is charged the standard price,
    which is the least that it can have cost, and marked unpriced.
    """
    variant = variant_of(provider, usage.service_tier, usage.speed)
    geo = usage.inference_geo
    main, is_known = _find(book, provider, model, at, variant)
    lines: list[PriceLine] = []
    is_unpriced = not is_known
    for part in usage.iterations or (usage,):
        served = part.model or model
        price = main
        if served != model:
            price, is_known = _find(book, provider, served, at, variant)
            is_unpriced = is_unpriced or not is_known
        if price is not None:
            _add_lines(lines, part, price.rates(part.prompt_tokens), is_dearer=bool(geo and uplift_of(provider, served, geo)))
    if usage.web_search_requests and main is not None:
        searches = usage.web_search_requests
        lines.append(PriceLine("web_search", searches, main.web_search, line_nano(searches, main.web_search)))
    amount = 0
    for line in lines:
        amount += line.amount_nano
    version = main.version if main is not None else ""
    if variant or geo:
        version = _qualified(version, variant, uplift_of(provider, model, geo))
    return Cost(amount, tuple(lines), is_unpriced, version)


def _qualified(version: str, *words: str) -> str:
    told = "".join(f"+{word}" for word in words if word)
    return version[: VERSION_CHARS - len(told)] + told


def _find(book: PriceBook, provider: str, model: str, at: float, variant: str) -> tuple[Price | None, bool]:
    """The price to charge by, and whether it is what the call really costs."""
    price = book.find(provider, model, at, variant)
    if price is not None or not variant:
        return price, price is not None
    return book.find(provider, model, at), False


def _add_lines(lines: list[PriceLine], part: Usage, rates: Rates, *, is_dearer: bool) -> None:
    for kind, tokens, unit in (
        ("input", part.input_tokens, rates.input),
        ("cache_read", part.cache_read_tokens, rates.cache_read),
        ("cache_write_5m", part.cache_write_5m_tokens, rates.cache_write_5m),
        ("cache_write_1h", part.cache_write_1h_tokens, rates.cache_write_1h),
        ("output", part.output_tokens, rates.output),
    ):
        if tokens:
            if is_dearer:
                unit = uplifted(unit)
            lines.append(PriceLine(kind, tokens, unit, line_nano(tokens, unit), part.model))


def uplifted(unit_pico: int) -> int:
    """A unit price with its surcharge, rounded half up to a whole pico-USD, so that a line shows the price it was made with."""
    return (unit_pico * UPLIFT_NUMERATOR * 2 + UPLIFT_DENOMINATOR) // (2 * UPLIFT_DENOMINATOR)
