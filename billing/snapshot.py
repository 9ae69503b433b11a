"""Prices as the data plane sees them: frozen data without Django. Rates are pico-USD per token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MEMO_SIZE = 5_000
# Anthropic's price of a web search, $10 per thousand.
WEB_SEARCH_PICO = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one band: in force when the prompt has more than `above` tokens."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    above: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs from `starts_at` (epoch seconds) on. `bands` ascend by `above`; `web_search` is pico-USD per search."""

    version: str
    bands: tuple[Rates, ...]
    web_search: int = WEB_SEARCH_PICO
    starts_at: float = 0

    def rates(self, prompt_tokens: int) -> Rates:
        """The band of a prompt: all of a request's tokens cost that band's rates."""
        chosen = self.bands[0]
        for band in self.bands[1:]:
            if prompt_tokens > band.above:
                chosen = band
        return chosen


# (provider, model, variant) → prices, newest first; a variant is "", "batch" or "fast".
Catalogue = Callable[[str, str, str], tuple[Price, ...]]


def empty(_provider: str, _model: str, _variant: str) -> tuple[Price, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Our own prices win over the catalogue, in every variant. `overrides` maps (provider, model) to prices, newest first.

    A model's own row wins over a family's (`claude-*`), a longer family over a shorter one; a row that has not begun steps aside.
    """

    overrides: Mapping[tuple[str, str], tuple[Price, ...]] = field(default_factory=dict)
    catalogue: Catalogue = empty
    _memo: dict[tuple[str, str, str], tuple[Price, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def find(self, provider: str, model: str, at: float, variant: str = "") -> Price | None:
        """The price in force at `at`, or None: unpriced."""
        key = (provider, model, variant)
        prices = self._memo.get(key)
        if prices is None:
            prices = self._look_up(provider, model, variant)
            if len(self._memo) >= MEMO_SIZE:
                self._memo.clear()
            self._memo[key] = prices
        for price in prices:
            if price.starts_at <= at:
                return price
        return None

    def _look_up(self, provider: str, model: str, variant: str) -> tuple[Price, ...]:
        families = (name for of, name in self.overrides if of == provider and name.endswith("*") and model.startswith(name[:-1]))
        names = dict.fromkeys((model, *sorted(families, key=len, reverse=True)))
        own = (price for name in names for price in self.overrides.get((provider, name), ()))
        return (*own, *self.catalogue(provider, model, variant))
