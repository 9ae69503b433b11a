"""The compiled price list costs what genai-prices itself works out, for every model, date and variant it knows."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from genai_prices import types
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from billing import catalogue as compiled
from billing.catalogue import CONTEXTS, GENAI_PROVIDERS, catalogue
from billing.money import usd
from billing.pricing import cost
from billing.snapshot import PriceBook
from billing.usage import Usage

BOOK = PriceBook(catalogue=catalogue)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
DATES = [
    datetime(2024, 6, 1, tzinfo=UTC),
    datetime(2026, 3, 12, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 3, 13, tzinfo=UTC),
    datetime(2026, 10, 13, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 10, 14, tzinfo=UTC),
    NOW,
]
# Thousands of tokens, so that every line is a whole number of nano-USD and the two sums must be equal.
USAGES = [
    Usage(1000, 2000, 3000, 4000, 5000),
    Usage(100_000, output_tokens=1000),
    Usage(101_000, output_tokens=1000),
    Usage(1000, 199_000, output_tokens=1000),
    Usage(1000, 100_000, 50_000, 50_000, 1000),
]
HALF_A_NANO_A_LINE = Decimal("2.5e-9")
VARIANTS = {"": {}, "batch": {"service_tier": "batch"}, "fast": {"speed": "fast"}}


def models_of(name: str) -> list[str]:
    return [model.id for provider in get_snapshot().providers if provider.id == name for model in provider.models]


def oracle(provider: str, model: str, usage: Usage, at: datetime, variant: str = "") -> Decimal:
    told = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_tokens=usage.output_tokens,
    )
    price = genai_prices.calc_price(told, model, provider_id=provider, genai_request_timestamp=at, price_context=CONTEXTS[variant])
    return price.total_price


def ours(provider: str, model: str, usage: Usage, at: datetime, *, is_known: bool = True) -> Decimal:
    found = cost(BOOK, provider, model, usage, at.timestamp())
    assert found.unpriced is not is_known
    return usd(found.amount_nano)


def has_a_price_of_its_own(model: str, variant: str) -> bool:
    listed = next(one for provider in get_snapshot().providers if provider.id == "anthropic" for one in provider.models if one.id == model)
    return variant != "fast" or any(one.when == {"speed": "fast"} for one in listed.price_variants or ())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("model", models_of("anthropic"))
def test_claude_costs_what_the_list_says_and_fast_without_a_price_is_marked(model: str, variant: str) -> None:
    from_variant: dict[str, Any] = VARIANTS[variant]
    is_known = has_a_price_of_its_own(model, variant)
    for at in DATES:
        for usage in USAGES:
            marked = Usage(
                usage.input_tokens,
                usage.cache_read_tokens,
                usage.cache_write_5m_tokens,
                usage.cache_write_1h_tokens,
                usage.output_tokens,
                **from_variant,
            )
            assert ours("anthropic", model, marked, at, is_known=is_known) == oracle("anthropic", model, usage, at, variant)


counts = st.integers(0, 10**6)


@given(st.sampled_from(models_of("anthropic")), st.builds(Usage, counts, counts, counts, counts, counts))
def test_any_usage_costs_what_the_list_says_but_for_half_a_nano_a_line(model: str, usage: Usage) -> None:
    difference = ours("anthropic", model, usage, NOW) - oracle("anthropic", model, usage, NOW)
    assert abs(difference) <= HALF_A_NANO_A_LINE


# What a provider's own models are called where the list leaves that away.
PREFIXES = {"fireworks_ai": "accounts/fireworks/models/"}


@pytest.mark.parametrize("provider", [name for name in GENAI_PROVIDERS if name != "anthropic"])
def test_other_providers_cost_what_the_list_says(provider: str) -> None:
    named = [PREFIXES.get(provider, "") + model for model in models_of(GENAI_PROVIDERS[provider])]
    listed = [model for model in named if catalogue(provider, model, "")]
    assert len(listed) > 2
    for model in listed:
        for usage in (Usage(1000, output_tokens=1000), Usage(1000, 300_000, 1000, output_tokens=1000)):
            difference = ours(provider, model, usage, NOW) - oracle(GENAI_PROVIDERS[provider], model, usage, NOW)
            assert abs(difference) <= HALF_A_NANO_A_LINE  # some list thirds of a cent


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("claude-4.5-opus-latest", "claude-opus-4-5"),
        ("CLAUDE-OPUS-4-7", "claude-opus-4-7"),
        ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet"),
        ("claude-opus-5-20260301", "claude-opus-5"),
    ],
)
def test_alias_or_dated_name_has_the_price_of_its_model(name: str, model: str) -> None:
    assert catalogue("anthropic", name, "") == catalogue("anthropic", model, "") != ()


@pytest.mark.parametrize(
    ("provider", "model"), [("anthropic", "claude-99"), ("anthropic", ""), ("anthropic", "gpt-5"), ("nobody", "claude-opus-5"), ("", "")]
)
def test_what_the_list_does_not_know_has_no_price(provider: str, model: str) -> None:
    assert catalogue(provider, model, "") == ()


@pytest.mark.parametrize(
    ("provider", "model", "like"),
    [
        ("azure_ai", "claude-opus-5-5", "anthropic"),
        ("azure_ai", "gpt-4o", "azure"),
        ("gemini", "gemini-2.5-pro", "vertex_ai"),
        ("codestral", "codestral-latest", "mistral"),
    ],
)
def test_same_model_under_another_name_of_its_provider_costs_the_same(provider: str, model: str, like: str) -> None:
    assert catalogue(provider, model, "") == catalogue(like, model, "") != ()


def test_model_without_a_price_of_input_tokens_has_no_price() -> None:
    assert catalogue("openai", "tts-1", "") == ()


def test_model_taken_over_from_another_provider_has_its_standard_price() -> None:
    assert catalogue("azure", "claude-opus-5-5", "") == catalogue("anthropic", "claude-opus-5-5", "") != ()
    assert not catalogue("azure", "claude-opus-5-5", "fast")


@pytest.mark.parametrize(
    ("provider", "model", "variant", "days"),
    [
        ("anthropic", "claude-opus-4-6", "fast", []),
        ("anthropic", "claude-opus-5-5", "fast", ["2026-10-14", "1970-01-01"]),
        ("anthropic", "claude-opus-5-5", "unknown", []),
        ("openai", "gpt-4.1", "priority", ["2026-10-14", "2026-10-12"]),
        ("openai", "gpt-4.1", "fast", ["2026-10-14", "2026-10-12"]),
        ("openai", "gpt-4.1", "flex", ["2026-10-14", "2026-10-12", "1970-01-01"]),
    ],
)
def test_dearer_way_has_a_price_only_where_the_list_tells_one(provider: str, model: str, variant: str, days: list[str]) -> None:
    assert [price.version.split("@")[1].split(":")[0] for price in catalogue(provider, model, variant)] == days


def test_discount_that_the_list_does_not_know_is_none() -> None:
    (flex,) = catalogue("vertex_ai", "claude-haiku-4-5", "flex")
    (standard,) = catalogue("vertex_ai", "claude-haiku-4-5", "")
    assert flex.bands == standard.bands


def test_model_priced_by_the_time_of_day_has_no_price_here(monkeypatch: pytest.MonkeyPatch) -> None:
    night = types.TimeOfDateConstraint(NOW.time(), NOW.time())
    prices = types.ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(1))
    model = types.ModelInfo(id="owl", match=types.ClauseEquals("owl"), prices=[types.ConditionalPrice(night, prices=prices)])
    monkeypatch.setitem(compiled.shipped._providers, "anthropic", types.Provider("anthropic", "", "", models=[model]))
    assert catalogue("anthropic", "owl", "") == ()


def test_tiers_of_one_kind_do_not_disturb_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    tiered = [types.TieredPrices(Decimal(base), [types.Tier(start, Decimal(base) * 2)]) for base, start in ((1, 100), (10, 200))]
    prices = types.ModelPrice(input_mtok=tiered[0], output_mtok=tiered[1])
    model = types.ModelInfo(id="stairs", match=types.ClauseEquals("stairs"), prices=prices)
    monkeypatch.setitem(compiled.shipped._providers, "anthropic", types.Provider("anthropic", "", "", models=[model]))
    (price,) = catalogue("anthropic", "stairs", "")
    rates = [(price.rates(prompt).input, price.rates(prompt).output) for prompt in (100, 101, 200, 201)]
    assert rates == [(1_000_000, 10_000_000), (2_000_000, 10_000_000), (2_000_000, 10_000_000), (2_000_000, 20_000_000)]


def test_newest_price_comes_first_and_names_its_source_and_day() -> None:
    prices = catalogue("anthropic", "claude-opus-4-6", "batch")
    days = ["2026-10-14", "2026-03-13", "1970-01-01"]
    assert [price.version for price in prices] == [f"genai-prices-{genai_prices.__version__}@{day}:claude-opus-4-6" for day in days]
    assert [price.starts_at for price in prices] == [datetime.fromisoformat(f"{day}T00:00:00Z").timestamp() for day in days]


def test_every_version_fits_its_column_in_the_ledger() -> None:
    prices = [
        price for provider, genai in GENAI_PROVIDERS.items() for model in models_of(genai) for price in catalogue(provider, model, "")
    ]
    assert len(prices) > 300
    assert max(len(price.version) for price in prices) <= 60


@pytest.mark.parametrize("name", ["claude-sonnet-5-5", "claude-3-haiku"])
def test_web_search_costs_a_cent(name: str) -> None:
    assert {price.web_search for price in catalogue("anthropic", name, "")} == {10_000_000_000}


@pytest.mark.parametrize(
    ("model", "family"),
    [("demo-opus", "opus"), ("demo-haiku", "haiku"), ("demo-sonnet", "sonnet"), ("demo", "sonnet"), ("claude-opus-5", "opus")],
)
def test_demo_model_costs_what_its_family_costs(model: str, family: str) -> None:
    assert [price.version for price in catalogue("demo", model, "")] == [f"demo:{family}"]
