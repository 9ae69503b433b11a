"""Prices as the data plane sees them: frozen data without Django. Rates are pico-USD per token."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

MEMO_SIZE = 5_000
# Anthropic's price of a web search, $10 per thousand.
WEB_SEARCH_PICO = 10_000_000_000
# Ways to have a call made at another price than the standard one.
VARIANTS = ("batch", "fast", "flex", "priority")
# Never dearer than standard: without a price of their own the standard one is an upper bound, so it counts.
DISCOUNTS = frozenset({"batch", "flex"})


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
    """What one model costs from `starts_at` (epoch seconds) on. `bands` ascend by `above`; `web_search` is pico-USD per search.

    `dearest_input` and `dearest_output` are what a token may cost at most: money is held by them for every call.
    """

    version: str
    bands: tuple[Rates, ...]
    web_search: int = WEB_SEARCH_PICO
    starts_at: float = 0
    variant: str = ""
    dearest_input: int = field(init=False, repr=False, compare=False)
    dearest_output: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        inputs = (rate for band in self.bands for rate in (band.input, band.cache_read, band.cache_write_5m, band.cache_write_1h))
        object.__setattr__(self, "dearest_input", max(inputs))
        object.__setattr__(self, "dearest_output", max(band.output for band in self.bands))

    def rates(self, prompt_tokens: int) -> Rates:
        """The band of a prompt: all of a request's tokens cost that band's rates."""
        chosen = self.bands[0]
        for band in self.bands[1:]:
            if prompt_tokens > band.above:
                chosen = band
        return chosen


# (provider, model, variant) → prices of that variant, newest first.
Catalogue = Callable[[str, str, str], tuple[Price, ...]]


def empty(_provider: str, _model: str, _variant: str) -> tuple[Price, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Our own prices win over the catalogue. `overrides` maps (provider, model) to prices of every variant, newest first.

    A model's own row wins over a family's (`claude-*`), a longer family over a shorter one; a row that has not begun steps aside.
    """

    overrides: Mapping[tuple[str, str], tuple[Price, ...]] = field(default_factory=dict)
    catalogue: Catalogue = empty
    _memo: dict[tuple[str, str, str], tuple[Price, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def find(self, provider: str, model: str, at: float, variant: str = "") -> Price | None:
        """The price in force at `at`, or None: unpriced.

        A discount nobody priced costs what its own or listed standard price says; anything dearer has a price of its own or none.
        """
        key = (provider, model, variant)
        prices = self._memo.get(key)
        if prices is None:
            prices = tuple(self._look_up(provider, model, variant))
            if len(self._memo) >= MEMO_SIZE:
                self._memo.clear()
            self._memo[key] = prices
        for price in prices:
            if price.starts_at <= at:
                return price
        return None

    def _look_up(self, provider: str, model: str, variant: str) -> Iterator[Price]:
        is_discount = variant in DISCOUNTS
        yield from self._own(provider, model, variant)
        if is_discount:
            yield from self._own(provider, model, "")
        yield from self.catalogue(provider, model, variant)
        if is_discount:
            yield from self.catalogue(provider, model, "")

    def _own(self, provider: str, model: str, variant: str) -> Iterator[Price]:
        families = (name for of, name in self.overrides if of == provider and name.endswith("*") and model.startswith(name[:-1]))
        for name in dict.fromkeys((model, *sorted(families, key=len, reverse=True))):
            for price in self.overrides.get((provider, name), ()):
                if price.variant == variant:
                    yield price
