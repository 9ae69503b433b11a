"""Tables as files: CSV, and XLSX written row by row. Text that a spreadsheet would take for a formula begins with an apostrophe."""

import csv
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

from xlsxwriter import Workbook

from console.reports.tables import Column, Table, Value, text_of
from console.spreadsheets import neutral

# A spreadsheet's numbers are doubles: 15 digits are safe in them.
SAFE = 10**15
NANO_PLACES = 9
WIDTHS = {"day": 11, "week": 11, "requests": 11}


def as_csv(table: Table) -> bytes:
    out = StringIO()
    lines = csv.writer(out)
    lines.writerow([*table.names, *table.in_rows])
    repeated = [_csv_cell(table.facts[name]) for name in table.in_rows]
    for row in table.rows:
        lines.writerow([*(_csv_cell(row.get(name)) for name in table.names), *repeated])
    return out.getvalue().encode()


def _csv_cell(value: Value) -> str:
    text = text_of(value)
    return neutral(text) if isinstance(value, str | list) else text


def as_xlsx(table: Table) -> bytes:
    """One sheet of rows, which are not kept in memory, and one that says what they are."""
    out = BytesIO()
    with Workbook(out, {"constant_memory": True}) as book:
        looks = {
            "head": book.add_format({"bold": True, "bottom": 1}),
            "usd": book.add_format({"num_format": f"0.{'0' * NANO_PLACES}"}),
            "day": book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        sheet = book.add_worksheet("Report")
        sheet.freeze_panes(1, 0)
        _head(sheet, table.columns, looks["head"])
        for at, row in enumerate(table.rows, start=1):
            for place, name in enumerate(table.names):
                _write(sheet, (at, place), row.get(name), looks)
        _about(book.add_worksheet("About"), table, looks)
    return out.getvalue()


def _head(sheet: Any, columns: tuple[Column, ...], bold: Any) -> None:
    for place, column in enumerate(columns):
        sheet.set_column(place, place, WIDTHS.get(column.name, 18))
        sheet.write_string(0, place, column.name, bold)


def _write(sheet: Any, cell: tuple[int, int], value: Value, looks: Mapping[str, Any]) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(*cell, value)
    elif isinstance(value, int) and abs(value) < SAFE:
        sheet.write_number(*cell, value)
    elif isinstance(value, Decimal) and abs(value.scaleb(NANO_PLACES)) < SAFE:
        sheet.write_number(*cell, value, looks["usd"])
    elif isinstance(value, date) and not isinstance(value, datetime):
        sheet.write_datetime(*cell, value, looks["day"])
    else:
        _text(sheet)(*cell, _csv_cell(value))


def _text(sheet: Any) -> Callable[..., Any]:
    """Never `write`, which makes formulas and links out of text."""
    return sheet.write_string  # type: ignore[no-any-return]  # xlsxwriter is untyped


def _about(sheet: Any, table: Table, looks: Mapping[str, Any]) -> None:
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 90)
    told = [("report", table.report), *((name, value) for name, value in table.facts.items() if not isinstance(value, dict))]
    told += [(column.name, column.meaning) for column in table.columns]
    for at, (name, value) in enumerate(told):
        _text(sheet)(at, 0, neutral(str(name)), looks["head"])
        _text(sheet)(at, 1, neutral(str(value)))
