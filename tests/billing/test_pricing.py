"""Costs: how they are put together, and properties that hold for every usage and price. The table is in test_golden_costs.py."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.catalogue import catalogue
from billing.money import line_nano
from billing.pricing import Cost, PriceLine, cost, uplift_of, uplifted, variant_of
from billing.snapshot import WEB_SEARCH_PICO, Price, PriceBook, Rates
from billing.usage import Usage

BILLED = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "web_search_requests")


def book_of(*prices: Price, model: str = "m") -> PriceBook:
    return PriceBook({("p", model): prices})


def price(unit: int, starts_at: float = 0, version: str = "v") -> Price:
    return Price(version, (Rates(unit, unit * 5, unit // 10, unit * 5 // 4, unit * 2),), starts_at=starts_at)


def test_cost_is_explained_by_its_lines() -> None:
    usage = Usage(1, 2, 3, 4, 5, web_search_requests=6)
    assert cost(book_of(price(1000, version="own:1")), "p", "m", usage, 0) == Cost(
        1 + 0 + 4 + 8 + 25 + 60_000_000,
        (
            PriceLine("input", 1, 1000, 1),
            PriceLine("cache_read", 2, 100, 0),
            PriceLine("cache_write_5m", 3, 1250, 4),
            PriceLine("cache_write_1h", 4, 2000, 8),
            PriceLine("output", 5, 5000, 25),
            PriceLine("web_search", 6, WEB_SEARCH_PICO, 60_000_000),
        ),
        price_version="own:1",
    )


@pytest.mark.parametrize("usage", [Usage(), Usage(5), Usage(web_search_requests=1), Usage(iterations=(Usage(5),))])
def test_call_without_a_price_is_unpriced(usage: Usage) -> None:
    assert cost(PriceBook(), "p", "m", usage, 0) == Cost(0, (), unpriced=True)


def test_part_without_a_price_leaves_the_rest_and_the_mark() -> None:
    usage = Usage(iterations=(Usage(10), Usage(10, model="stranger")))
    found = cost(book_of(price(1000)), "p", "m", usage, 0)
    assert (found.amount_nano, found.unpriced) == (10, True)


def test_line_names_the_model_of_its_part() -> None:
    book = PriceBook({("p", "m"): (price(1000),), ("p", "helper"): (price(3000),)})
    found = cost(book, "p", "m", Usage(99, iterations=(Usage(1), Usage(1, model="helper"), Usage(1, model="m"))), 0)
    assert [(line.model, line.amount_nano) for line in found.lines] == [("", 1), ("helper", 3), ("m", 1)]


def test_explicit_price_of_zero_is_free_and_priced() -> None:
    assert cost(book_of(price(0)), "p", "m", Usage(100, output_tokens=100), 0) == Cost(
        0, (PriceLine("input", 100, 0, 0), PriceLine("output", 100, 0, 0)), price_version="v"
    )


@pytest.mark.parametrize(("at", "version"), [(99, "first"), (100, "second"), (199, "second"), (200, "third")])
def test_price_in_force_at_the_time_of_the_call_counts(at: float, version: str) -> None:
    book = book_of(price(3, 200, "third"), price(2, 100, "second"), price(1, 0, "first"))
    assert cost(book, "p", "m", Usage(1), at).price_version == version


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("claude-a", "exact"),
        ("claude-ab", "long"),
        ("claude-b", "short"),
        ("claude", "list"),
        ("Claude-a", "list"),
        ("claude-later", "short"),
    ],
)
def test_own_price_wins_over_the_list_and_the_nearest_pattern_wins(model: str, version: str) -> None:
    rows = {"claude-a": "exact", "claude-a*": "long", "claude-*": "short", "claude-b*": ""}
    own: dict[tuple[str, str], tuple[Price, ...]] = {("p", name): (price(1, version=text),) for name, text in rows.items() if text}
    own["p", "claude-later"] = (price(1, 10**12, "later"),)
    own["elsewhere", "claude*"] = (price(1, version="elsewhere"),)
    found = PriceBook(own, lambda *_asked: (price(1, version="list"),)).find("p", model, 50)
    assert found is not None
    assert found.version == version


def test_own_price_of_a_variant_wins_over_the_list_for_that_variant_only() -> None:
    own = (price(4, version="own"), replace(price(9, version="own fast"), variant="fast"))
    book = PriceBook({("p", "m"): own}, lambda _provider, _model, variant: (price(1, version=f"list {variant}"),))
    asked = {variant: book.find("p", "m", 0, variant) for variant in ("", "fast", "batch", "priority")}
    assert {variant: found.version for variant, found in asked.items() if found} == {
        "": "own",
        "fast": "own fast",
        "batch": "own",
        "priority": "list priority",
    }


def dearly(variant: str) -> Usage:
    return Usage(10, speed="fast") if variant == "fast" else Usage(10, service_tier=variant)


@pytest.mark.parametrize("variant", ["fast", "priority", "ultrafast"])
def test_dearer_call_without_a_price_costs_the_least_it_can_have_cost_and_is_marked(variant: str) -> None:
    found = cost(book_of(price(1000)), "p", "m", dearly(variant), 0)
    assert (found.amount_nano, found.unpriced) == (10, True)


@pytest.mark.parametrize("variant", ["batch", "flex"])
def test_discount_without_a_price_costs_what_the_standard_price_says(variant: str) -> None:
    found = cost(book_of(price(1000)), "p", "m", dearly(variant), 0)
    assert (found.amount_nano, found.unpriced, found.price_version) == (10, False, f"v+{variant}")


@pytest.mark.parametrize("variant", ["fast", "priority", "batch", "flex"])
def test_call_of_a_kind_with_a_price_costs_that(variant: str) -> None:
    book = book_of(price(1000), replace(price(7000, version="special"), variant=variant))
    found = cost(book, "p", "m", dearly(variant), 0)
    assert (found.amount_nano, found.unpriced, found.price_version) == (70, False, f"special+{variant}")


def test_helper_without_a_fast_price_marks_the_fast_call() -> None:
    book = PriceBook({("p", "m"): (price(1000), replace(price(2000), variant="fast")), ("p", "helper"): (price(3000),)})
    found = cost(book, "p", "m", Usage(speed="fast", iterations=(Usage(10), Usage(10, model="helper"))), 0)
    assert (found.amount_nano, found.unpriced) == (50, True)


@pytest.mark.parametrize(
    ("provider", "tier", "speed", "variant"),
    [
        ("anthropic", "standard", "standard", ""),
        ("anthropic", "priority", "", ""),
        ("openai", "priority", "", "priority"),
        ("openai", "default", "", ""),
        ("openai", "scale", "", ""),
        ("openai", "ultrafast", "", "unknown"),
        ("anthropic", "batch", "fast", "fast"),
        ("anthropic", "", "warp", "unknown"),
        ("bedrock", "reserved", "", ""),
    ],
)
def test_tier_and_speed_choose_the_price(provider: str, tier: str, speed: str, variant: str) -> None:
    assert variant_of(provider, tier, speed) == variant


@pytest.mark.parametrize(
    ("provider", "model", "geo", "uplift"),
    [
        ("anthropic", "claude-opus-5-5", "us", "us"),
        ("anthropic", "claude-opus-5-5", "eu", ""),
        ("azure", "claude-opus-5-5", "us", "us"),
        ("bedrock", "us.anthropic.claude-opus-5-5", "us", ""),
        ("vertex_ai", "claude-opus-5-5", "global", ""),
        ("vertex_ai", "claude-opus-5-5", "us-east5", "regional"),
        ("vertex_ai", "claude-haiku-4-5@20251001", "eu", "regional"),
        ("vertex_ai", "claude-opus-4-1@20250805", "us-east5", ""),
        ("vertex_ai", "claude-sonnet-4@20250514", "us-east5", ""),
        ("vertex_ai", "claude-3-7-sonnet", "us-east5", ""),
        ("vertex_ai", "gemini-2.5-pro", "us-central1", ""),
        ("openai", "gpt-6", "us", ""),
    ],
)
def test_place_makes_a_call_dearer_where_its_provider_says_so(provider: str, model: str, geo: str, uplift: str) -> None:
    assert uplift_of(provider, model, geo) == uplift


def test_version_tells_what_was_special_and_fits_its_column() -> None:
    long = book_of(replace(price(1, version="x" * 60), variant="fast"), price(1))
    found = cost(long, "p", "m", Usage(1, speed="fast"), 0)
    assert found.price_version == "x" * 55 + "+fast"
    demo = PriceBook(catalogue=catalogue)
    assert cost(demo, "demo", "demo-opus", Usage(1, speed="fast", inference_geo="us"), 0).price_version == "demo:opus+fast+us"


def test_book_asks_the_catalogue_once_per_model_and_variant() -> None:
    asked: list[tuple[str, ...]] = []

    def ask(*key: str) -> tuple[Price, ...]:
        asked.append(key)
        return ()

    book = PriceBook(catalogue=ask)
    for variant in ("", "fast", "", "fast"):
        assert book.find("p", "m", 0, variant) is None
    assert asked == [("p", "m", ""), ("p", "m", "fast")]


def test_memory_of_the_book_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.snapshot.MEMO_SIZE", 3)
    book = PriceBook()
    for number in range(10):
        book.find("p", str(number), 0)
    assert len(book._memo) <= 3


counts = st.integers(0, 10**7)
rates = st.integers(0, 10**9)
usages = st.builds(
    Usage, counts, counts, counts, counts, counts, web_search_requests=st.integers(0, 100), inference_geo=st.sampled_from(["", "us"])
)
one_band = st.builds(Rates, rates, rates, rates, rates, rates)
books = st.builds(lambda band: book_of(Price("v", (band,))), one_band)


@given(books, usages)
def test_lines_add_up_and_each_is_rounded_once(book: PriceBook, usage: Usage) -> None:
    found = cost(book, "p", "m", usage, 0)
    assert found.amount_nano == sum(line.amount_nano for line in found.lines)
    assert all(line.amount_nano == line_nano(line.count, line.unit_pico) and line.count > 0 for line in found.lines)


# R17
@given(books, usages, st.sampled_from(BILLED), counts)
def test_more_of_anything_never_costs_less(book: PriceBook, usage: Usage, kind: str, more: int) -> None:
    larger = msgspec.structs.replace(usage, **{kind: getattr(usage, kind) + more})
    assert cost(book, "p", "m", larger, 0).amount_nano >= cost(book, "p", "m", usage, 0).amount_nano


@given(st.builds(Rates, rates, rates, rates, rates, rates), counts, usages, st.sampled_from(BILLED), counts)
def test_dearer_band_never_costs_less(band: Rates, above: int, usage: Usage, kind: str, more: int) -> None:
    dearer = replace(
        band,
        above=above,
        **{rate: 2 * getattr(band, rate) for rate in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")},
    )
    book = book_of(Price("v", (band, dearer)))
    larger = msgspec.structs.replace(usage, **{kind: getattr(usage, kind) + more})
    assert cost(book, "p", "m", larger, 0).amount_nano >= cost(book, "p", "m", usage, 0).amount_nano


# R17
@given(books, usages, usages)
def test_cost_of_a_sum_is_the_sum_of_costs_but_for_half_a_nano_a_line(book: PriceBook, one: Usage, other: Usage) -> None:
    one, other = msgspec.structs.replace(one, inference_geo=""), msgspec.structs.replace(other, inference_geo="")
    together = Usage(**{kind: getattr(one, kind) + getattr(other, kind) for kind in BILLED})
    apart = [cost(book, "p", "m", usage, 0) for usage in (one, other)]
    assert 2 * abs(cost(book, "p", "m", together, 0).amount_nano - sum(each.amount_nano for each in apart)) <= 3 * len(BILLED)


@given(books, st.lists(usages, min_size=1, max_size=4))
def test_iterations_cost_what_they_would_cost_as_calls(book: PriceBook, parts: list[Usage]) -> None:
    parts = [msgspec.structs.replace(part, web_search_requests=0, inference_geo="") for part in parts]
    found = cost(book, "p", "m", Usage(10**9, iterations=tuple(parts)), 0)
    assert found.amount_nano == sum(cost(book, "p", "m", part, 0).amount_nano for part in parts)


@given(rates)
def test_surcharge_is_a_tenth_rounded_half_up(unit: int) -> None:
    assert -5 < uplifted(unit) * 10 - unit * 11 <= 5


def test_all_of_a_request_costs_the_band_of_its_prompt() -> None:
    ladder = Price(
        "v", (Rates(1000, 1000, 1000, 1000, 1000), Rates(2000, 2000, 2000, 2000, 2000, 10), Rates(3000, 3000, 3000, 3000, 3000, 20))
    )
    amounts = [cost(book_of(ladder), "p", "m", Usage(prompt, output_tokens=1), 0).amount_nano for prompt in (10, 11, 20, 21)]
    assert amounts == [11, 24, 42, 66]
