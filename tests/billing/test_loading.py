from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.loading import load_budgets, load_prices
from billing.models import Budget, Price

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def make_budget(period: str = "day", **values: Any) -> Budget:
    given = {"scope": "team", "scope_id": "team-1", "amount_nano": 100, "anchored_at": NOW - timedelta(days=40)} | values
    return Budget.objects.create(period=period, **given)


def test_budgets_are_found_by_scope() -> None:
    daily, monthly = make_budget(), make_budget("month", mode=Budget.Mode.SOFT)
    rows = load_budgets().by_scope["team", "team-1"]
    assert [(row.id, row.period, row.amount_nano, row.mode) for row in rows] == [
        (daily.pk, "day", 100, "hard"),
        (monthly.pk, "month", 100, "soft"),
    ]


def make_price(model: str = "demo-opus", *, days_ago: int = 1, **values: int) -> Price:
    given = {"input_pico": 10, "output_pico": 20} | values
    return Price.objects.create(provider="demo", model=model, starts_at=NOW - timedelta(days=days_ago), **given)


def test_own_price_wins_over_the_shipped_list() -> None:
    price = make_price(cache_read_pico=0, web_search_pico=7)
    found = load_prices().find("demo", "demo-opus", NOW.timestamp())
    assert found is not None
    assert (found.version, found.web_search) == (f"own:{price.pk}", 7)
    rates = found.rates(1)
    assert (rates.input, rates.output, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h) == (10, 20, 0, 13, 20)


def test_own_price_is_in_force_from_its_date() -> None:
    older, newer = make_price(days_ago=10), make_price(days_ago=2)
    book = load_prices()
    versions = [price.version for days in (11, 5, 1) if (price := book.find("demo", "demo-opus", (NOW - timedelta(days=days)).timestamp()))]
    assert versions == ["demo:opus", f"own:{older.pk}", f"own:{newer.pk}"]
