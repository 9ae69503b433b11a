import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from audit.models import RequestRecord, RollUp
from audit.requests import RequestSummary
from billing.journal import Entry
from billing.ledger import prove
from billing.models import Budget, Instance, LedgerEntry, Share, Window
from billing.periods import window
from billing.posting import post
from billing.rollup_posting import post_adjustments
from billing.rollup_proof import MEASURES
from billing.rollup_rebuild import rebuild
from tests.billing.lines import AT, closing

NOON = datetime.fromtimestamp(AT, UTC)
# Scope, its id, and what makes a call one of somebody else.
SCOPES: list[tuple[str, str, dict[str, Any]]] = [
    ("key", "key-1", {"key_id": "key-2"}),
    ("user", "user-1", {"user_id": "user-2"}),
    ("team", "team-1", {"team_id": "team-2"}),
    ("member", "team-1/user-1", {"team_id": "team-2"}),
    ("member", "team-1/user-1", {"user_id": "user-2"}),
    ("organisation", "org-1", {"organisation_id": "org-2"}),
    ("tag", "größe", {"tags": ["Größe", "größ", "ci"]}),
    ("tag", "ci", {"tags": []}),
    ("end_user", "customer-1", {"end_user": "customer"}),
]

pytestmark = pytest.mark.django_db


def make_budget(scope: str = "team", scope_id: str = "team-1", period: str = "day", *, age: timedelta = timedelta(days=30)) -> Budget:
    return Budget.objects.create(scope=scope, scope_id=scope_id, amount_nano=10**12, period=period, anchored_at=NOON - age)


def spend(amount: int, *budgets: Budget, number: int = 1, at: datetime = NOON) -> None:
    starts = [(budget.pk, window(budget.period, budget.anchored_at, at, budget.time_zone)[0].timestamp()) for budget in budgets]
    post([closing(f"req_{number}", [amount], starts, at=at.timestamp())], "base")


def called(number: int, *budgets: Budget, **values: Any) -> None:
    """A call of $0.000000100 by a member for a customer, in the windows of the budgets."""
    starts = [(budget.pk, window(budget.period, budget.anchored_at, NOON, budget.time_zone)[0].timestamp()) for budget in budgets]
    entry = closing(f"req_{number}", [100], starts, at=values.get("received_at", AT))
    for name, value in ({"end_user": "customer-1", "provider": "demo"} | values).items():
        setattr(entry.summary, name, value)
    post([entry], "base")


@pytest.mark.parametrize("period", ["", "30s", "7d", "1mo", "day", "week", "month"])
def test_what_the_drainer_posts_adds_up(period: str) -> None:
    budgets = [
        make_budget(scope, f"{scope}-1".replace("global-1", "").replace("organisation", "org"), period)
        for scope in ("key", "user", "team", "organisation", "global")
    ]
    for number in range(40):
        spend(7 + number, *budgets, number=number, at=NOON + number * timedelta(hours=7))
    assert Window.objects.count() >= 5
    assert prove() == []


@pytest.mark.parametrize("difference", [-1, 1])
def test_window_that_differs_from_the_ledger_is_found(difference: int) -> None:
    spend(100, make_budget())
    Window.objects.update(posted_nano=100 + difference)
    [finding] = prove()
    told = f"$0.000000{100 + difference:03d} posted, the ledger says $0.000000100"
    assert finding == f"Budget team team-1 day, window 2026-03-14 00:00: {told}."


def test_entry_that_no_window_counted_is_found() -> None:
    budget = make_budget()
    spend(100, budget)
    spend(50, number=2)
    assert len(prove()) == 1


def test_window_that_is_missing_is_found() -> None:
    spend(100, make_budget())
    Window.objects.all().delete()
    assert prove() == ["Budget team team-1 day: $0.000000000 in its windows, the ledger says $0.000000100 since 2026-02-12 15:11."]


