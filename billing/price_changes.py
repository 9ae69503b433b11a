"""What another edition of the price list would change for models in use, and taking it over as dated prices of our own.

A price that somebody set by hand is never touched: it is what was agreed.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction
from genai_prices import types
from pydantic import ValidationError

from audit.rows import ChangeRefused
from audit.trail import Actor
from billing.actions import set_price
from billing.catalogue import PriceList
from billing.models import Price as PriceRow
from billing.snapshot import DISCOUNTS, VARIANTS, Price, PriceBook, Rates

TAKEN_OVER = "price list"
MAX_FILE_BYTES = 50_000_000
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A price that another edition tells otherwise; `kept` says why it will not be taken over, if so."""

    provider: str
    model: str
    variant: str
    was: Price | None
    now: Price
    kept: str = ""


def read_list(path: Path) -> PriceList:
    """genai-prices' data file, of whatever edition."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ChangeRefused(f"{path.name} is too large for a price list.")
        raw = json.loads(path.read_text(), parse_float=str)
        if not isinstance(raw, list):
            raise ChangeRefused(f"{path.name} is no price list: a list of providers is needed, as genai-prices publishes it.")
        return PriceList(types._providers_from_raw(raw), f"{TAKEN_OVER} {path.name}"[:40])
    except OSError as error:
        raise ChangeRefused(f"{path.name} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise ChangeRefused(f"{path.name} is no price list: {place}: {first['msg']}.") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ChangeRefused):
            raise
        raise ChangeRefused(f"{path.name} is no price list: {str(error)[:200]}.") from error


def differences(book: PriceBook, other: PriceList, names: Iterable[Name], now: datetime) -> list[Change]:
    """What `other` says otherwise than the prices in force, for these models in every variant."""
    notes = dict(PriceRow.objects.values_list("pk", "note"))
    at = now.timestamp()
    return [change for name in sorted(set(names)) for change in _of_model(book, other, name, at, notes)]


def _of_model(book: PriceBook, other: PriceList, name: Name, at: float, notes: dict[int, str]) -> Iterator[Change]:
    """The standard price first. Once it is our own, a discount that the list knows has to be our own as well."""
    standard = _in_force(other.find(*name, ""), at)
    if standard is None:
        return
    known = book.find(*name, at)
    is_changed = known is None or _figures(known) != _figures(standard)
    kept = _reason(known, standard, notes)
    if is_changed:
        yield Change(*name, "", known, standard, kept)
    for variant in VARIANTS:
        price, known = _in_force(other.find(*name, variant), at), book.find(*name, at, variant)
        if price is None:
            continue
        is_discount, differs = variant in DISCOUNTS, known is None or _figures(known) != _figures(price)
        if is_discount and is_changed and _figures(price) == _figures(standard):
            continue
        if differs or (is_discount and is_changed and not kept):
            yield Change(*name, variant, known, price, _reason(known, price, notes))


def _in_force(prices: Iterable[Price], at: float) -> Price | None:
    return next((price for price in prices if price.starts_at <= at), None)


def _figures(price: Price) -> tuple[tuple[Rates, ...], int]:
    return price.bands, price.web_search


def _reason(known: Price | None, price: Price, notes: dict[int, str]) -> str:
    if known is not None and known.version.startswith("own:"):
        note = notes.get(int(known.version.removeprefix("own:")), "")
        if not note.startswith(TAKEN_OVER):
            return "a price of your own"
    return "bands by length of prompt, which a price of your own cannot have" if len(price.bands) > 1 else ""


@transaction.atomic
def take_over(changes: Iterable[Change], source: str, now: datetime, *, actor: Actor) -> list[PriceRow]:
    """Saves what may be taken over as prices of our own, in force from now on."""
    return [set_price(_row(change, source, now), actor=actor) for change in changes if not change.kept]


def _row(change: Change, source: str, now: datetime) -> PriceRow:
    (rates,) = change.now.bands
    return PriceRow(
        provider=change.provider,
        model=change.model,
        variant=change.variant,
        starts_at=now,
        input_pico=rates.input,
        output_pico=rates.output,
        cache_read_pico=rates.cache_read,
        cache_write_5m_pico=rates.cache_write_5m,
        cache_write_1h_pico=rates.cache_write_1h,
        web_search_pico=change.now.web_search,
        note=source[:200],
    )
