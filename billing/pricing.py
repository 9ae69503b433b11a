"""cost(): usage × price → lines that add up. Integers only; each line is rounded once, half up, to a nano-USD."""

import msgspec

from billing.money import line_nano
from billing.snapshot import PriceBook, Rates
from billing.usage import Usage

# Anthropic asks a tenth more for inference kept in the US.
US_ONLY_NUMERATOR, US_ONLY_DENOMINATOR = 11, 10


class PriceLine(msgspec.Struct, frozen=True):
    """`count` units of `kind` at `unit_pico` each; `model` is set where a part was served by another model."""

    kind: str
    count: int
    unit_pico: int
    amount_nano: int
    model: str = ""


class Cost(msgspec.Struct, frozen=True):
    """The sum of its lines. `unpriced`: for some part nobody told us a price; the amount is then only the rest."""

    amount_nano: int
    lines: tuple[PriceLine, ...]
    unpriced: bool = False
    price_version: str = ""


def variant_of(usage: Usage) -> str:
    if usage.service_tier == "batch":
        return "batch"
    return "fast" if usage.speed == "fast" else ""


def cost(book: PriceBook, provider: str, model: str, usage: Usage, at: float) -> Cost:
    """What `usage` costs at the prices of epoch second `at`."""
    variant = variant_of(usage)
    price = book.find(provider, model, at, variant)
    lines: list[PriceLine] = []
    is_unpriced = False
    for part in usage.iterations or (usage,):
        part_price = price if part.model in {"", model} else book.find(provider, part.model, at, variant)
        if part_price is None:
            is_unpriced = True
        else:
            _add_lines(lines, part, part_price.rates(part.prompt_tokens), us_only=usage.inference_geo == "us")
    searches = usage.web_search_requests
    if searches and price is None:
        is_unpriced = True
    elif searches and price is not None:
        lines.append(PriceLine("web_search", searches, price.web_search, line_nano(searches, price.web_search)))
    amount = 0
    for line in lines:
        amount += line.amount_nano
    return Cost(amount, tuple(lines), is_unpriced, price.version if price else "")


def _add_lines(lines: list[PriceLine], part: Usage, rates: Rates, *, us_only: bool) -> None:
    for kind, tokens, unit in (
        ("input", part.input_tokens, rates.input),
        ("cache_read", part.cache_read_tokens, rates.cache_read),
        ("cache_write_5m", part.cache_write_5m_tokens, rates.cache_write_5m),
        ("cache_write_1h", part.cache_write_1h_tokens, rates.cache_write_1h),
        ("output", part.output_tokens, rates.output),
    ):
        if tokens:
            if us_only:
                unit = us_only_pico(unit)
            lines.append(PriceLine(kind, tokens, unit, line_nano(tokens, unit), part.model))


def us_only_pico(unit_pico: int) -> int:
    """The unit price of inference kept in the US, rounded half up to a whole pico-USD, so that a line shows the price it was made with."""
    return (unit_pico * US_ONLY_NUMERATOR * 2 + US_ONLY_DENOMINATOR) // (2 * US_ONLY_DENOMINATOR)
