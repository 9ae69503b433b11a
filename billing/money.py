"""Money in integers: nano-USD (1 USD = 1,000,000,000) for amounts, pico-USD per token for prices. No float comes near."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

NANO = 1_000_000_000
PICO_PER_NANO = 1_000
PICO_PER_USD_PER_MILLION = 1_000_000
MAX_USD = 1_000_000_000


class BadAmount(ValueError):
    """An amount that cannot be money here; the text says why."""


def nano(usd: Decimal | int | str) -> int:
    """US dollars → nano-USD, rounded half up; raises BadAmount. Floats must come as the text they were written in."""
    try:
        amount = Decimal(usd)
    except (InvalidOperation, ValueError):
        raise BadAmount(f"{usd!r} is not an amount; write it like 12.50.") from None
    if not amount.is_finite() or abs(amount) > MAX_USD:
        raise BadAmount(f"{usd} is no amount that a budget or price can have.")
    return int((amount * NANO).to_integral_value(ROUND_HALF_UP))


def usd(amount_nano: int) -> Decimal:
    return Decimal(amount_nano) / NANO


def pico_per_token(usd_per_million: Decimal | int | str) -> int:
    """US dollars per million tokens → pico-USD per token, rounded half up."""
    try:
        rate = Decimal(usd_per_million)
    except (InvalidOperation, ValueError):
        raise BadAmount(f"{usd_per_million!r} is not a price; write it like 3.75.") from None
    if not rate.is_finite() or not 0 <= rate <= MAX_USD:
        raise BadAmount(f"{usd_per_million} is no price that a model can have.")
    return int((rate * PICO_PER_USD_PER_MILLION).to_integral_value(ROUND_HALF_UP))


def usd_per_million(pico: int) -> Decimal:
    return Decimal(pico) / PICO_PER_USD_PER_MILLION


def line_nano(count: int, unit_pico: int) -> int:
    """One price line, rounded once, half up."""
    return (count * unit_pico * 2 + PICO_PER_NANO) // (2 * PICO_PER_NANO)


def money(amount_nano: int, places: int = 2) -> str:
    """`$18,182.11`; something that rounds to nothing is shown as less than the smallest step, never as zero."""
    sign = "−" if amount_nano < 0 else ""
    step = 10 ** (9 - places)
    units = (abs(amount_nano) * 2 + step) // (2 * step)
    if units == 0 and amount_nano:
        return f"< ${_shown(1, places)}"
    return f"{sign}${_shown(units, places)}"


def _shown(units: int, places: int) -> str:
    whole, rest = divmod(units, 10**places)
    return f"{whole:,}.{rest:0{places}d}" if places else f"{whole:,}"
