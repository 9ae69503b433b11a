"""A newer price list: what it says otherwise, what is taken over, and what stays because somebody agreed it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from audit.trail import SYSTEM
from billing.actions import set_price
from billing.catalogue import shipped
from billing.loading import load_prices
from billing.models import Price
from billing.price_changes import Change, differences, read_list, take_over
from billing.pricing import cost
from billing.usage import Usage

pytestmark = pytest.mark.django_db

OPUS = ("anthropic", "claude-opus-5-5")
LISTED = {"input_mtok": 4, "output_mtok": 20, "cache_read_mtok": 0.2, "cache_write_mtok": 5, "cache_write_1h_mtok": 8}
BATCH = {"when": {"processing": "batch"}, "prices": {name: rate / 2 for name, rate in LISTED.items()}}
FAST = {"when": {"speed": "fast"}, "prices": {name: rate * 2 for name, rate in LISTED.items()}}
DEARER = {name: rate * 2 for name, rate in LISTED.items()}


def write(folder: Path, prices: dict[str, Any], *variants: dict[str, Any], name: str = OPUS[1]) -> Path:
    """A price list of one model."""
    model = {"id": name, "match": {"equals": name}, "prices": prices, "price_variants": list(variants)}
    provider = {"id": "anthropic", "name": "Anthropic", "api_pattern": "anthropic", "models": [model]}
    path = folder / "data.json"
    path.write_text(json.dumps([provider]))
    return path


def changes(path: Path, name: tuple[str, str] = OPUS) -> list[Change]:
    return differences(load_prices(), read_list(path), [name], timezone.now())


def shown(found: list[Change]) -> list[tuple[str, int, int, str]]:
    return [(one.variant, one.was.bands[0].input if one.was else -1, one.now.bands[0].input, one.kept) for one in found]


def own(**values: Any) -> Price:
    given = {"provider": OPUS[0], "model": OPUS[1], "input_pico": 3_600_000, "output_pico": 18_000_000} | values
    return set_price(Price(starts_at=timezone.now() - timedelta(days=1), **given), actor=SYSTEM)


def test_list_that_says_the_same_changes_nothing(tmp_path: Path) -> None:
    assert changes(write(tmp_path, LISTED, BATCH, FAST)) == []


def test_installed_list_says_what_applies() -> None:
    names = [("anthropic", model) for model in shipped.models("anthropic")]
    assert differences(load_prices(), shipped, names, timezone.now()) == []


def test_difference_is_told_by_variant(tmp_path: Path) -> None:
    found = changes(write(tmp_path, LISTED, BATCH, {"when": {"speed": "fast"}, "prices": DEARER | {"input_mtok": 9}}))
    assert shown(found) == [("fast", 8_000_000, 9_000_000, "")]


def test_discount_is_taken_over_with_the_standard_price(tmp_path: Path) -> None:
    found = changes(write(tmp_path, DEARER, BATCH, FAST))
    assert shown(found) == [("", 4_000_000, 8_000_000, ""), ("batch", 2_000_000, 2_000_000, "")]


def test_discount_that_ended_is_told(tmp_path: Path) -> None:
    assert shown(changes(write(tmp_path, LISTED, FAST))) == [("batch", 2_000_000, 4_000_000, "")]


def test_model_new_in_the_list_gets_a_price(tmp_path: Path) -> None:
    found = changes(write(tmp_path, LISTED, name="claude-next"), ("anthropic", "claude-next"))
    assert shown(found) == [("", -1, 4_000_000, "")]


def test_model_that_the_list_does_not_know_is_left_alone(tmp_path: Path) -> None:
    assert changes(write(tmp_path, LISTED, name="claude-next")) == []


def test_price_set_by_hand_stays(tmp_path: Path) -> None:
    own()
    found = changes(write(tmp_path, LISTED, FAST))
    assert shown(found) == [("", 3_600_000, 4_000_000, "a price of your own")]
    assert take_over(found, "price list data.json", timezone.now(), actor=SYSTEM) == []


def test_bands_cannot_be_taken_over(tmp_path: Path) -> None:
    found = changes(write(tmp_path, LISTED | {"input_mtok": {"base": 4, "tiers": [{"start": 200_000, "price": 8}]}}, BATCH, FAST))
    assert [(one.variant, one.kept.split()[0]) for one in found] == [("", "bands")]


def test_what_is_taken_over_applies_from_now_on_and_leaves_nothing_to_change(tmp_path: Path) -> None:
    path, now = write(tmp_path, DEARER, BATCH, FAST), timezone.now()
    rows = take_over(changes(path), "price list data.json", now, actor=SYSTEM)
    assert [(row.variant, row.starts_at, row.note) for row in rows] == [(name, now, "price list data.json") for name in ("", "batch")]
    assert changes(path) == []
    assert AuditEvent.objects.filter(event="price.set").count() == 2


# R16
def test_past_calls_cost_what_they_cost_before_a_change(tmp_path: Path) -> None:
    now, usage = timezone.now(), Usage(1000)
    before = (now - timedelta(hours=1)).timestamp()
    was = cost(load_prices(), *OPUS, usage, before)
    take_over(changes(write(tmp_path, DEARER, BATCH, FAST)), "price list data.json", now, actor=SYSTEM)
    book = load_prices()
    assert cost(book, *OPUS, usage, before) == was
    assert cost(book, *OPUS, usage, now.timestamp() + 1).amount_nano == 2 * was.amount_nano


def test_second_edition_replaces_what_the_first_brought(tmp_path: Path) -> None:
    take_over(changes(write(tmp_path, DEARER, BATCH, FAST)), "price list one", timezone.now(), actor=SYSTEM)
    found = changes(write(tmp_path, LISTED, BATCH, FAST))
    assert shown(found) == [("", 8_000_000, 4_000_000, ""), ("batch", 2_000_000, 2_000_000, "")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Expecting value"),
        ("{}", "a list of providers is needed"),
        ("[1]", "no price list"),
        ('[{"id": "anthropic"}]', "0.name: Field required"),
        ('[{"models": [{"prices": 7}]}]', "no price list"),
        ("[" * 100_000, "no price list"),
    ],
)
def test_file_that_is_no_list_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(ChangeRefused, match=told) as caught:
        read_list(path)
    assert "\n" not in str(caught.value)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChangeRefused, match=r"nothing.json cannot be read: No such file"):
        read_list(tmp_path / "nothing.json")


# R15
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"input_pico": -1}, "0 or more"),
        ({"input_pico": float("nan")}, "0 or more"),
        ({"output_pico": float("inf")}, "0 or more"),
        ({"input_pico": None}, "cannot be null"),
        ({"input_pico": 3_000_000_000_000}, r"2,000,000 times what is usual.*per million tokens: is this one in another unit"),
        ({"output_pico": 15}, "Is it per token"),
        ({"web_search_pico": 10**14}, r"\$100000 per thousand searches is 10,000 times"),
        ({"variant": "slow"}, "'slow' is no variant. There are: batch, fast, flex, priority"),
    ],
)
def test_price_that_cannot_be_meant_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ChangeRefused, match=told):
        own(**values)
    assert not Price.objects.exists()


# R14 R15
def test_zero_is_a_price_and_nothing_is_none() -> None:
    own(provider="anthropic", model="ours", input_pico=0, output_pico=0, cache_read_pico=0)
    book, at = load_prices(), timezone.now().timestamp()
    assert cost(book, "anthropic", "ours", Usage(5, 5, 5, 5, 5), at).unpriced is False
    assert cost(book, "anthropic", "theirs", Usage(5), at).unpriced is True


def test_kind_without_a_price_keeps_its_proportion_to_fresh_input() -> None:
    own()
    own(model="unheard-of")
    book, at = load_prices(), timezone.now().timestamp()
    found = [price.bands[0] for model in (OPUS[1], "unheard-of") if (price := book.find("anthropic", model, at))]
    assert [(rates.cache_read, rates.cache_write_5m, rates.cache_write_1h) for rates in found] == [
        (180_000, 4_500_000, 7_200_000),
        (3_600_000, 4_500_000, 7_200_000),
    ]


def test_own_price_of_a_variant_is_loaded_as_such() -> None:
    own()
    own(variant="fast", input_pico=7_000_000)
    book, at = load_prices(), timezone.now().timestamp()
    assert [price.bands[0].input for name in ("", "fast", "batch") if (price := book.find(*OPUS, at, name))] == [
        3_600_000,
        7_000_000,
        3_600_000,
    ]