def test_call_at_the_stroke_of_the_end_belongs_to_the_next_window() -> None:
    budget = make_budget()
    spend(100, budget)
    spend(50, budget, number=2, at=NOON.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1))
    assert sorted(Window.objects.values_list("posted_nano", flat=True)) == [50, 100]
    assert prove() == []


def test_entry_of_another_scope_is_not_counted() -> None:
    spend(100, make_budget())
    spend(50, number=2)
    LedgerEntry.objects.filter(request_id="req_2").update(team_id="team-2")
    assert prove() == []


@pytest.mark.parametrize(("scope", "scope_id", "stranger"), SCOPES)
def test_call_in_the_scope_counts_and_a_strangers_does_not(scope: str, scope_id: str, stranger: dict[str, Any]) -> None:
    budget = make_budget(scope, scope_id)
    called(1, budget)
    called(2, **stranger)
    assert prove() == []
    called(3)
    assert len(prove()) == 1


@pytest.mark.parametrize(
    ("model", "others"), [("claude-sonnet", "claude-sonnet-4"), ("claude-*", "Claude-sonnet"), ("claude_*", "claude-x")]
)
def test_budget_of_a_model_counts_its_calls_alone(model: str, others: str) -> None:
    budget = make_budget()
    Budget.objects.update(model=model)
    called(1, budget, route=model.replace("*", "opus"))
    called(2, route=others)
    assert prove() == []
    called(3, route=model.replace("*", "haiku"))
    assert len(prove()) == 1


def test_entry_that_stands_in_for_a_lost_share_counts_for_its_budget_alone() -> None:
    team, everyone = make_budget(), make_budget("global", "")
    called(1, team, everyone)
    start = Window.objects.get(budget=everyone).starts_at
    LedgerEntry.objects.create(attempt_id="lost:1", kind="reap", request_id="gone", at=start, amount_nano=40, budget_id=everyone.pk)
    assert prove() == ["Budget global day, window 2026-03-14 00:00: $0.000000100 posted, the ledger says $0.000000140."]
    Window.objects.filter(budget=everyone).update(posted_nano=140)
    assert prove() == []


def test_window_that_allots_other_than_its_shares_is_found() -> None:
    called(1, make_budget())
    window = Window.objects.get()
    for name in ("one", "two"):
        instance = Instance.objects.create(pk=name, started_at=NOON, beat_at=NOON)
        Share.objects.create(window=window, instance=instance, amount_nano=30)
    assert prove() == ["Budget team team-1 day, window 2026-03-14 00:00: $0.000000000 allotted, its shares are $0.000000060."]
    Window.objects.update(allotted_nano=60)
    assert prove() == []


def test_adjusted_call_shows_on_its_record_what_it_cost_then() -> None:
    called(1)
    entry = LedgerEntry(attempt_id="req_1.1", kind="adjust", request_id="req_1", at=NOON, amount_nano=-7)
    LedgerEntry.objects.bulk_create([entry])
    post_adjustments([entry])
    assert prove() == []


@pytest.mark.parametrize("name", MEASURES)
def test_quarter_whose_roll_ups_differ_is_found(name: str) -> None:
    called(1)
    RollUp.objects.update(**{name: F(name) + 1})
    [finding] = prove()
    assert finding.startswith(f"Roll-ups of 2026-03-14 15:00: {name.removesuffix('_nano')} ")


def test_differences_that_cancel_out_over_the_day_are_found() -> None:
    called(1)
    called(2, received_at=AT + 900)
    first, second = RollUp.objects.order_by("starts_at")
    RollUp.objects.filter(pk=first.pk).update(calls=2)
    RollUp.objects.filter(pk=second.pk).update(calls=0)
    assert len(prove()) == 2


