"""What plain SQL for batches is made of: the text of an INSERT, and times as the database keeps them. Five times as fast as models."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import connection, models

# Rows of one statement whose answer is read; SQLite takes some thousands of values in one.
ROWS_PER_INSERT = 100


def moments() -> Callable[[float], Any]:
    """From epoch seconds to what Django stores in this database: on SQLite a text without a zone. Remembers, for a batch repeats them."""
    if connection.vendor == "sqlite":
        second = cache(lambda whole_s: str(_time(whole_s))[:-6])
        return cache(lambda epoch_s: _text(epoch_s, second))
    adapt = connection.ops.adapt_datetimefield_value
    return cache(lambda epoch_s: adapt(_time(epoch_s)))


def _text(epoch_s: float, second: Callable[[int], str]) -> str:
    """As Python writes a time: `2026-11-21 09:00:00.123456`, without a fraction where there is none."""
    fraction, whole = math.modf(epoch_s)
    carry, micro_s = divmod(round(fraction * 1_000_000), 1_000_000)
    return f"{second(int(whole) + carry)}.{micro_s:06d}" if micro_s else second(int(whole) + carry)


def _time(epoch_s: float) -> datetime:
    try:
        return datetime.fromtimestamp(epoch_s, UTC)
    except OSError as error:  # raised far out of range, where it would pass for a broken disk and be tried for ever
        raise OverflowError(f"{epoch_s} is no time") from error


@cache
def insert_into(model: type[models.Model], names: tuple[str, ...], rows: int = 1) -> str:
    """`INSERT INTO table (columns) VALUES (...), ...` and a space."""
    quote = connection.ops.quote_name
    column_of = {field.name: field.column or field.name for field in model._meta.concrete_fields}
    columns = ", ".join(quote(column_of[name]) for name in names)
    mark = "?" if connection.vendor == "sqlite" else "%s"  # Django would look through each statement for %s
    row = f"({', '.join([mark] * len(names))})"
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES {', '.join([row] * rows)} "  # noqa: S608 - names of our models
