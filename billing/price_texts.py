"""Prices in words and figures, US dollars per million tokens: for the command line."""

from decimal import Decimal
from typing import Any

from billing.money import PICO_PER_USD_PER_MILLION, usd_per_million
from billing.price_changes import Change, Name
from billing.snapshot import Price, Rates

KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
# pico-USD per search → USD per thousand.
SEARCHES_PER_PRICE = 1_000


def title(provider: str, model: str, variant: str) -> str:
    return " ".join(filter(None, (provider, model, variant)))


def number(pico: int) -> str:
    return f"{usd_per_million(pico).normalize():f}"


def dollars(pico: int) -> str:
    return f"${number(pico)}"


def described(name: Name, variant: str, rates: Rates | None, source: str) -> dict[str, Any]:
    """One band of a price; its rates are empty where there is none."""
    values = {kind: number(getattr(rates, kind)) if rates else "" for kind in KINDS}
    return {"provider": name[0], "model": name[1], "variant": variant, "above": (rates and rates.above) or "", **values, "source": source}


def sentence(change: Change) -> str:
    kept = f" (stays: {change.kept})" if change.kept else ""
    return f"{title(change.provider, change.model, change.variant)}: {_told(change.was, change.now)}{kept}"


def as_json(change: Change) -> dict[str, Any]:
    name, variant = (change.provider, change.model), change.variant
    told = {"provider": change.provider, "model": change.model, "variant": variant, "kept": change.kept}
    return told | {"was": _described(name, variant, change.was), "now": _described(name, variant, change.now)}


def _described(name: Name, variant: str, price: Price | None) -> list[dict[str, Any]]:
    return [described(name, variant, band, price.version) for band in price.bands] if price else []


def _told(was: Price | None, now: Price) -> str:
    if was is None:
        return f"no price → {_bands(now)}"
    if len(was.bands) > 1 or len(now.bands) > 1:
        return f"{_bands(was)} → {_bands(now)}"
    pairs = [(kind.replace("_", " "), getattr(was.bands[0], kind), getattr(now.bands[0], kind)) for kind in KINDS]
    parts = [f"{kind} {dollars(old)} → {dollars(new)}" for kind, old, new in pairs if old != new]
    if was.web_search != now.web_search:
        parts.append(f"web search {_per_thousand(was)} → {_per_thousand(now)} a thousand")
    return ", ".join(parts) or "the same price, for the standard one is to change"


def _bands(price: Price) -> str:
    return "; ".join(f"{_above(band)}{dollars(band.input)} in, {dollars(band.output)} out" for band in price.bands)


def _above(band: Rates) -> str:
    return f"above {band.above:,} tokens " if band.above else ""


def _per_thousand(price: Price) -> str:
    per_search = Decimal(price.web_search) / PICO_PER_USD_PER_MILLION**2
    return f"${(per_search * SEARCHES_PER_PRICE).normalize():f}"
