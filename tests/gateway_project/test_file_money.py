"""Prices and a budget for everyone that a config.yaml names, and what becomes of them when it changes."""

from pathlib import Path

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from audit.trail import COMMAND_LINE, Actor
from billing.actions import BudgetTerms, change_budget, set_budget, set_price
from billing.loading import load_prices
from billing.models import Budget, BudgetPlan, Price
from billing.pricing import cost
from billing.usage import Usage
from gateway_project.config_file import load_config
from gateway_project.env import WrongSetting
from gateway_project.file_rows import apply_config
from gateway_project.file_summary import Summary

pytestmark = pytest.mark.django_db

FILE = Actor("config-file", name="config.yaml")
PRICED = "input_cost_per_token: 3e-06, output_cost_per_token: 0.000015"
WITH_BUDGET = "litellm_settings: {max_budget: 100.0, budget_duration: 30d}\n"


def apply(folder: Path, text: str) -> Summary:
    path = folder / "config.yaml"
    path.write_text(text)
    return apply_config(load_config(path), FILE)


def row(params: str, info: str = "") -> str:
    model = "{model: openai/own-model, api_key: sk-x, " + params + "}"
    return f"model_list:\n  - {{model_name: m, litellm_params: {model}, model_info: {{{info}}}}}\n"


# ── prices ────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("params", "info"), [(PRICED, ""), ("", PRICED)])
def test_calls_cost_what_the_file_says(tmp_path: Path, params: str, info: str) -> None:
    assert "price openai/own-model: $3 in, $15 out per million tokens" in apply(tmp_path, row(params, info)).created
    found = cost(load_prices(), "openai", "own-model", Usage(input_tokens=1_000_000, output_tokens=2), timezone.now().timestamp())
    assert (found.amount_nano, found.unpriced) == (3_000_030_000, False)


def test_price_that_changes_is_a_new_one_from_now_on(tmp_path: Path) -> None:
    apply(tmp_path, row(PRICED))
    before = AuditEvent.objects.count()
    assert apply(tmp_path, row(PRICED)).is_empty
    assert AuditEvent.objects.count() == before
    summary = apply(tmp_path, row(PRICED + ", cache_read_input_token_cost: 1e-07"))
    assert summary.changed == ("price openai/own-model: cache_read_pico None -> 100000",)
    assert list(Price.objects.values_list("cache_read_pico", flat=True)) == [100_000, None]


def test_price_that_leaves_the_file_is_removed(tmp_path: Path) -> None:
    apply(tmp_path, row(PRICED))
    assert any(line.startswith("price openai/own-model") for line in apply(tmp_path, row("")).removed)
    assert not Price.objects.exists()


def test_price_set_by_hand_stays(tmp_path: Path) -> None:
    set_price(Price(provider="openai", model="own-model", input_pico=1_000_000, output_pico=1_000_000), actor=COMMAND_LINE)
    assert apply(tmp_path, row(PRICED)).left == (
        "price openai/own-model was set by hand and stays as it is; remove it there to let the file's take its place",
    )
    apply(tmp_path, "")
    assert Price.objects.get().input_pico == 1_000_000


def test_price_goes_by_the_base_model(tmp_path: Path) -> None:
    apply(tmp_path, row(PRICED, "base_model: gpt-5"))
    assert Price.objects.get().model == "gpt-5"


@pytest.mark.parametrize(
    ("params", "info", "named"),
    [
        ("input_cost_per_token: 3e-06", "", {"model_list[].litellm_params.input_cost_per_token"}),
        ("input_cost_per_token: 3e-06", "mode: embedding", {"model_list[].model_info.mode"}),
        ("input_cost_per_second: 0.1", "", {"model_list[].litellm_params.input_cost_per_second"}),
    ],
)
def test_price_of_one_direction_is_none_but_for_embeddings(tmp_path: Path, params: str, info: str, named: set[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(row(params, info))
    config = load_config(path)
    assert set(config.not_honoured) == named
    assert (config.deployments[0].price is None) == ("mode" not in info)


def test_price_in_another_unit_is_refused_with_its_model(tmp_path: Path) -> None:
    with pytest.raises(ChangeRefused, match=r"price openai/own-model: .* times what is usual"):
        apply(tmp_path, row("input_cost_per_token: 3, output_cost_per_token: 15"))


@pytest.mark.parametrize("value", ["dear", "-1", "true", "[1]", ".nan"])
def test_price_that_is_no_number_stops_the_start(tmp_path: Path, value: str) -> None:
    with pytest.raises(WrongSetting, match=r"line 2: model_list\[0\].litellm_params.input_cost_per_token must be US dollars per token"):
        apply(tmp_path, row(f"input_cost_per_token: {value}, output_cost_per_token: 1e-06"))


def test_rows_that_differ_about_one_model_are_told(tmp_path: Path) -> None:
    other = row(PRICED.replace("3e-06", "2e-06")).partition("\n")[2]
    assert apply(tmp_path, row(PRICED) + other).left == ("price openai/own-model: rows of the file differ, the first counts",)


# ── a budget for everyone ─────────────────────────────────────────────────────
def everyones() -> list[tuple[int, str, str, str | None]]:
    return list(Budget.objects.filter(scope="global").values_list("amount_nano", "period", "mode", "plan_id"))


def test_budget_of_the_file_is_for_everyone(tmp_path: Path) -> None:
    assert apply(tmp_path, WITH_BUDGET).created == ("budget for everyone: $100.00 per 30d",)
    assert everyones() == [(100 * 10**9, "30d", "hard", "configuration-file")]
    assert apply(tmp_path, WITH_BUDGET).is_empty


def test_budget_changes_with_the_file_and_goes_with_it(tmp_path: Path) -> None:
    apply(tmp_path, WITH_BUDGET)
    assert apply(tmp_path, "litellm_settings: {max_budget: 5}\n").changed == ("budget for everyone: $100.00 per 30d -> $5.00 in all",)
    assert everyones() == [(5 * 10**9, "", "hard", "configuration-file")]
    assert apply(tmp_path, "").removed == ("budget for everyone",)
    assert (everyones(), BudgetPlan.objects.count()) == ([], 0)


def test_budget_set_by_hand_stays(tmp_path: Path) -> None:
    set_budget("global", "", BudgetTerms(7 * 10**9, "30d"), actor=COMMAND_LINE)
    assert len(apply(tmp_path, WITH_BUDGET).left) == 1
    assert everyones() == [(7 * 10**9, "30d", "hard", None)]


def test_budget_that_somebody_changed_is_no_longer_the_files(tmp_path: Path) -> None:
    apply(tmp_path, WITH_BUDGET)
    change_budget(Budget.objects.get(), BudgetTerms(9 * 10**9, "30d"), actor=COMMAND_LINE)
    assert len(apply(tmp_path, WITH_BUDGET).left) == 1
    apply(tmp_path, "")
    assert everyones() == [(9 * 10**9, "30d", "hard", None)]


def test_period_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChangeRefused, match=r"litellm_settings.max_budget: "):
        apply(tmp_path, "litellm_settings: {max_budget: 5, budget_duration: sometimes}\n")
