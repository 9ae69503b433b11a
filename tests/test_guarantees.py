"""docs/guarantees.md names tests that exist, and leaves no number out."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = range(1, 177)
TEXT = (ROOT / "docs/guarantees.md").read_text()
ROWS = dict(re.findall(r"^\| (R\d+) \| (.*) \|$", TEXT, re.MULTILINE))
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TEXT)))


def test_every_number_is_listed_once_and_in_order() -> None:
    assert re.findall(r"^\| (R\d+) \|", TEXT, re.MULTILINE) == [f"R{number}" for number in NUMBERS]


@pytest.mark.parametrize(("number", "row"), ROWS.items())
def test_every_number_has_a_test_or_a_reason(number: str, row: str) -> None:
    assert re.search(r"::test_\w+`|not yet: \w", row), number


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_named_test_exists(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE)
