"""The shipped price list: genai-prices' offline data compiled to our Price rows, one model at a time, on first use.

The list is read when this module is imported (at start, 20 to 40 ms); compiling a model takes 0.1 to 0.5 ms once, and
`PriceBook` keeps the answer. genai-prices' own calculation, hundreds of microseconds, is never on the way of a call.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from genai_prices import __version__, types
from genai_prices.data_snapshot import get_snapshot

from billing.money import pico_per_token
from billing.snapshot import DISCOUNTS, WEB_SEARCH_PICO, Price, Rates

Listed = Decimal | types.TieredPrices | None

# Our provider names → those of the list. No entry has a provider of which the list knows only a middleman's prices, nor one that charges
# for each request besides (perplexity): its tokens alone would be too little.
GENAI_PROVIDERS = {
    "anthropic": "anthropic",
    "arcee": "arcee",
    "avian": "avian",
    "azure": "azure",
    "azure_ai": "azure",
    "baseten": "baseten",
    "bedrock": "aws",
    "cerebras": "cerebras",
    "cloudflare": "cloudflare",
    "codestral": "mistral",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "databricks": "databricks",
    "deepseek": "deepseek",
    "doubleword": "doubleword",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshot": "moonshotai",
    "novita": "novita",
    "openai": "openai",
    "openrouter": "openrouter",
    "ovhcloud": "ovhcloud",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "google",
    "voyage": "voyageai",
    "xai": "x-ai",
    "zai": "zai",
    "zhipuai": "zhipuai",
}
CONTEXTS: dict[str, dict[str, str]] = {
    "": {},
    "batch": {"processing": "batch"},
    "fast": {"speed": "fast", "service_tier": "fast"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
EVER = date(1970, 1, 1)
# A one-hour cache write where the list names only the five-minute one: 2x against 1.25x of the input price.
HOUR_NUMERATOR, HOUR_DENOMINATOR = 8, 5
# USD per thousand searches → pico-USD per search: the same power of ten as a rate per million tokens, times a thousand.
PICO_PER_THOUSANDTH = 1_000
VERSION_CHARS = 60

DEMO_USD_PER_MILLION = {"opus": ("5", "25"), "sonnet": ("3", "15"), "haiku": ("1", "5")}


class PriceList:
    """One edition of genai-prices' data; `edition` stands at the head of its prices' versions."""

    def __init__(self, providers: Sequence[types.Provider], edition: str) -> None:
        self._all = list(providers)
        self._providers = {provider.id: provider for provider in providers}
        self.edition = edition

    def models(self, provider: str) -> list[str]:
        """The ids under which the list keeps the models of one of our providers."""
        owner = self._owner(provider)
        return [model.id for model in owner.models] if owner else []

    def find(self, provider: str, model: str, variant: str) -> tuple[Price, ...]:
        """Prices of a model, newest first; nothing for one that the list does not know or cannot price by tokens.

        A discount that the list does not know is no discount; a dearer way that it does not know has no price.
        """
        owner = self._owner(provider)
        found = owner.find_model(model, all_providers=self._all) if owner else None
        context = CONTEXTS.get(variant)
        if owner is None or found is None or context is None:
            return ()
        # The list's own rule: a model that is taken over from another provider has its standard price only.
        is_own = any(found is own for own in owner.models)
        starts = sorted(_starts(found), reverse=True)
        if variant and variant not in DISCOUNTS:
            starts = [start for start in starts if is_own and _is_priced(found, start, context)]
        compiled = (self._compile(found, start, variant, context if is_own else {}) for start in starts)
        return tuple(price for price in compiled if price is not None)

    def _owner(self, provider: str) -> types.Provider | None:
        return self._providers.get(GENAI_PROVIDERS.get(provider, ""))

    def _compile(self, model: types.ModelInfo, start: date, variant: str, context: dict[str, str]) -> Price | None:
        """A model's price from a date on; None where the list has no price of input tokens, for then nothing else can be right."""
        at = _midnight(start)
        listed: dict[str, Listed] = vars(model.get_prices(at, context or None))
        if listed.get("input_mtok") is None:
            return None
        tiers = {tier.start for price in listed.values() if isinstance(price, types.TieredPrices) for tier in price.tiers}
        bands = tuple(_rates(listed, above) for above in sorted({0, *tiers}))
        searches = listed.get("web_searches_kcount")
        per_search = pico_per_token(searches) * PICO_PER_THOUSANDTH if isinstance(searches, Decimal) else WEB_SEARCH_PICO
        version = f"{self.edition}@{start.isoformat()}:{model.id}"
        return Price(version[:VERSION_CHARS], bands, per_search, at.timestamp(), variant)


shipped = PriceList(get_snapshot().providers, f"genai-prices-{__version__}")


def catalogue(provider: str, model: str, variant: str) -> tuple[Price, ...]:
    """The demo provider's prices, and those of the shipped list."""
    if provider == "demo":
        return (_demo[next((family for family in _demo if family in model), "sonnet")],)
    return shipped.find(provider, model, variant)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _starts(model: types.ModelInfo) -> set[date]:
    """Every date from which something about a model's price is different; none where the time of day counts too."""
    rows = model.prices if isinstance(model.prices, list) else []
    constraints = [row.constraint for row in rows] + [row.constraint for row in model.price_variants or ()]
    if any(isinstance(limit, types.TimeOfDateConstraint) for limit in constraints):
        return set()
    return {EVER} | {limit.start_date for limit in constraints if isinstance(limit, types.StartDateConstraint)}


def _is_priced(model: types.ModelInfo, start: date, context: dict[str, str]) -> bool:
    """Whether the list says from that day on what input and output cost in this context."""
    for variant in model.price_variants or ():
        is_active = variant.constraint is None or variant.constraint.active(_midnight(start))
        if is_active and all(context.get(key) == value for key, value in variant.when.items()):
            priced = vars(variant.prices)
            return priced.get("input_mtok") is not None and priced.get("output_mtok") is not None
    return False


def _rates(listed: dict[str, Listed], above: int) -> Rates:
    """The rates of prompts longer than `above`. Cached tokens without a price of their own are input like any other."""

    def rate(name: str, otherwise: int) -> int:
        price = listed.get(name)
        if isinstance(price, types.TieredPrices):
            price = next((tier.price for tier in reversed(price.tiers) if tier.start <= above and above), price.base)
        return otherwise if price is None else pico_per_token(price)

    fresh = rate("input_mtok", 0)
    short_write = rate("cache_write_5m_mtok", rate("cache_write_mtok", fresh))
    is_cache_priced = listed.get("cache_write_mtok") is not None
    long_write = rate("cache_write_1h_mtok", -(-short_write * HOUR_NUMERATOR // HOUR_DENOMINATOR) if is_cache_priced else short_write)
    return Rates(fresh, rate("output_mtok", 0), rate("cache_read_mtok", fresh), short_write, long_write, above)


def _demo_price(family: str) -> Price:
    fresh, output = (pico_per_token(usd) for usd in DEMO_USD_PER_MILLION[family])
    return Price(f"demo:{family}", (Rates(fresh, output, fresh // 10, fresh * 5 // 4, fresh * 2),))


# The demo provider's made-up prices: those of the family its model sounds like, else the middle one's.
_demo = {family: _demo_price(family) for family in DEMO_USD_PER_MILLION}
