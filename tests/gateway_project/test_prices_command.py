import json
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.actions import set_price
from billing.models import LedgerEntry, Price
from routing.models import Deployment
from tests.billing.test_price_changes import DEARER, LISTED, write
from tests.billing.test_repricing import NOON, call, halve

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = StringIO()
    call_command("prices", *words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def deploy(model: str = "claude-opus-5-5", provider: str = "anthropic") -> None:
    Deployment.objects.create(name=f"{provider}-{model}", provider=provider, model=model)


def own(**values: Any) -> Price:
    given = {"provider": "anthropic", "model": "claude-opus-5-5", "input_pico": 3_600_000, "output_pico": 18_000_000} | values
    return set_price(Price(starts_at=timezone.now() - timedelta(days=1), **given), actor=SYSTEM)


def test_models_in_use_are_listed_with_every_price_and_its_source() -> None:
    deploy()
    deploy("claude-99")
    rows = [(row["model"], row["variant"], row["input"], row["source"].split("-0")[0]) for row in run_json("list")]
    assert rows == [
        ("claude-99", "", "", "no price"),
        ("claude-opus-5-5", "", "4", "genai-prices"),
        ("claude-opus-5-5", "batch", "2", "genai-prices"),
        ("claude-opus-5-5", "fast", "8", "genai-prices"),
    ]


def test_bands_are_listed_apart() -> None:
    deploy("claude-haiku-5-5")
    assert [(row["above"], row["input"]) for row in run_json("list") if not row["variant"]] == [("", "0.1"), (100_000, "0.5")]


def test_own_price_is_listed_with_its_date_and_note() -> None:
    row = own(note="agreed")
    assert f"own price since {row.starts_at:%Y-%m-%d}, agreed" in run("list")


def test_word_looks_through_the_price_list() -> None:
    assert {row["model"] for row in run_json("list", "Haiku-4-5") if row["provider"] == "anthropic"} == {"claude-haiku-4-5"}
    assert "No model is in use yet" in run("list")


def test_price_is_set_in_dollars_per_million() -> None:
    words = ["--input", "3.6", "--output", "18", "--cache-read", "0.18", "--variant", "fast", "--from", "2026-10-01", "--note", "offer"]
    told = run("set", "anthropic", "claude-opus-5-5", *words)
    row = Price.objects.get()
    assert told == "anthropic claude-opus-5-5 fast: $3.6 in, $18 out per million tokens, from 2026-10-01 00:00 UTC on.\n"
    assert (row.input_pico, row.output_pico, row.cache_read_pico, row.cache_write_5m_pico) == (3_600_000, 18_000_000, 180_000, None)
    assert AuditEvent.objects.get(event="price.set").actor_kind == "command-line"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--input 0.0000036 --output 18", "Is it per token"),
        ("--input 3600000 --output 18", "times what is usual"),
        ("--input nan --output 18", "no price that a model can have"),
        ("--input much --output 18", "'much' is not a price"),
        ("--input 3.6 --output 18 --variant slow", "no variant"),
        ("--input 3.6", "required"),
    ],
)
def test_price_that_cannot_be_meant_is_one_clear_line(words: str, told: str) -> None:
    with pytest.raises(CommandError, match=told) as caught:
        run("set", "anthropic", "claude-opus-5-5", *words.split())
    assert "\n" not in str(caught.value)
    assert not Price.objects.exists()


def test_difference_names_model_old_and_new(tmp_path: Path) -> None:
    deploy()
    path = str(write(tmp_path, LISTED | {"input_mtok": 4.5, "output_mtok": 22}))
    assert "anthropic claude-opus-5-5: input $4 → $4.5, output $20 → $22\n" in run("diff", "--file", path)
    (found,) = [row for row in run_json("diff", "--file", path) if not row["variant"]]
    assert (found["was"][0]["input"], found["now"][0]["input"], found["kept"]) == ("4", "4.5", "")


def test_every_model_of_a_list_can_be_compared(tmp_path: Path) -> None:
    path = str(write(tmp_path, LISTED, name="claude-next"))
    assert run("diff", "--file", path) == "The price list says nothing else.\n"
    assert run("diff", "--all", "--file", path) == "anthropic claude-next: no price → $4 in, $20 out\n"


def test_update_saves_prices_and_tells_what_stays(tmp_path: Path) -> None:
    own(model="claude-sonnet-5")
    deploy()
    told = run("update", "--file", str(write(tmp_path, DEARER)))
    assert "anthropic claude-opus-5-5: $8 in, $40 out per million tokens" in told
    assert "anthropic claude-sonnet-5" not in told
    assert "anthropic claude-sonnet-5: input $3.6 → $2" in run("update")
    assert list(Price.objects.filter(model="claude-sonnet-5").values_list("input_pico", flat=True)) == [3_600_000]


def test_update_without_anything_new_says_so() -> None:
    deploy()
    assert run("update") == "Nothing to take over.\n"


def test_dry_update_saves_nothing(tmp_path: Path) -> None:
    deploy()
    assert "→" in run("update", "--dry-run", "--file", str(write(tmp_path, DEARER)))
    assert not Price.objects.exists()


def test_file_that_is_no_list_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text("{}")
    with pytest.raises(CommandError, match=r"list.json is no price list"):
        run("update", "--file", str(path))


def span(end: datetime = NOON + timedelta(hours=1)) -> list[str]:
    return ["--from", f"{NOON:%Y-%m-%d}", "--to", end.isoformat()]


def test_repricing_tells_the_difference_by_model_and_posts_it() -> None:
    call(1)
    halve()
    assert run("reprice", *span(), "--dry-run").splitlines() == [
        "anthropic claude-sonnet-5: 1 call, $0.0030 → $0.0015 (\N{MINUS SIGN}$0.0015)",
        "1 of 1 call would cost something else.",
    ]
    assert LedgerEntry.objects.count() == 1
    assert run_json("reprice", *span())["models"] == [
        {"provider": "anthropic", "model": "claude-sonnet-5", "calls": 1, "was_usd": "0.003000000", "now_usd": "0.001500000"}
    ]
    assert LedgerEntry.objects.count() == 2
    assert run("reprice", *span()) == "0 of 1 call now cost something else.\n"


def test_repricing_tells_what_it_left_alone() -> None:
    call(1, model="claude-99")
    call(2, attempts=2)
    told = run("reprice", *span())
    assert "1 call left alone: no price today either." in told
    assert "2 calls left alone: " in told


def test_span_that_ends_before_it_begins_is_a_wrong_word() -> None:
    with pytest.raises(CommandError, match="--from must lie before --to") as caught:
        run("reprice", *span(NOON - timedelta(days=9)))
    assert caught.value.returncode == 2
