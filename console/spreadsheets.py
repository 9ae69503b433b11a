"""Tables as files that finance opens: CSV and XLSX, money to the nano, and no cell that a spreadsheet would run as a formula."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import BytesIO, StringIO

from django.http import HttpResponse
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

Cell = str | int | Decimal | date | None

# With these a cell's text begins what spreadsheets run; the wide forms are what some turn into the narrow ones.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
_MONEY = "#,##0.00#######"
_COUNT = "#,##0"
_LONGEST_SHEET_NAME = 31


@dataclass(frozen=True, slots=True)
class Sheet:
    """`name` is the file's, without its ending, in letters, digits and dashes."""

    name: str
    heads: Sequence[str]
    rows: Iterable[Sequence[Cell]]


def usd(nano: int) -> Decimal:
    return Decimal(nano).scaleb(-9)


def neutral(text: str) -> str:
    """A text that stays a text: what could begin a formula gets an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULAS) or text.lstrip().startswith(_FORMULAS) else text


def csv_file(sheet: Sheet) -> HttpResponse:
    """Begins with a byte order mark: without it spreadsheets read umlauts and kanji as something else."""
    text = StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow([neutral(head) for head in sheet.heads])
    lines.writerows([_plain(cell) for cell in row] for row in sheet.rows)
    return _attached(text.getvalue().encode("utf-8-sig"), "text/csv; charset=utf-8", f"{sheet.name}.csv")


def xlsx_file(sheet: Sheet) -> HttpResponse:
    """A spreadsheet's numbers have 16 digits at most: exact to the nano below ten million dollars a cell."""
    file = BytesIO()
    with Workbook(file, {"in_memory": True}) as book:
        page = book.add_worksheet(sheet.name[:_LONGEST_SHEET_NAME])
        looks = {Decimal: book.add_format({"num_format": _MONEY}), int: book.add_format({"num_format": _COUNT})}
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for column, head in enumerate(sheet.heads):
            page.write_string(0, column, neutral(head), book.add_format({"bold": True, "bottom": 1}))
        for number, row in enumerate(sheet.rows, start=1):
            for column, cell in enumerate(row):
                _write(page, (number, column), cell, day if isinstance(cell, date) else looks.get(type(cell)))
        page.freeze_panes(1, 0)
        page.autofit()
    return _attached(file.getvalue(), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", f"{sheet.name}.xlsx")


def _plain(cell: Cell) -> str:
    if isinstance(cell, str):
        return neutral(cell)
    return "" if cell is None else f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def _write(page: Worksheet, place: tuple[int, int], cell: Cell, look: Format | None) -> None:
    if isinstance(cell, str):
        page.write_string(*place, neutral(cell))
    elif isinstance(cell, date):
        page.write_datetime(*place, cell, look)
    elif cell is not None:
        page.write_number(*place, cell, look)


def _attached(content: bytes, content_type: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type=content_type, headers=headers)
