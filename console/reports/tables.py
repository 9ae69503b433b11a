"""What a report answers with: named columns and rows of plain values. How they are written is the renderers' matter."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.money import usd

Value = str | int | bool | Decimal | date | datetime | list[str] | None
Row = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Column:
    """`source` is the attribute of the listed object that it shows, where it shows one as it is."""

    name: str
    meaning: str
    source: str = ""


@dataclass(slots=True)
class Table:
    """`rows` may be read once only, as they come from the database; `following` is asked for the next page's address after that.

    `in_rows` are facts without which a row means little: CSV, which holds nothing beside its rows, has them as further columns.
    """

    report: str
    columns: tuple[Column, ...]
    rows: Iterable[Row]
    facts: dict[str, Any] = field(default_factory=dict)
    following: Callable[[], str | None] = lambda: None
    in_rows: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


def money_columns(name: str, meaning: str) -> tuple[Column, Column]:
    return Column(f"{name}_usd", f"{meaning}, in US dollars, exact"), Column(f"{name}_nano", f"{meaning}, in nano-dollars")


def money_cells(name: str, nano: int | None) -> Row:
    """The amount twice: exact dollars for people, whole nano-dollars for sums."""
    return {f"{name}_usd": None if nano is None else usd(nano), f"{name}_nano": nano}


def text_of(value: Value) -> str:
    """A value as CSV, pages and JSON's texts write it: no exponent in amounts, times in UTC."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)


def json_of(value: Value) -> str | int | bool | list[str] | None:
    return value if value is None or isinstance(value, str | int | list) else text_of(value)


def row_of(shown: object, columns: Iterable[Column]) -> Row:
    """The columns that show an attribute as it is; an amount's column comes twice, once in dollars."""
    row: Row = {}
    for column in columns:
        if column.source:
            value = getattr(shown, column.source)
            row[column.name] = usd(value) if column.name.endswith("_usd") and value is not None else value
    return row
