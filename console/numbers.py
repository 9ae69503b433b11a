"""Numbers as our pages write them: money, counts, shares, times. Plain text out of integers, so that no float comes near money."""

from typing import NamedTuple

from billing.money import NANO
from console.currencies import DOLLARS, Currency

NONE_YET = "–"
_MARKS = {"de": (".", ",")}
_SHORT = {
    "ja": ((10**8, "億"), (10**4, "万")),
    "de": ((10**9, "\N{NO-BREAK SPACE}Mrd."), (10**6, "\N{NO-BREAK SPACE}Mio."), (10**3, "\N{NO-BREAK SPACE}Tsd.")),
    "en": ((10**9, "\N{NO-BREAK SPACE}B"), (10**6, "\N{NO-BREAK SPACE}M"), (10**3, "\N{NO-BREAK SPACE}k")),
}


class Money(NamedTuple):
    """An amount in three parts, because pages print the cents in grey."""

    whole: str
    cents: str
    after: str

    @property
    def text(self) -> str:
        return f"{self.whole}{self.cents}{self.after}"


def half_up(value: int, unit: int) -> int:
    """How many units `value` is, halves away from zero."""
    count = (abs(value) + unit // 2) // unit
    return -count if value < 0 else count


def decimal(scaled: int, digits: int, lang: str) -> str:
    """`scaled` / 10**digits in the language's own marks: 1234567 with 2 digits is 12,345.67 or 12.345,67."""
    thousands, point = _MARKS.get(lang, (",", "."))
    whole, rest = divmod(abs(scaled), 10**digits)
    text = f"{whole:,}".replace(",", thousands)
    if digits:
        text += f"{point}{rest:0{digits}d}"
    return f"−{text}" if scaled < 0 else text  # noqa: RUF001  # the true minus sign is as wide as a digit


def converted(nano: int, digits: int, currency: Currency) -> int:
    """Nano-dollars as 10**-digits of a currency, rounded once."""
    return half_up(nano * currency.rate * 10**digits, NANO * 10**currency.places)


def _with_sign(text: str, lang: str, currency: Currency = DOLLARS) -> tuple[str, str]:
    if lang == "de":
        return text, f"\N{NO-BREAK SPACE}{currency.sign}"
    sign = currency.sign + "\N{NO-BREAK SPACE}" * currency.sign[-1].isalpha()
    return (f"−{sign}{text[1:]}" if text.startswith("−") else f"{sign}{text}"), ""  # noqa: RUF001


def money4(nano: int, lang: str, currency: Currency = DOLLARS) -> Money:
    """The price of one request: hundredths of a cent, never 0.0000 for something."""
    fine = converted(nano, currency.digits + 2, currency)
    text, after = _with_sign(decimal(fine or int(nano > 0), currency.digits + 2, lang), lang, currency)
    return Money(f"< {text}" if nano > 0 and not fine else text, "", after)


def money(nano: int, lang: str, currency: Currency = DOLLARS) -> Money:
    """A sum: to the cent from a dollar, a euro or 100 yen up (and for nothing), two digits more below."""
    if nano and abs(converted(nano, currency.digits + 2, currency)) < 10_000:
        return money4(nano, lang, currency)
    text, after = _with_sign(decimal(converted(nano, currency.digits, currency), currency.digits, lang), lang, currency)
    cut = len(text) - currency.digits - 1 if currency.digits else len(text)
    return Money(text[:cut], text[cut:], after)


def about(nano: int, lang: str, currency: Currency = DOLLARS) -> str:
    """A sum that is nobody's bill: without cents from ten dollars up."""
    if abs(converted(nano, currency.digits, currency)) < 1000:
        return money(nano, lang, currency).text
    return "".join(_with_sign(decimal(converted(nano, 0, currency), 0, lang), lang, currency))


def exact_dollars(nano: int, lang: str) -> str:
    """Every nano of it, two decimals at least."""
    digits = next((places for places in range(2, 9) if nano % 10 ** (9 - places) == 0), 9)
    return "".join(_with_sign(line_amount(nano, digits, lang), lang))


def unit_of_axis(lang: str, currency: Currency = DOLLARS) -> str:
    """How an axis writes a sum; # stands for the number."""
    return "".join(_with_sign("#", lang, currency))


def rate_of(currency: Currency, lang: str) -> str:
    return decimal(currency.rate, currency.places, lang)


def plain(nano: int, currency: Currency = DOLLARS) -> str:
    """A sum for a machine to read: nine decimals, as far as it has them, a decimal point, no sign of a currency."""
    scaled = converted(nano, 9, currency)
    whole, rest = divmod(abs(scaled), NANO)
    return f"{'-' if scaled < 0 else ''}{whole}.{rest:09d}".rstrip("0").rstrip(".")


def line_amount(nano: int, digits: int, lang: str) -> str:
    """The amount of a price line, without the symbol: 7 digits, 9 where a nano counts."""
    return decimal(half_up(nano, 10 ** (9 - digits)), digits, lang)


def unit_price(unit_pico: int, lang: str) -> str:
    """Dollars per million tokens, two decimals and as many more as the price has."""
    digits = next((places for places in range(2, 6) if unit_pico % 10 ** (6 - places) == 0), 6)
    text, after = _with_sign(decimal(half_up(unit_pico, 10 ** (6 - digits)), digits, lang), lang)
    return text + after


def count(value: int, lang: str) -> str:
    return decimal(value, 0, lang)


def short_count(value: int, lang: str) -> str:
    """1.2 M, 120万, 1,2 Mio.: for axes and the number strip. Full below a hundred thousand."""
    if value < 100_000:
        return count(value, lang)
    unit, name = next(pair for pair in _SHORT.get(lang, _SHORT["en"]) if value >= pair[0])
    digits = int(value < 100 * unit)
    return decimal(half_up(value * 10**digits, unit), digits, lang) + name


def percent(part: int, whole: int, lang: str) -> str:
    if whole == 0:
        return NONE_YET
    tenths = half_up(part * 1000, whole)
    text = decimal(tenths or int(part > 0), 1, lang) + ("\N{NO-BREAK SPACE}%" if lang == "de" else "%")
    return text if tenths or not part else f"< {text}"


def width(part: int, whole: int) -> str:
    """A share as an SVG length. SVG knows no decimal comma."""
    return f"{100 * part / whole if whole else 0:.2f}%"


def duration(milliseconds: float, lang: str) -> str:
    """0.4 ms, 618 ms, 2.31 s, 12.8 s, 3 min."""
    if milliseconds < 999.5:
        digits = int(0 < milliseconds < 9.95)
        return f"{decimal(round(milliseconds * 10**digits), digits, lang)} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        digits = 2 if seconds < 9.995 else 1
        return f"{decimal(round(seconds * 10**digits), digits, lang)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"


def size(octets: int, lang: str) -> str:
    """198 KB, 1.2 MB."""
    if octets < 1000:
        return f"{octets} B"
    unit, name = (10**3, "KB") if octets < 10**6 else (10**6, "MB")
    digits = int(octets < 10 * unit)
    return f"{decimal(half_up(octets * 10**digits, unit), digits, lang)} {name}"


def running_mean(values: list[int], days: int = 7) -> list[int]:
    """Each value with those before it, so that weekends do not shout."""
    return [sum(part) // len(part) for part in (values[max(0, at - days + 1) : at + 1] for at in range(len(values)))]


def running_sum(values: list[int]) -> list[int]:
    return [sum(values[: at + 1]) for at in range(len(values))]
