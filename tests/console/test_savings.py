"""What caches saved is reckoned by the prices of each day, and says what it cannot know."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db.models import Q
from django.utils import timezone

from billing.snapshot import Price, PriceBook, Rates
from console.figures import Source, Usage
from console.savings import Savings, reckoned, savings
from routing.models import RouteTarget
from tests.console.rows import MINUTE, served
from tests.factories import make_deployment, make_route

CHANGE = datetime(2026, 11, 10, tzinfo=UTC)
OLD = Price("old", (Rates(input=3000, output=9, cache_read=300, cache_write_5m=3750, cache_write_1h=6000),))
NEW = Price("new", (Rates(input=6000, output=9, cache_read=600, cache_write_5m=7500, cache_write_1h=9000),), starts_at=CHANGE.timestamp())
PRICES = PriceBook({("anthropic", "opus"): (NEW, OLD)})


def reckon(day: int, usage: Usage, route: str = "opus") -> Savings:
    return reckoned([(date(2026, 11, day), route, "anthropic", usage)], {("smart", "anthropic"): "opus"}, PRICES, UTC)


@pytest.mark.parametrize(("day", "saved"), [(9, 2700), (11, 5400)])
def test_read_tokens_save_by_the_price_of_the_day(day: int, saved: int) -> None:
    assert reckon(day, Usage(cache_read=1000)).saved_nano == saved


def test_writing_takes_its_extra_price_away() -> None:
    assert reckon(9, Usage(cache_read=1000, cache_write=1000)).saved_nano == 2700 - 750
    assert reckon(9, Usage(cache_write=1000)).saved_nano == -750


@pytest.mark.parametrize("route", ["smart", "opus", "anthropic/opus"])
def test_route_is_priced_by_its_deployment_or_its_name(route: str) -> None:
    assert reckon(9, Usage(cache_read=10), route).priced_tokens == 10


def test_tokens_without_a_price_are_counted_apart() -> None:
    found = reckon(9, Usage(cache_read=7, cache_write=3), "unheard-of")
    assert (found.saved_nano, found.unpriced_tokens, found.is_known) == (0, 10, False)


@pytest.mark.django_db
def test_first_deployment_at_the_provider_names_the_price() -> None:
    first, second = (
        make_deployment("a", provider="anthropic", model="claude-sonnet-4-5"),
        make_deployment("b", provider="anthropic", model="claude-opus-4-5"),
    )
    make_route("claude-sonnet", second, first)
    RouteTarget.objects.filter(deployment=second).update(order=2)
    served(cache_read_tokens=1_000_000, cache_write_5m_tokens=0)
    now = timezone.now()
    found = savings(Source(Q(), UTC), (now - timedelta(hours=1), now + MINUTE))
    assert (found.saved_nano, found.unpriced_tokens) == (2_700_000_000, 0)


@pytest.mark.django_db
def test_nothing_cached_saves_nothing() -> None:
    served(cache_read_tokens=0, cache_write_5m_tokens=0)
    now = timezone.now()
    assert savings(Source(Q(), UTC), (now - timedelta(hours=1), now)) == Savings()
