"""Money in integers: nano-USD (1 USD = 1,000,000,000) for amounts, pico-USD per token for prices. No float comes near."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

NANO = 1_000_000_000
PICO_PER_NANO = 1_000
PICO_PER_USD_PER_MILLION = 1_000_000
MAX_USD = 1_000_000_000

_NANO_PLACES = 9
_RATE_PLACES = 6
_ROUNDS_TO_A_DOLLAR = 995_000_000


class BadAmount(ValueError):
    """An amount that cannot be money here; the text says why."""


def nano(usd: Decimal | int | str) -> int:
    """US dollars → nano-USD, rounded once, half away from zero; raises BadAmount. A float must come as the text it was written in."""
    amount = _decimal(usd, f"{_shown(usd)} is not an amount; write it like 12.50.")
    if not amount.is_finite() or not -MAX_USD <= amount <= MAX_USD:
        raise BadAmount(f"{_shown(usd)} is no amount that a budget or price can have.")
    return _scaled(amount, _NANO_PLACES)


def usd(amount_nano: int) -> Decimal:
    return Decimal(amount_nano).scaleb(-_NANO_PLACES)


def pico_per_token(usd_per_million: Decimal | int | str) -> int:
    """US dollars per million tokens → pico-USD per token, rounded half up."""
    rate = _decimal(usd_per_million, f"{_shown(usd_per_million)} is not a price; write it like 3.75.")
    if not rate.is_finite() or not 0 <= rate <= MAX_USD:
        raise BadAmount(f"{_shown(usd_per_million)} is no price that a model can have.")
    return _scaled(rate, _RATE_PLACES)


def usd_per_million(pico: int) -> Decimal:
    return Decimal(pico).scaleb(-_RATE_PLACES)


def line_nano(count: int, unit_pico: int) -> int:
    """One price line, rounded once, half up."""
    return (count * unit_pico * 2 + PICO_PER_NANO) // (2 * PICO_PER_NANO)


def money(amount_nano: int, places: int | None = None) -> str:
    """`$18,182.11`, and four decimals below a dollar; one request asks for 4 places, a price line for 7 or 9.

    Something that rounds to nothing is shown as less than the smallest step, never as zero.
    """
    if places is None:
        places = 4 if 0 < abs(amount_nano) < _ROUNDS_TO_A_DOLLAR else 2
    units = _half_up(abs(amount_nano), 10 ** (_NANO_PLACES - places))
    sign = "\N{MINUS SIGN}" if amount_nano < 0 else ""
    if units == 0 and amount_nano:
        return f"{'>' if sign else '<'} {sign}${_grouped(1, places)}"
    return f"{sign}${_grouped(units, places)}"


def _decimal(value: Decimal | int | str, refusal: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise BadAmount(refusal)
    try:
        return Decimal(value)
    except InvalidOperation:
        raise BadAmount(refusal) from None


def _scaled(amount: Decimal, places: int) -> int:
    """`amount` × 10**places. One rounding only: a product would first be cut to the context's 28 digits."""
    return int(amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP).scaleb(places))


def _half_up(amount: int, unit: int) -> int:
    return (amount * 2 + unit) // (2 * unit)


def _grouped(units: int, places: int) -> str:
    whole, rest = divmod(units, 10**places)
    return f"{whole:,}.{rest:0{places}d}" if places else f"{whole:,}"


def _shown(value: object) -> str:
    # Python refuses to write out an int of thousands of digits, a Decimal it does not.
    return repr(str(Decimal(value) if type(value) is int else value)[:40])
