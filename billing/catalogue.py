"""The shipped price list: genai-prices' offline data compiled to our Price rows, one model at a time, on first use.

Source: the genai-prices package. Its own calculation takes hundreds of microseconds; this table takes one look-up.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache

from genai_prices import types
from genai_prices.data_snapshot import get_snapshot

from billing.money import pico_per_token
from billing.snapshot import Price, Rates

GENAI_PROVIDERS = {"anthropic": "anthropic"}
CONTEXTS: dict[str, dict[str, str]] = {"": {}, "batch": {"processing": "batch"}, "fast": {"speed": "fast"}}
PICO_PER_USD = 1_000_000_000_000
# A one-hour cache write where the list names only the five-minute one: 2x against 1.25x of the input price.
HOUR_NUMERATOR, HOUR_DENOMINATOR = 8, 5

DEMO_USD_PER_MILLION = {"opus": ("5", "25"), "sonnet": ("3", "15"), "haiku": ("1", "5")}


def catalogue(provider: str, model: str, variant: str) -> tuple[Price, ...]:
    """Prices of a model, newest first; nothing for one that the list does not know."""
    if provider == "demo":
        return _demo(model)
    genai = GENAI_PROVIDERS.get(provider)
    found = _provider(genai).find_model(model.lower()) if genai else None
    if found is None:
        return ()
    return tuple(_compile(found, start, CONTEXTS[variant]) for start in sorted(_starts(found), reverse=True))


@cache
def _provider(name: str) -> types.Provider:
    return next(provider for provider in get_snapshot().providers if provider.id == name)


def _starts(model: types.ModelInfo) -> Iterable[date]:
    """Every date from which something about a model's price is different."""
    conditional = model.prices if isinstance(model.prices, list) else []
    constraints = [row.constraint for row in conditional] + [row.constraint for row in model.price_variants or ()]
    return {date(1970, 1, 1)} | {limit.start_date for limit in constraints if isinstance(limit, types.StartDateConstraint)}


def _compile(model: types.ModelInfo, start: date, context: dict[str, str]) -> Price:
    at = datetime(start.year, start.month, start.day, tzinfo=UTC)
    prices = vars(model.get_prices(at, context or None))
    tiers = {tier.start for price in prices.values() if isinstance(price, types.TieredPrices) for tier in price.tiers}
    bands = tuple(_rates(prices, above) for above in sorted({0, *tiers}))
    searches = prices.get("web_searches_kcount")
    per_search = int(searches * PICO_PER_USD / 1000) if isinstance(searches, Decimal) else 0
    return Price(f"genai-prices:{model.id}@{start.isoformat()}", bands, per_search, at.timestamp())


def _rates(prices: dict[str, Decimal | types.TieredPrices | None], above: int) -> Rates:
    def rate(name: str, otherwise: int) -> int:
        price = prices.get(name)
        if isinstance(price, types.TieredPrices):
            price = max((tier for tier in price.tiers if tier.start <= above), key=lambda tier: tier.start).price if above else price.base
        return pico_per_token(price) if price is not None else otherwise

    fresh = rate("input_mtok", 0)
    short_write = rate("cache_write_mtok", fresh)
    long_write = rate("cache_write_1h_mtok", short_write * HOUR_NUMERATOR // HOUR_DENOMINATOR)
    return Rates(fresh, rate("output_mtok", 0), rate("cache_read_mtok", fresh), short_write, long_write, above)


def _demo(model: str) -> tuple[Price, ...]:
    """The demo provider's made-up prices: those of the family its model sounds like."""
    family = next((name for name in DEMO_USD_PER_MILLION if name in model), "sonnet")
    fresh, output = (pico_per_token(usd) for usd in DEMO_USD_PER_MILLION[family])
    rates = Rates(fresh, output, fresh // 10, fresh * 5 // 4, fresh * 2)
    return (Price(f"demo:{family}", (rates,), PICO_PER_USD // 100),)
