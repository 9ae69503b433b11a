import pytest
from django.forms import ValidationError

from billing.forms import PercentagesField, ScaledField
from billing.money import NANO, PICO_PER_USD_PER_MILLION


@pytest.mark.parametrize(("typed", "kept"), [("100", 100 * NANO), ("0", 0), ("0.000000001", 1), ("12.5", 12_500_000_000)])
def test_dollars_are_kept_as_nano(typed: str, kept: int) -> None:
    assert ScaledField(scale=NANO).clean(typed) == kept


def test_price_per_million_tokens_is_pico_per_token() -> None:
    assert ScaledField(scale=PICO_PER_USD_PER_MILLION).clean("3") == 3_000_000
    assert ScaledField(scale=PICO_PER_USD_PER_MILLION).clean("0.25") == 250_000


@pytest.mark.parametrize("typed", ["-1", "x", "NaN", "0.0000000001", "10000000000"])
def test_wrong_amount_is_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        ScaledField(scale=NANO).clean(typed)


def test_shown_value_reads_back_unchanged() -> None:
    field = ScaledField(scale=NANO)
    for nano in (0, 1, 10 * NANO, 100 * NANO, 12_500_000_000):
        assert field.clean(field.prepare_value(nano)) == nano
        assert not field.has_changed(nano, field.prepare_value(nano))


@pytest.mark.parametrize(("typed", "kept"), [("50, 80,100", [50, 80, 100]), ("80% 50%", [50, 80]), ("", []), ([80, 50], [50, 80])])
def test_percentages_are_kept_in_order(typed: object, kept: list[int]) -> None:
    assert PercentagesField().clean(typed) == kept


def test_word_is_no_percentage() -> None:
    with pytest.raises(ValidationError, match="Whole percentages"):
        PercentagesField().clean("50, most")


def test_shown_percentages_read_back_unchanged() -> None:
    field = PercentagesField()
    assert field.prepare_value([50, 80]) == "50, 80"
    assert not field.has_changed([50, 80], "50, 80")
    assert field.has_changed([50, 80], "50, all")
