"""What plain SQL for batches is made of: the text of an INSERT, and times as the database keeps them. Five times as fast as models."""

import math
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import Any

import psycopg
from django.db import connection, models, transaction

# SQLite takes some thousands of values in one statement.
ROWS_PER_INSERT = 50
ROWS_PER_COPY = 2000


def moments() -> Callable[[float], Any]:
    """From epoch seconds to the text that this database keeps as a time: on SQLite without a zone. Remembers, for a batch repeats them."""
    second = cache(lambda whole_s: str(_time(whole_s))[:-6])
    if connection.vendor == "sqlite":
        return cache(lambda epoch_s: _text(epoch_s, second))
    return cache(lambda epoch_s: _text(epoch_s, second) + "+00")


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
    mark = "?" if connection.vendor == "sqlite" else "%s"  # Django would look through each statement for %s
    row = f"({', '.join([mark] * len(names))})"
    table = connection.ops.quote_name(model._meta.db_table)
    return f"INSERT INTO {table} ({_columns(model, names)}) VALUES {', '.join([row] * rows)} "  # noqa: S608 - names of our models


def rows_at_once() -> int:
    """Of how many calls the rows are best made and written together: on SQLite as many as stay in a processor's cache."""
    return ROWS_PER_INSERT if connection.vendor == "sqlite" else ROWS_PER_COPY


def insert_new(model: type[models.Model], names: tuple[str, ...], rows: Sequence[Sequence[Any]], telling: str) -> set[str]:
    """Inserts the rows that are not there yet, within the caller's transaction. Returns column `telling` of those."""
    if not rows:
        return set()
    if connection.vendor == "postgresql":
        return _copy_new(model, names, rows, telling)
    new: set[str] = set()
    with connection.wrap_database_errors:
        for start in range(0, len(rows), ROWS_PER_INSERT):
            new |= _insert_new(model, names, rows[start : start + ROWS_PER_INSERT], telling)
    return new


def _insert_new(model: type[models.Model], names: tuple[str, ...], rows: Sequence[Sequence[Any]], telling: str) -> set[str]:
    """Rows are new nearly always: asked for each of them is only when they are not, for every answer costs a change of threads."""
    connected, statement = connection.connection, insert_into(model, names, len(rows))
    values = list(chain.from_iterable(rows))
    try:
        connected.execute(statement, values)
    except sqlite3.IntegrityError:
        told = connected.execute(f"{statement}ON CONFLICT DO NOTHING RETURNING {telling}", values)
        return {value for (value,) in told}
    column = names.index(telling)
    return {row[column] for row in rows}


def _copy_new(model: type[models.Model], names: tuple[str, ...], rows: Sequence[Sequence[Any]], telling: str) -> set[str]:
    """Rows are new nearly always: only when one is not, they are sorted out. As values of an INSERT they would cost five times as much."""
    table, columns = connection.ops.quote_name(model._meta.db_table), _columns(model, names)
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        try:
            with transaction.atomic():  # Django's: psycopg's own would commit, were it the first thing that happens
                _copy(cursor, table, columns, rows)
        except psycopg.errors.UniqueViolation:
            held = connection.ops.quote_name(f"new_{model._meta.db_table}")
            select = f"SELECT {columns} FROM"
            cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {held} ON COMMIT DELETE ROWS AS {select} {table} WITH NO DATA")
            cursor.execute(f"TRUNCATE {held}")  # what an earlier batch of this transaction left
            _copy(cursor, held, columns, rows)
            cursor.execute(f"INSERT INTO {table} ({columns}) {select} {held} ON CONFLICT DO NOTHING RETURNING {telling}")
            return {value for (value,) in cursor.fetchall()}
    column = names.index(telling)
    return {row[column] for row in rows}


def _copy(cursor: psycopg.Cursor[Any], table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


@cache
def _columns(model: type[models.Model], names: tuple[str, ...]) -> str:
    column_of = {field.name: field.column or field.name for field in model._meta.concrete_fields}
    return ", ".join(connection.ops.quote_name(column_of[name]) for name in names)
