"""Money is whole nano-USD; every rounding happens once, half up, and no float is anywhere near."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import MAX_USD, NANO, BadAmount, line_nano, money, nano, pico_per_token, usd, usd_per_million
from tests.rules import SourceFile, inexact_money

ROOT = Path(__file__).parents[2]
EXACT_MODULES = ("money", "usage", "pricing", "snapshot", "catalogue")

amounts = st.integers(-MAX_USD * NANO, MAX_USD * NANO)
counts = st.integers(0, 10**9)
prices = st.integers(0, 10**12)


# R1
@pytest.mark.parametrize("name", EXACT_MODULES)
def test_money_modules_hold_no_float(name: str) -> None:
    path = f"billing/{name}.py"
    assert list(inexact_money(SourceFile(path, (ROOT / path).read_text()))) == []


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("12.50", 12_500_000_000),
        (" 3 ", 3 * NANO),
        ("1e-9", 1),
        ("1e-999999999", 0),
        ("0.0000000005", 1),
        ("0.00000000049999999999999999999999999999999999", 0),
        ("123456789.1234567894999999999999999999999999", 123_456_789_123_456_789),
        ("-0.0000000005", -1),
        (7, 7 * NANO),
        (Decimal("0.3"), 300_000_000),
        (str(MAX_USD), MAX_USD * NANO),
    ],
)
def test_dollars_become_nano(written: str | int | Decimal, kept: int) -> None:
    assert nano(written) == kept


@pytest.mark.parametrize(
    "written",
    ["", "x", "NaN", "sNaN", "inf", "-Infinity", "1e999999999", "1000000000.01", "1,5", 10**30, pytest.param(10**5000, id="endless")],
)
def test_what_is_no_amount_is_refused(written: str | int) -> None:
    with pytest.raises(BadAmount):
        nano(written)


@pytest.mark.parametrize("convert", [nano, pico_per_token])
@pytest.mark.parametrize("written", [0.1, True, None, b"1", (0, (1,), 0)])
def test_other_types_than_text_and_exact_numbers_are_refused(convert: object, written: object) -> None:
    with pytest.raises(BadAmount):
        convert(written)  # type: ignore[operator]  # wrong on purpose


def test_refusal_does_not_repeat_a_long_text() -> None:
    with pytest.raises(BadAmount) as refused:
        nano("9" * 10_000 + "x")
    assert len(str(refused.value)) < 120


@given(amounts)
def test_nano_and_dollars_are_each_others_inverse(amount: int) -> None:
    assert nano(usd(amount)) == nano(str(usd(amount))) == amount


@pytest.mark.parametrize(("written", "pico"), [("3", 3_000_000), ("0.0625", 62_500), ("0", 0), ("0.0000005", 1), ("0.00000049", 0)])
def test_rate_per_million_becomes_pico_per_token(written: str, pico: int) -> None:
    assert pico_per_token(written) == pico


@pytest.mark.parametrize("written", ["-1", "NaN", "inf", "", "cheap", "1000000001"])
def test_what_is_no_price_is_refused(written: str) -> None:
    with pytest.raises(BadAmount):
        pico_per_token(written)


@given(prices)
def test_rate_and_pico_are_each_others_inverse(pico: int) -> None:
    assert pico_per_token(usd_per_million(pico)) == pico


@given(counts, prices)
def test_line_is_the_exact_product_rounded_once_half_up(count: int, unit: int) -> None:
    assert line_nano(count, unit) == int(Decimal(count * unit).scaleb(-3).quantize(Decimal(1), ROUND_HALF_UP))


# R1
def test_a_million_small_costs_add_up() -> None:
    assert sum(line_nano(1, 300_000) for _ in range(1_000_000)) == nano("0.3")


@pytest.mark.parametrize(
    ("amount", "places", "text"),
    [
        (18_182_110_000_000, None, "$18,182.11"),
        (18_182_115_000_000, None, "$18,182.12"),
        (0, None, "$0.00"),
        (NANO, None, "$1.00"),
        (994_999_999, None, "$0.9950"),
        (995_000_000, None, "$1.00"),
        (56_023_500, None, "$0.0560"),
        (1, None, "< $0.0001"),
        (49_999, 4, "< $0.0001"),
        (50_000, 4, "$0.0001"),
        (2 * NANO, 4, "$2.0000"),
        (16_528_800, 7, "$0.0165288"),
        (63, 9, "$0.000000063"),
        (1_234_500_000_000, 0, "$1,235"),
        (-1_500_000_000, None, "\N{MINUS SIGN}$1.50"),
        (-1, None, "> \N{MINUS SIGN}$0.0001"),
    ],
)
def test_money_as_text(amount: int, places: int | None, text: str) -> None:
    assert money(amount, places) == text


@given(amounts.filter(bool), st.sampled_from([None, 2, 4, 7, 9]))
def test_something_is_never_shown_as_nothing(amount: int, places: int | None) -> None:
    assert any(digit in "123456789" for digit in money(amount, places))
