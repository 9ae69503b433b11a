import pytest
from django.forms import ValidationError

from billing.forms import ScaledField
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
