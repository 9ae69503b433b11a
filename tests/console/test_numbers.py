"""Numbers as text: rounded half up, in the reader's marks, never a zero for something."""

import pytest

from billing.money import NANO
from console import numbers

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (1, "< $0.0001"),
        (50_000, "$0.0001"),
        (999_949_999, "$0.9999"),
        (999_999_999, "$1.00"),
        (1_005_000_000, "$1.01"),
        (18_182_114_999_999, "$18,182.11"),
        (-1_500_000_000, "−$1.50"),  # noqa: RUF001
        (-2_500_000, "−$0.0025"),  # noqa: RUF001
    ],
)
def test_money(nano: int, text: str) -> None:
    assert numbers.money(nano, "en").text == text


@pytest.mark.parametrize(("nano", "text"), [(56_023_500, "$0.0560"), (49_999, "< $0.0001"), (2 * NANO, "$2.0000")])
def test_money_of_one_request(nano: int, text: str) -> None:
    assert numbers.money4(nano, "en").text == text


def test_small_money_in_german() -> None:
    assert numbers.money(1, "de").text == f"< 0,0001{NBSP}$"


@pytest.mark.parametrize(("nano", "text"), [(0, "0"), (1, "0.000000001"), (3_500_000_000, "3.5"), (-NANO, "-1")])
def test_dollars_for_a_script(nano: int, text: str) -> None:
    assert numbers.plain_dollars(nano) == text


@pytest.mark.parametrize(("pico", "text"), [(3_000_000, "$3.00"), (300_000, "$0.30"), (18_750, "$0.01875"), (1, "$0.000001")])
def test_price_per_million(pico: int, text: str) -> None:
    assert numbers.unit_price(pico, "en") == text


@pytest.mark.parametrize(
    ("language", "value", "text"),
    [
        ("en", 99_999, "99,999"),
        ("en", 1_234_000, f"1.2{NBSP}M"),
        ("ja", 1_234_000, "123万"),
        ("de", 1_234_000, f"1,2{NBSP}Mio."),
        ("en", 288_902, f"289{NBSP}k"),
        ("en", 17_800_000_000, f"17.8{NBSP}B"),
    ],
)
def test_short_counts(language: str, value: int, text: str) -> None:
    assert numbers.short_count(value, language) == text


@pytest.mark.parametrize(("part", "text"), [(0, "0.0%"), (1, "< 0.1%"), (500, "5.0%"), (10_000, "100.0%")])
def test_shares(part: int, text: str) -> None:
    assert numbers.percent(part, 10_000, "en") == text


def test_share_of_nothing_is_none() -> None:
    assert numbers.percent(0, 0, "en") == numbers.NONE_YET


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (0.42, "0.4 ms"),
        (618.2, "618 ms"),
        (999.6, "1.00 s"),
        (2310, "2.31 s"),
        (12_840, "12.8 s"),
        (200_000, "3 min 20 s"),
        (900_000, "15 min"),
    ],
)
def test_durations(milliseconds: float, text: str) -> None:
    assert numbers.duration(milliseconds, "en") == text


@pytest.mark.parametrize(("octets", "text"), [(12, "12 B"), (1500, "1.5 KB"), (198_233, "198 KB"), (1_200_000, "1.2 MB")])
def test_sizes(octets: int, text: str) -> None:
    assert numbers.size(octets, "en") == text


def test_running_mean_looks_back_a_week() -> None:
    assert numbers.running_mean([7, 0, 0, 0, 0, 0, 0, 70]) == [7, 3, 2, 1, 1, 1, 1, 10]
