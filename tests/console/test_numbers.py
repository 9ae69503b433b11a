"""Numbers as text: rounded half up, in the reader's marks, never a zero for something."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import NANO
from console import numbers
from console.currencies import DOLLARS, Currency, WrongRate, read_rates

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
        (-49_999, "$0.0000"),
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
    assert numbers.plain(nano) == text


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


# ── other currencies ──────────────────────────────────────────────────────────
RATES = read_rates("EUR=0.92, JPY=151.3, GBP=0.79, CHF=0.8, KWD=0.307, VND=26355.123456789, IDR=0.000001")
EUR, JPY, CHF = RATES["EUR"], RATES["JPY"], RATES["CHF"]
CURRENCIES = st.sampled_from([DOLLARS, *RATES.values()])
AMOUNTS = st.integers(min_value=-(10**20), max_value=10**20)


@pytest.mark.parametrize(
    ("nano", "language", "currency", "text"),
    [
        (0, "de", EUR, f"0,00{NBSP}€"),
        (1_341_909_000_000, "de", EUR, f"1.234,56{NBSP}€"),
        (1_341_909_000_000, "en", EUR, "€1,234.56"),
        (1_341_909_000_000, "ja", EUR, "€1,234.56"),
        (8_156_000_000, "ja", JPY, "¥1,234"),
        (8_156_000_000, "de", JPY, f"1.234{NBSP}¥"),
        (8_156_000_000, "en", CHF, f"CHF{NBSP}6.52"),
        (-8_156_000_000, "en", CHF, f"−CHF{NBSP}6.52"),  # noqa: RUF001
        (500_000_000, "ja", JPY, "¥75.65"),
        (500_000_000, "de", EUR, f"0,4600{NBSP}€"),
        (1, "ja", JPY, "< ¥0.01"),
        (1, "de", EUR, f"< 0,0001{NBSP}€"),
    ],
)
def test_money_in_another_currency(nano: int, language: str, currency: Currency, text: str) -> None:
    assert numbers.money(nano, language, currency).text == text


def test_cents_are_apart_in_every_currency() -> None:
    assert numbers.money(2_000_000_000_000, "de", EUR) == ("1.840", ",00", f"{NBSP}€")
    assert numbers.money(2_000_000_000_000, "ja", JPY) == ("¥302,600", "", "")
    assert numbers.money(2_000_000_000_000, "en", RATES["KWD"]) == (f"KWD{NBSP}614", ".000", "")


@pytest.mark.parametrize(("nano", "currency", "text"), [(56_023_500, JPY, "¥8.48"), (56_023_500, EUR, "€0.0515"), (1, JPY, "< ¥0.01")])
def test_price_of_one_request_in_another_currency(nano: int, currency: Currency, text: str) -> None:
    assert numbers.money4(nano, "en", currency).text == text


@pytest.mark.parametrize(
    ("nano", "currency", "text"),
    [(1_341_909_000_000, EUR, "€1,235"), (9_000_000_000, EUR, "€8.28"), (1_000_000_000_000, JPY, "¥151,300"), (0, EUR, "€0.00")],
)
def test_forecasts_have_no_cents(nano: int, currency: Currency, text: str) -> None:
    assert numbers.about(nano, "en", currency) == text


@given(st.integers(-(10**6), -1), st.sampled_from(["en", "de", "ja"]), CURRENCIES)
def test_nothing_has_no_minus(nano: int, language: str, currency: Currency) -> None:
    money = (numbers.money, numbers.money4)
    texts = [one(nano, language, currency).text for one in money] + [numbers.about(nano, language, currency)]
    assert [text for text in texts if ("−" in text) != bool(set(text) & set("123456789"))] == []  # noqa: RUF001


@pytest.mark.parametrize(("nano", "text"), [(0, "$0.00"), (56_023_500, "$0.0560235"), (1, "$0.000000001"), (3 * NANO, "$3.00")])
def test_exact_dollars_have_every_nano(nano: int, text: str) -> None:
    assert numbers.exact_dollars(nano, "en") == text


@pytest.mark.parametrize(("language", "currency", "unit"), [("en", DOLLARS, "$#"), ("de", EUR, f"#{NBSP}€"), ("ja", JPY, "¥#")])
def test_axis_names_its_unit_as_sums_do(language: str, currency: Currency, unit: str) -> None:
    assert numbers.unit_of_axis(language, currency) == unit


def test_conversion_rounds_halves_up_once() -> None:
    half = read_rates("AAA=0.5")["AAA"]
    assert [numbers.converted(nano, 9, half) for nano in (1, 2, 3, -1, -3)] == [1, 1, 2, -1, -2]
    assert numbers.converted(10_000_000_000 - 1, 2, half) == 500


@given(currency=CURRENCIES, digits=st.integers(0, 9))
def test_zero_stays_zero(currency: Currency, digits: int) -> None:
    assert numbers.converted(0, digits, currency) == 0


@given(first=AMOUNTS, second=AMOUNTS, currency=CURRENCIES, digits=st.integers(0, 9))
def test_more_dollars_are_never_less_of_another_currency(first: int, second: int, currency: Currency, digits: int) -> None:
    less, more = sorted((first, second))
    assert numbers.converted(less, digits, currency) <= numbers.converted(more, digits, currency)


@given(nano=AMOUNTS, currency=CURRENCIES, digits=st.integers(0, 9))
def test_conversion_is_the_nearest_and_halves_go_away_from_zero(nano: int, currency: Currency, digits: int) -> None:
    exact = Fraction(nano, NANO) * Fraction(currency.rate, 10**currency.places) * 10**digits
    off = numbers.converted(nano, digits, currency) - exact
    assert abs(off) <= Fraction(1, 2)
    assert abs(off) < Fraction(1, 2) or off * nano > 0


@given(nano=AMOUNTS, digits=st.integers(0, 9))
def test_dollars_convert_to_themselves(nano: int, digits: int) -> None:
    assert numbers.converted(nano, digits, DOLLARS) == numbers.half_up(nano, 10 ** (9 - digits))


@given(nano=st.integers(1, 10**20), currency=CURRENCIES)
def test_something_is_never_shown_as_nothing(nano: int, currency: Currency) -> None:
    assert any(digit in numbers.money(nano, "en", currency).text for digit in "123456789")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("EUR", "holds 'EUR'"),
        ("EUR=0", "holds 'EUR=0'"),
        ("EUR=-1", "holds 'EUR=-1'"),
        ("EUR=1,92", "holds '92'"),
        ("EUR=1e3", "holds 'EUR=1e3'"),
        ("EUR=nan", "holds 'EUR=nan'"),
        ("EURO=1", "holds 'EURO=1'"),
        ("EUR=\N{ARABIC-INDIC DIGIT NINE}", "holds 'EUR=\N{ARABIC-INDIC DIGIT NINE}'"),
        ("EUR=0.92,eur=0.93", "names EUR a second time"),
        ("USD=1", "names USD, which the ledger is kept in"),
    ],
)
def test_rate_that_cannot_be_used_is_named(text: str, told: str) -> None:
    with pytest.raises(WrongRate, match=f"^{told}$"):
        read_rates(text)


def test_rates_are_exact() -> None:
    assert read_rates("eur = 0.920, JPY=151.3,") == {"EUR": Currency("EUR", 920, 3), "JPY": Currency("JPY", 1513, 1)}
    assert read_rates("") == {}
