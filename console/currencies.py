"""The currencies in which pages can show money. Pure: a rate is a whole number of decimal steps, so that no float comes near money."""

import re
from dataclasses import dataclass

_RATE = re.compile(r"(?a:([A-Za-z]{3}) ?= ?(\d{1,7})(?:\.(\d{1,9}))?)")
_SIGNS = {
    "USD": "$",
    "EUR": "€",
    "JPY": "¥",
    "GBP": "£",
    "INR": "₹",
    "KRW": "₩",
    "ILS": "₪",
    "VND": "₫",
    "PHP": "₱",
    "AUD": "A$",
    "CAD": "CA$",
    "HKD": "HK$",
    "MXN": "MX$",
    "NZD": "NZ$",
    "TWD": "NT$",
    "BRL": "R$",
    "CNY": "CN¥",
}
_DIGITS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


class WrongRate(ValueError):
    """A rate that cannot be used; the text shows it."""


@dataclass(frozen=True, slots=True)
class Currency:
    """One US dollar is `rate` / 10**`places` of it."""

    code: str
    rate: int = 1
    places: int = 0

    @property
    def digits(self) -> int:
        """Decimals in which its sums are written."""
        return _DIGITS.get(self.code, 2)

    @property
    def sign(self) -> str:
        return _SIGNS.get(self.code, self.code)


DOLLARS = Currency("USD")


def read_rates(text: str) -> dict[str, Currency]:
    """`EUR=0.92,JPY=151.3`: how many of each one US dollar is."""
    found: dict[str, Currency] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        one = _read(part)
        if one.code in {DOLLARS.code, *found}:
            raise WrongRate(f"names {one.code} a second time" if one.code in found else "names USD, which the ledger is kept in")
        found[one.code] = one
    return found


def _read(part: str) -> Currency:
    read = _RATE.fullmatch(part)
    whole, rest = (read[2], read[3] or "") if read else ("0", "")
    if not read or not int(whole + rest):
        raise WrongRate(f"holds {part!r}")
    return Currency(read[1].upper(), int(whole + rest), len(rest))
