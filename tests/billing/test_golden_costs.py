"""A table of costs worked out by hand: Claude's usages, those of other clouds, our own prices, and usage as the API tells it."""

import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from math import prod
from pathlib import Path
from typing import Any

import pytest

from audit.trail import SYSTEM
from billing.actions import set_price
from billing.catalogue import catalogue
from billing.loading import load_prices
from billing.models import Price
from billing.pricing import Cost, cost
from billing.snapshot import PriceBook
from billing.usage import Usage, UsageMerger

TABLES = Path(__file__).parents[1] / "golden" / "pricing"
LIST = PriceBook(catalogue=catalogue)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def table(*names: str) -> list[dict[str, Any]]:
    return [row for name in names for row in json.loads((TABLES / f"{name}.json").read_text())]


ALL = table("claude", "clouds", "own", "told")


def usage_of(row: dict[str, Any]) -> Usage:
    return Usage(**{**row, "iterations": tuple(usage_of(part) for part in row.get("iterations", ()))})


def priced(book: PriceBook, row: dict[str, Any], usage: Usage) -> Cost:
    return cost(book, row["provider"], row["model"], usage, datetime.fromisoformat(row["at"]).timestamp())


def check(found: Cost, row: dict[str, Any]) -> None:
    assert [line.amount_nano for line in found.lines] == row["lines_nano"]
    assert (found.amount_nano, found.unpriced) == (row["total_nano"], row.get("unpriced", False))


# R17
@pytest.mark.parametrize("row", table("claude", "clouds"), ids=lambda row: row["name"])
def test_cost_is_what_was_worked_out_by_hand(row: dict[str, Any]) -> None:
    check(priced(LIST, row, usage_of(row["usage"])), row)


# R17 R19
@pytest.mark.parametrize("row", table("told"), ids=lambda row: row["name"])
def test_cost_of_a_usage_as_it_is_told(row: dict[str, Any]) -> None:
    merger = UsageMerger()
    merger.start(row["told"][0])
    for later in row["told"][1:]:
        merger.delta(later)
    check(priced(LIST, row, merger.result()), row)


# R17
@pytest.mark.django_db
@pytest.mark.parametrize("row", table("own"), ids=lambda row: row["name"])
def test_cost_by_our_own_prices(row: dict[str, Any]) -> None:
    for values in row.get("own", ()):
        start = datetime.fromisoformat(values["starts_at"]) if "starts_at" in values else LONG_AGO
        set_price(Price(**{"provider": row["provider"], "model": row["model"], **values, "starts_at": start}), actor=SYSTEM)
    check(priced(load_prices(), row, usage_of(row["usage"])), row)


@pytest.mark.parametrize("row", ALL, ids=lambda row: row["name"])
def test_hand_worked_lines_are_tokens_times_dollars_a_million(row: dict[str, Any]) -> None:
    lines = [prod(map(Decimal, line.split(" x ")), start=Decimal(1000)) for line in row["by_hand"].split(" + ") if line]
    assert [int(line.quantize(Decimal(1), ROUND_HALF_UP)) for line in lines] == row["lines_nano"]
    assert sum(row["lines_nano"]) == row["total_nano"]


# R17
def test_table_is_as_long_as_promised_and_names_no_row_twice() -> None:
    assert len(ALL) >= 60
    assert len({row["name"] for row in ALL}) == len(ALL)
