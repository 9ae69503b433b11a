from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing import loading
from billing.loading import load_budgets, load_prices
from billing.models import Budget, Price, Window
from billing.periods import window

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def make_budget(period: str = "day", **values: Any) -> Budget:
    given = {"scope": "team", "scope_id": "team-1", "amount_nano": 100, "anchored_at": NOW - timedelta(days=40)} | values
    return Budget.objects.create(period=period, **given)


def post(budget: Budget, amount: int, *, days_ago: int = 0) -> float:
    start = window(budget.period, budget.anchored_at, timezone.now() - timedelta(days=days_ago), budget.time_zone)[0]
    Window.objects.create(budget=budget, starts_at=start, posted_nano=amount)
    return start.timestamp()


def test_budgets_are_found_by_scope() -> None:
    daily, monthly = make_budget(), make_budget("month", mode=Budget.Mode.SOFT)
    rows = load_budgets().by_scope["team", "team-1"]
    assert [(row.id, row.period, row.amount_nano, row.is_hard) for row in rows] == [
        (daily.pk, "day", 100, True),
        (monthly.pk, "month", 100, False),
    ]


@pytest.mark.parametrize("period", ["", "45d", "7d", "1mo", "month"])
def test_what_the_window_of_now_has_spent_is_loaded(period: str) -> None:
    budget = make_budget(period)
    start = post(budget, 42)
    assert load_budgets().posted == {(budget.pk, start): 42}


def test_earlier_windows_are_left_where_they_are() -> None:
    budget = make_budget("7d")
    post(budget, 42, days_ago=7)
    assert load_budgets().posted == {}


def test_window_of_the_present_period_counts_and_not_the_latest_row() -> None:
    budget = make_budget("month")
    start = post(budget, 42)
    Window.objects.create(budget=budget, starts_at=timezone.now(), posted_nano=7)
    assert load_budgets().posted == {(budget.pk, start): 42}


def test_earlier_window_that_starts_like_the_present_one_of_another_budget_is_left_out() -> None:
    daily, weekly = make_budget("1d"), make_budget("7d", anchored_at=NOW - timedelta(days=40, hours=1))
    start = post(weekly, 42)
    Window.objects.create(budget=daily, starts_at=Window.objects.get().starts_at, posted_nano=7)
    assert load_budgets().posted == {(weekly.pk, start): 42}


def test_many_budgets_are_loaded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BUDGETS_PER_QUERY", 3)
    budgets = [make_budget("45d", scope_id=f"team-{number}", anchored_at=NOW - timedelta(days=number)) for number in range(8)]
    starts = [post(budget, budget.pk) for budget in budgets]
    assert load_budgets().posted == {(budget.pk, start): budget.pk for budget, start in zip(budgets, starts, strict=True)}


def make_price(model: str = "demo-opus", *, days_ago: int = 1, **values: int) -> Price:
    given = {"input_pico": 10, "output_pico": 20} | values
    return Price.objects.create(provider="demo", model=model, starts_at=NOW - timedelta(days=days_ago), **given)


def test_own_price_wins_over_the_shipped_list() -> None:
    price = make_price(cache_read_pico=0, web_search_pico=7)
    found = load_prices().find("demo", "demo-opus", NOW.timestamp())
    assert found is not None
    assert (found.version, found.web_search) == (f"own:{price.pk}", 7)
    rates = found.rates(1)
    assert (rates.input, rates.output, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h) == (10, 20, 0, 10, 10)


def test_own_price_is_in_force_from_its_date() -> None:
    older, newer = make_price(days_ago=10), make_price(days_ago=2)
    book = load_prices()
    versions = [price.version for days in (11, 5, 1) if (price := book.find("demo", "demo-opus", (NOW - timedelta(days=days)).timestamp()))]
    assert versions == ["demo:opus", f"own:{older.pk}", f"own:{newer.pk}"]