def test_missing_roll_ups_are_told_in_one_sentence_and_made_anew() -> None:
    for number in range(3):
        called(number, received_at=AT + number * 86400)
    RollUp.objects.all().delete()
    span = "2026-03-14 15:00 to 2026-03-16 15:00"
    assert f"Roll-ups of 3 quarters of an hour, {span}, are missing: `tallygate money rebuild-rollups` makes them." in prove()
    out = StringIO()
    call_command("money", "rebuild-rollups", "--from", "2026-03-14", stdout=out)
    assert (out.getvalue(), prove()) == ("3 quarters of an hour were made anew.\n", [])


def test_token_counts_are_in_no_roll_up_and_that_is_right() -> None:
    called(1, endpoint="messages")
    post([Entry(RequestSummary(id="req_2", received_at=AT, endpoint="count_tokens", outcome="ok", status=200))], "base")
    assert RollUp.objects.get().calls == 1
    assert prove() == []


def test_record_that_differs_from_the_ledger_is_found() -> None:
    spend(10**9)
    RequestRecord.objects.update(cost_nano=2 * 10**9)
    assert prove() == ["Request req_1: $2.000000000 on its record, $1.000000000 in the ledger."]


def test_record_without_entries_is_found() -> None:
    spend(10**9)
    LedgerEntry.objects.all().delete()
    assert prove() == [
        "Request req_1: $1.000000000 on its record, $0.000000000 in the ledger.",
        "Roll-ups of 2026-03-14 15:00: cost $1.000000000, the ledger says $0.000000000.",
    ]


def test_record_without_a_cost_is_found_when_money_was_posted() -> None:
    spend(10**9)
    RequestRecord.objects.update(cost_nano=None)
    assert prove() == ["Request req_1: $0.000000000 on its record, $1.000000000 in the ledger."]


@pytest.mark.parametrize("posted", [0, 100])
def test_call_without_a_price_is_no_finding(posted: int) -> None:
    spend(posted)
    RequestRecord.objects.update(cost_nano=None, is_unpriced=True)
    rebuild()
    assert prove() == []


def test_failed_call_without_cost_and_entries_is_no_finding() -> None:
    post([Entry(RequestSummary(id="req_1", received_at=AT, outcome="failed"))], "base")
    assert prove() == []


def check(*words: str) -> str:
    out = StringIO()
    call_command("money", "check", *words, stdout=out)
    return out.getvalue()


def test_money_check_counts_what_adds_up() -> None:
    spend(100, make_budget(), make_budget("global", ""))
    assert check() == "2 windows, 1 calls and 1 quarters of an hour add up.\n"
    assert json.loads(check("--json")) == {"windows": 2, "calls": 1, "quarters": 1, "findings": []}


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_money_check_tells_its_findings_and_ends_with_1(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    spend(10**9)
    RequestRecord.objects.update(cost_nano=7)
    with pytest.raises(SystemExit) as ended:
        call_command("money", "check", *words)
    assert ended.value.code == 1
    assert "Request req_1: $0.000000007 on its record, $1.000000000 in the ledger." in capsys.readouterr().out


def test_new_budget_counts_from_when_processes_have_heard_of_it() -> None:
    spend(1, number=1)
    budget = make_budget(age=timedelta(0))
    spend(10, number=2, at=NOON + timedelta(seconds=30))
    spend(100, budget, number=3, at=NOON + timedelta(minutes=10))
    assert prove() == []
    Window.objects.update(posted_nano=99)
    assert len(prove()) == 1


def test_windows_of_an_earlier_period_are_not_compared() -> None:
    budget = make_budget()
    spend(100, budget)
    Budget.objects.update(period="7d", anchored_at=NOON + timedelta(hours=1))
    budget.refresh_from_db()
    spend(10, budget, number=2, at=NOON + timedelta(hours=2))
    assert Window.objects.count() == 2
    assert prove() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "yesterday"], "'yesterday' is no date. Write 2026-11-21"),
        (["--from", "2026-11-22", "--to", "2026-11-21"], "--from must lie before --to."),
    ],
)
def test_span_that_makes_no_sense_is_refused(words: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=re.escape(told)):
        call_command("money", "rebuild-rollups", *words)
