"""Rows → PriceBook and BudgetBook: the only bridge from the ORM to the data plane for how much."""

from django.utils import timezone

from billing.budget_book import BudgetBook, BudgetRow
from billing.catalogue import catalogue
from billing.models import Budget, Price, Window
from billing.snapshot import Price as PriceInForce
from billing.snapshot import PriceBook, Rates


def load_prices() -> PriceBook:
    """Our own prices over the shipped list."""
    overrides: dict[tuple[str, str], tuple[PriceInForce, ...]] = {}
    for row in Price.objects.order_by("-starts_at"):
        key = (row.provider, row.model)
        overrides[key] = (*overrides.get(key, ()), _price(row))
    return PriceBook(overrides, catalogue)


def _price(row: Price) -> PriceInForce:
    """A kind without a price of its own costs what fresh input costs."""

    def rate(own: int | None) -> int:
        return row.input_pico if own is None else own

    rates = Rates(row.input_pico, row.output_pico, rate(row.cache_read_pico), rate(row.cache_write_5m_pico), rate(row.cache_write_1h_pico))
    return PriceInForce(f"own:{row.pk}", (rates,), row.web_search_pico or 0, row.starts_at.timestamp())


def load_budgets() -> BudgetBook:
    """Every budget, with what is posted in each of its latest windows."""
    rows = [
        BudgetRow(
            row.pk, row.scope, row.scope_id, row.amount_nano, row.period, row.time_zone, row.anchored_at, is_hard=row.mode == Budget.Mode.HARD
        )
        for row in Budget.objects.all()
    ]
    recent: dict[tuple[int, float], int] = {}
    latest: dict[int, float] = {}
    for window in Window.objects.filter(starts_at__lte=timezone.now()).order_by("starts_at").iterator():
        latest[window.budget_id] = window.starts_at.timestamp()
        recent[window.budget_id, window.starts_at.timestamp()] = window.posted_nano
    return BudgetBook.of(rows, {key: amount for key, amount in recent.items() if latest[key[0]] == key[1]})
