"""What caches saved: what cached tokens would have cost as fresh input, less what writing and reading them cost.

Roll-ups know the public model name and the provider, day by day, but neither the model behind it nor how long a write was to last. So
the price is that of the route's first deployment at that provider, on the day; a write is reckoned at the five-minute rate, a prompt at
the lowest band. Tokens without a price are counted apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo

from audit.rolled import Span
from billing.loading import load_prices
from billing.snapshot import PriceBook
from console.figures import Source, Usage
from routing.models import RouteTarget

PICO_PER_NANO = 1000
# Of a day: public model name, provider, and what was used.
Part = tuple[date, str, str, Usage]


@dataclass(frozen=True, slots=True)
class Savings:
    saved_nano: int = 0
    priced_tokens: int = 0
    unpriced_tokens: int = 0

    @property
    def is_known(self) -> bool:
        return self.priced_tokens > 0


def savings(source: Source, span: Span) -> Savings:
    found = [(*by, usage) for by, usage in source.sums(span, "day", "route", "provider") if usage.cache_read or usage.cache_write]
    if not found:
        return Savings()
    return reckoned(found, _models({route for _, route, _, _ in found}), load_prices(), source.zone)


def reckoned(parts: Iterable[Part], models: dict[tuple[str, str], str], prices: PriceBook, zone: tzinfo) -> Savings:
    """`models`: public model name and provider → the model to price."""
    saved_pico = priced = unpriced = 0
    for day, route, provider, usage in parts:
        at = datetime.combine(day, time(12), tzinfo=zone).timestamp()
        price = prices.find(provider, models.get((route, provider), route.rpartition("/")[2]), at)
        if price is None:
            unpriced += usage.cache_read + usage.cache_write
            continue
        rates = price.rates(0)
        saved_pico += usage.cache_read * (rates.input - rates.cache_read) + usage.cache_write * (rates.input - rates.cache_write_5m)
        priced += usage.cache_read + usage.cache_write
    return Savings((saved_pico + PICO_PER_NANO // 2) // PICO_PER_NANO, priced, unpriced)


def _models(routes: Iterable[str]) -> dict[tuple[str, str], str]:
    """The first deployment of each route at each provider is what a call of it most likely reached."""
    targets = RouteTarget.objects.filter(route__name__in=list(routes)).order_by("-order", "weight", "-pk")
    found = targets.values_list("route__name", "deployment__provider", "deployment__model")
    return {(route, provider): model for route, provider, model in found}
