"""`tallygate budgets`: set, changed, listed, reset and removed, by the names people know."""

import json
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditEvent
from audit.trail import SYSTEM
from billing.models import Budget, BudgetPlan, Window
from billing.standing import sentence
from billing.status import standing_of
from keys.actions import add_member
from keys.models import Membership
from tests.factories import make_key, make_organisation, make_team, make_user

pytestmark = pytest.mark.django_db
USD = 10**9


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out, stderr=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run("budgets", *words, "--json"))


def set_team(*words: str) -> Any:
    return run_json("set", "--scope", "team", "--id", "Search", *words)


def test_budget_is_set_with_all_its_terms() -> None:
    team = make_team()
    words = ["--amount", "12.50", "--period", "month", "--mode", "strict", "--model", "claude-opus*", "--time-zone", "Europe/Berlin"]
    told = set_team(*words, "--thresholds", "90,50%", "--clamp-output")
    budget = Budget.objects.get()
    assert (budget.scope_id, budget.amount_nano, budget.period, budget.mode) == (team.pk, 12_500_000_000, "month", "strict")
    assert (budget.model, budget.time_zone, budget.thresholds, budget.clamp_output) == ("claude-opus*", "Europe/Berlin", [50, 90], True)
    assert (told["id"], told["name"], Decimal(told["left"]), told["used_percent"]) == (budget.pk, "Search", Decimal("12.5"), 0)
    assert AuditEvent.objects.get(event="budget.set").actor_kind == "command-line"


def test_every_scope_is_named_as_people_name_it() -> None:
    team, bob, acme, key = make_team(), make_user("bob"), make_organisation(), make_key("laptop")[0]
    add_member(Membership(team=team, user=bob), actor=SYSTEM)
    named = {
        "key": ("laptop", key.pk), "user": ("bob@example.com", bob.pk), "team": ("Search", team.pk), "organisation": ("Acme", acme.pk),
        "member": ("Search/bob", f"{team.pk}/{bob.pk}"), "tag": ("project x", "project x"), "end_user": ("e", "e"), "global": ("", ""),
    }  # fmt: skip
    for scope, (name, scope_id) in named.items():
        assert run_json("set", "--scope", scope, "--id", name, "--amount", "5")["scope_id"] == scope_id


def test_second_set_keeps_what_is_not_named() -> None:
    make_team()
    first = set_team("--amount", "5", "--period", "7d", "--mode", "strict", "--thresholds", "90")
    told = set_team("--amount", "6", "--period", "7d")
    assert (told["id"], told["amount"], told["mode"], told["thresholds"]) == (first["id"], "6.000000000", "strict", [90])


def test_budget_is_changed_by_its_number() -> None:
    make_team()
    number = str(set_team("--amount", "5", "--period", "7d", "--clamp-output")["id"])
    told = run_json("change", number, "--mode", "soft", "--period", "", "--no-clamp-output")
    assert (told["mode"], told["period"], told["amount"], told["clamp_output"]) == ("soft", None, "5.000000000", False)


def test_table_and_sentence_show_what_is_spent_and_left() -> None:
    make_team()
    number = str(set_team("--amount", "20", "--period", "30d")["id"])
    Window.objects.update(posted_nano=5 * USD)
    head, line = run("budgets", "list").splitlines()
    assert head.split()[:5] == ["no", "for", "model", "mode", "used"]
    for text in ("team Search", "25%", "$5.00", "$15.00", "$20.00", "all", "hard"):
        assert text in line
    assert sentence(standing_of(Budget.objects.get(), timezone.now()), "Search") in run("budgets", "show", number)


def test_list_is_narrowed_to_a_scope() -> None:
    make_team()
    set_team("--amount", "5")
    run_json("set", "--scope", "global", "--amount", "5")
    assert [row["scope"] for row in run_json("list", "--scope", "global")] == ["global"]
    assert len(run_json("list")) == 2


def test_empty_list_says_what_to_do() -> None:
    assert "budgets set --scope team" in run("budgets", "list")
    assert "budgets plans set" in run("budgets", "plans", "list")


def test_budget_is_reset_and_removed() -> None:
    make_team()
    number = str(set_team("--amount", "20", "--period", "30d")["id"])
    Window.objects.update(posted_nano=5 * USD)
    assert Decimal(run_json("reset", number)["spent"]) == 0
    assert run("budgets", "remove", number) == f"Budget {number} of team Search is gone.\n"
    assert not Budget.objects.exists()


def test_model_without_a_route_is_set_and_told() -> None:
    told = run("budgets", "set", "--scope", "global", "--amount", "5", "--model", "claude-x")
    assert "No route is named 'claude-x' yet" in told
    assert Budget.objects.get().model == "claude-x"


def test_plan_is_made_taken_changed_and_removed() -> None:
    make_team()
    made = run_json("plans", "set", "trial", "--amount", "10", "--soft-amount", "8", "--period", "30d", "--rpm", "60")
    assert (made["amount"], made["rpm_limit"], made["budgets"]) == ("10.000000000", 60, 0)
    run("budgets", "set", "--scope", "team", "--id", "Search", "--plan", "trial")
    assert run_json("plans", "set", "trial", "--amount", "11", "--soft-amount", "")["budgets"] == 1
    assert (Budget.objects.get().amount_nano, Budget.objects.get().plan_id) == (11 * USD, "trial")
    assert "trial" in run("budgets", "plans", "list")
    run("budgets", "plans", "remove", "trial")
    assert (BudgetPlan.objects.count(), Budget.objects.count()) == (0, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("set --scope team --id nobody --amount 1", "no team 'nobody'"),
        ("set --scope galaxy --amount 1", "invalid choice"),
        ("set --scope global --id x --amount 1", "names nobody"),
        ("set --scope member --id Search/nobody --amount 1", "no user 'nobody'"),
        ("set --scope global", "--amount or --plan is needed"),
        ("set --scope global --amount much", "not an amount"),
        ("set --scope global --amount 1 --period 1M", "1m for minutes or 1mo for months"),
        ("set --scope global --amount 1 --time-zone Mars", "no time zone"),
        ("set --scope global --amount 1 --thresholds most", "whole percentages"),
        ("set --scope global --plan nobody", "no plan 'nobody'"),
        ("show 7", "no budget 7"),
        ("change 7 --amount 1", "no budget 7"),
        ("plans remove nobody", "no plan 'nobody'"),
    ],
)
def test_wrong_word_is_one_clear_line(words: str, message: str) -> None:
    make_team()
    with pytest.raises(CommandError, match=message) as caught:
        run("budgets", *words.split())
    assert "\n" not in str(caught.value)
    assert not Budget.objects.exists()


def test_team_and_key_are_made_with_a_budget() -> None:
    run("teams", "create", "--name", "Search", "--max-budget", "500", "--period", "month")
    run("keys", "create", "--name", "laptop", "--max-budget", "5", "--mode", "strict")
    assert list(Budget.objects.order_by("id").values_list("scope", "amount_nano", "mode")) == [
        ("team", 500 * USD, "hard"), ("key", 5 * USD, "strict"),
    ]  # fmt: skip
    assert "The budget of key laptop: $0.00 of $5.00 spent." in run("keys", "show", "laptop")


def test_team_is_not_made_when_its_budget_is_wrong() -> None:
    with pytest.raises(CommandError, match="1mo"):
        run("teams", "create", "--name", "Search", "--max-budget", "500", "--period", "1M")
    assert "Search" not in run("teams", "list")
