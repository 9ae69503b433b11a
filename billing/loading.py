"""Rows → PriceBook and BudgetBook: the only bridge from the ORM to the data plane for how much."""

from billing.budget_book import BudgetBook, BudgetRow
from billing.catalogue import catalogue
from billing.models import Budget, Price
from billing.scopes import names_of
from billing.snapshot import WEB_SEARCH_PICO, PriceBook, Rates
from billing.snapshot import Price as PriceInForce

UNLISTED = Rates(4, 0, 4, 5, 8)


def load_prices() -> PriceBook:
    """Our own prices over the shipped list."""
    overrides: dict[tuple[str, str], tuple[PriceInForce, ...]] = {}
    for row in Price.objects.order_by("-starts_at"):
        key = (row.provider, row.model)
        overrides[key] = (*overrides.get(key, ()), _price(row))
    return PriceBook(overrides, catalogue)


def _price(row: Price) -> PriceInForce:
    """A kind without a price of its own has the proportion to fresh input that it has in the list, or else at Anthropic."""
    like = _listed(row)
    rates = Rates(
        row.input_pico,
        row.output_pico,
        _part(row, row.cache_read_pico, like.cache_read, like.input),
        _part(row, row.cache_write_5m_pico, like.cache_write_5m, like.input),
        _part(row, row.cache_write_1h_pico, like.cache_write_1h, like.input),
    )
    searches = WEB_SEARCH_PICO if row.web_search_pico is None else row.web_search_pico
    return PriceInForce(f"own:{row.pk}", (rates,), searches, row.starts_at.timestamp(), row.variant)


def _listed(row: Price) -> Rates:
    """What the list says of the model; of one that it does not know, cached tokens are read at the price of fresh ones."""
    prices = catalogue(row.provider, row.model, row.variant) or catalogue(row.provider, row.model, "")
    found = next((price.bands[0] for price in prices if price.starts_at <= row.starts_at.timestamp()), UNLISTED)
    return found if found.input else UNLISTED


def _part(row: Price, own: int | None, listed: int, fresh: int) -> int:
    """Rounded half up."""
    return (2 * row.input_pico * listed + fresh) // (2 * fresh) if own is None else own


def load_budgets() -> BudgetBook:
    rows = list(Budget.objects.order_by("pk"))
    names = names_of((row.scope, row.scope_id) for row in rows)
    return BudgetBook.of([_budget(row, names.get((row.scope, row.scope_id), row.scope_id)) for row in rows])


def _budget(row: Budget, name: str) -> BudgetRow:
    return BudgetRow(
        row.pk,
        row.scope,
        row.scope_id,
        row.amount_nano,
        row.period,
        row.time_zone,
        row.anchored_at,
        row.mode,
        row.model,
        row.clamp_output,
        name,
    )
