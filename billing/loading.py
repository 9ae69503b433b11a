"""Rows → PriceBook and BudgetBook: the only bridge from the ORM to the data plane for how much."""

from datetime import datetime

from django.utils import timezone

from billing.budget_book import BudgetBook, BudgetRow, WindowKey
from billing.catalogue import catalogue
from billing.models import Budget, Price, Window
from billing.periods import window
from billing.snapshot import WEB_SEARCH_PICO, PriceBook, Rates
from billing.snapshot import Price as PriceInForce

BUDGETS_PER_QUERY = 400


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
    return PriceInForce(
        f"own:{row.pk}", (rates,), WEB_SEARCH_PICO if row.web_search_pico is None else row.web_search_pico, row.starts_at.timestamp()
    )


def load_budgets() -> BudgetBook:
    """Every budget, with what is posted in the window of now."""
    rows = [_budget(row) for row in Budget.objects.all()]
    now = timezone.now()
    current = [(row.id, window(row.period, row.anchored_at, now, row.time_zone)[0]) for row in rows]
    posted: dict[WindowKey, int] = {}
    for start in range(0, len(current), BUDGETS_PER_QUERY):
        posted.update(_posted(current[start : start + BUDGETS_PER_QUERY]))
    return BudgetBook.of(rows, posted)


def _budget(row: Budget) -> BudgetRow:
    is_hard = row.mode == Budget.Mode.HARD
    return BudgetRow(row.pk, row.scope, row.scope_id, row.amount_nano, row.period, row.time_zone, row.anchored_at, is_hard)


def _posted(windows: list[tuple[int, datetime]]) -> dict[WindowKey, int]:
    """By budgets and by starts, since pairs cannot be asked for portably; what was asked for is picked from it."""
    asked = {(budget_id, start.timestamp()) for budget_id, start in windows}
    found = Window.objects.filter(budget__in={budget_id for budget_id, _ in windows}, starts_at__in={start for _, start in windows})
    rows = found.values_list("budget_id", "starts_at", "posted_nano")
    return {(budget_id, at.timestamp()): amount for budget_id, at, amount in rows if (budget_id, at.timestamp()) in asked}
