"""Costs: a table worked out by hand, and properties that hold for every usage and price."""

import json
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from math import prod
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.catalogue import catalogue
from billing.money import line_nano
from billing.pricing import Cost, PriceLine, cost, us_only_pico
from billing.snapshot import WEB_SEARCH_PICO, Price, PriceBook, Rates
from billing.usage import Usage

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "pricing" / "claude.json").read_text())
BILLED = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "web_search_requests")


def usage_of(row: dict[str, Any]) -> Usage:
    return Usage(**{**row, "iterations": tuple(usage_of(part) for part in row.get("iterations", ()))})


def book_of(*prices: Price, model: str = "m") -> PriceBook:
    return PriceBook({("p", model): prices})


def price(unit: int, starts_at: float = 0, version: str = "v") -> Price:
    return Price(version, (Rates(unit, unit * 5, unit // 10, unit * 5 // 4, unit * 2),), starts_at=starts_at)


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: row["name"])
def test_cost_is_what_was_worked_out_by_hand(row: dict[str, Any]) -> None:
    at = datetime.fromisoformat(row["at"]).timestamp()
    found = cost(PriceBook(catalogue=catalogue), row["provider"], row["model"], usage_of(row["usage"]), at)
    assert [line.amount_nano for line in found.lines] == row["lines_nano"]
    assert (found.amount_nano, found.unpriced) == (row["total_nano"], False)


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: row["name"])
def test_hand_worked_lines_are_tokens_times_dollars_a_million(row: dict[str, Any]) -> None:
    lines = [prod(map(Decimal, line.split(" x ")), start=Decimal(1000)) for line in row["by_hand"].split(" + ") if line]
    assert [int(line.quantize(Decimal(1), ROUND_HALF_UP)) for line in lines] == row["lines_nano"]
    assert sum(row["lines_nano"]) == row["total_nano"]


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
def test_us_only_price_is_eleven_tenths_rounded_half_up(unit: int) -> None:
    assert -5 < us_only_pico(unit) * 10 - unit * 11 <= 5


def test_all_of_a_request_costs_the_band_of_its_prompt() -> None:
    ladder = Price(
        "v", (Rates(1000, 1000, 1000, 1000, 1000), Rates(2000, 2000, 2000, 2000, 2000, 10), Rates(3000, 3000, 3000, 3000, 3000, 20))
    )
    amounts = [cost(book_of(ladder), "p", "m", Usage(prompt, output_tokens=1), 0).amount_nano for prompt in (10, 11, 20, 21)]
    assert amounts == [11, 24, 42, 66]
