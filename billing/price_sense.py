"""Whether somebody's price can be meant: a wrong unit, a slip of some zeros. Pure."""

from billing.money import PICO_PER_USD_PER_MILLION, usd_per_million
from billing.snapshot import VARIANTS, WEB_SEARCH_PICO

LARGEST_PICO = 10**18
# What a token costs in the middle of the shipped list.
USUAL_INPUT, USUAL_OUTPUT = 3 * PICO_PER_USD_PER_MILLION // 2, 8 * PICO_PER_USD_PER_MILLION
USUAL = {
    "input_pico": USUAL_INPUT,
    "output_pico": USUAL_OUTPUT,
    "cache_read_pico": USUAL_INPUT,
    "cache_write_5m_pico": USUAL_INPUT,
    "cache_write_1h_pico": USUAL_INPUT,
    "web_search_pico": WEB_SEARCH_PICO,
}
MANY_TIMES = 1_000
# Cached tokens of small models cost a few thousandths of what is usual; a millionth is a price per token.
TINY_PART = 10_000


def problem_with_rate(name: str, pico: object) -> str:
    """Why this cannot be a price, or nothing. Zero is one: it says that something is free."""
    if type(pico) is not int or not 0 <= pico <= LARGEST_PICO:
        return "A price is 0 or more; leave it out where there is none."
    usual = USUAL[name]
    shown = _shown(name, pico)
    if pico > usual * MANY_TIMES:
        told = f"{shown} is {pico // usual:,} times what is usual."
        return f"{told} Prices are in US dollars {_unit(name)}: is this one in another unit, or a zero too long?"
    if 0 < pico * TINY_PART < usual:
        return f"{shown} is next to nothing. Is it per token? Prices are in US dollars {_unit(name)}; write 0 for what is free."
    return ""


def problem_with_variant(variant: str) -> str:
    if variant in ("", *VARIANTS):
        return ""
    return f"{variant!r} is no variant. There are: {', '.join(VARIANTS)}; leave it out for the standard price."


def _unit(name: str) -> str:
    return "per thousand searches" if name == "web_search_pico" else "per million tokens"


def _shown(name: str, pico: int) -> str:
    dollars = usd_per_million(pico) / 1_000 if name == "web_search_pico" else usd_per_million(pico)
    return f"${dollars.normalize():f} {_unit(name)}"
