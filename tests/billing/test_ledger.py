import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from audit.models import RequestRecord
from audit.requests import RequestSummary
from billing.journal import Entry
from billing.ledger import prove
from billing.models import Budget, LedgerEntry, Window
from billing.periods import window
from billing.posting import post
from tests.billing.lines import AT, closing

NOON = datetime.fromtimestamp(AT, UTC)

pytestmark = pytest.mark.django_db


def make_budget(scope: str = "team", scope_id: str = "team-1", period: str = "day", *, age: timedelta = timedelta(days=30)) -> Budget:
    return Budget.objects.create(scope=scope, scope_id=scope_id, amount_nano=10**12, period=period, anchored_at=NOON - age)


def spend(amount: int, *budgets: Budget, number: int = 1, at: datetime = NOON) -> None:
    starts = [(budget.pk, window(budget.period, budget.anchored_at, at, budget.time_zone)[0].timestamp()) for budget in budgets]
    post([closing(f"req_{number}", [amount], starts, at=at.timestamp())], "base")


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


def test_record_that_differs_from_the_ledger_is_found() -> None:
    spend(10**9)
    RequestRecord.objects.update(cost_nano=2 * 10**9)
    assert prove() == ["Request req_1: $2.000000000 on its record, $1.000000000 in the ledger."]


def test_record_without_entries_is_found() -> None:
    spend(10**9)
    LedgerEntry.objects.all().delete()
    assert prove() == ["Request req_1: $1.000000000 on its record, $0.000000000 in the ledger."]


def test_record_without_a_cost_is_found_when_money_was_posted() -> None:
    spend(10**9)
    RequestRecord.objects.update(cost_nano=None)
    assert prove() == ["Request req_1: $0.000000000 on its record, $1.000000000 in the ledger."]


@pytest.mark.parametrize("posted", [0, 100])
def test_call_without_a_price_is_no_finding(posted: int) -> None:
    spend(posted)
    RequestRecord.objects.update(cost_nano=None, is_unpriced=True)
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
    assert check() == "2 windows and 1 calls add up.\n"
    assert json.loads(check("--json")) == {"windows": 2, "calls": 1, "findings": []}


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
