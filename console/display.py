"""The currency in which the page under way shows money: set around a request, asked by template tags, as Django does with languages."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from console.currencies import DOLLARS, Currency


@dataclass(slots=True)
class Display:
    """`has_converted` becomes true with the first sum that was not shown in dollars: such a page says at which rate."""

    currency: Currency = DOLLARS
    has_converted: bool = False


_display: ContextVar[Display | None] = ContextVar("display", default=None)


def display() -> Display:
    return _display.get() or Display()


@contextmanager
def shown_in(currency: Currency) -> Iterator[Display]:
    shown = Display(currency)
    token = _display.set(shown)
    try:
        yield shown
    finally:
        _display.reset(token)
