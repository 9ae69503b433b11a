"""Repricing: past calls by today's prices of their time, in ledger, windows and roll-ups at once, and never twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.models import RequestRecord
from audit.requests import LineNote, RequestSummary
from audit.trail import SYSTEM
from billing.actions import set_price
from billing.journal import Entry, Posting
from billing.ledger import prove
from billing.loading import load_prices
from billing.models import Budget, LedgerEntry, Price, Window
from billing.posting import post
from billing.pricing import cost
from billing.repricing import Outcome, reprice, usage_of
from billing.usage import Usage
from tests.billing.lines import AT

pytestmark = pytest.mark.django_db

NOON = datetime.fromtimestamp(AT, UTC)
SONNET = "claude-sonnet-5"
USAGE = Usage(1000, output_tokens=100)  # 1000 x 2 + 100 x 10 = 3,000,000 nano


def call(number: int, usage: Usage = USAGE, model: str = SONNET, *, at: float = AT, attempts: int = 1) -> None:
    """A call, priced as it would have been and posted."""
    price = cost(load_prices(), "anthropic", model, usage, at)
    name = f"req_{number}"
    lines = [LineNote(line.kind, line.count, line.unit_pico, line.amount_nano, line.model) for line in price.lines]
    counts = {kind: getattr(usage, kind) * attempts for kind in ("input_tokens", "cache_read_tokens", "output_tokens")}
    summary = RequestSummary(
        id=name,
        received_at=at,
        endpoint="messages",
        status=200,
        outcome="ok",
        team_id="team-1",
        provider="anthropic",
        cost_nano=None if price.unpriced else price.amount_nano * attempts,
        is_unpriced=price.unpriced,
        price_lines=lines * attempts,
        web_searches=usage.web_search_requests,
        **counts,
    )
    told = (price.amount_nano, price.unpriced, False, "anthropic", model, price.price_version)
    start = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    windows = [(budget.pk, start) for budget in Budget.objects.all()]
    post([Entry(summary, [Posting(f"{name}.{each}", at, *told) for each in range(attempts)], windows)], "base")


def halve(model: str = SONNET, **values: Any) -> None:
    """The true price was another all along."""
    given = {"input_pico": 1_000_000, "output_pico": 5_000_000, "starts_at": NOON - timedelta(days=30)} | values
    set_price(Price(provider="anthropic", model=model, **given), actor=SYSTEM)


def again(*, is_dry: bool = False) -> Outcome:
    return reprice(load_prices(), NOON - timedelta(days=1), NOON + timedelta(days=1), is_dry=is_dry)


def figures(outcome: Outcome) -> tuple[int, int, int]:
    return outcome.calls, outcome.unclear, outcome.unpriced


def changes(outcome: Outcome) -> dict[str, tuple[int, int, int]]:
    return {model: (one.calls, one.was_nano, one.now_nano) for (_, model), one in outcome.by_model.items()}


# R40
def test_difference_is_posted_to_ledger_window_and_roll_ups() -> None:
    Budget.objects.create(scope="team", scope_id="team-1", amount_nano=10**9, period="day", anchored_at=NOON - timedelta(days=9))
    call(1)
    halve()
    assert changes(again()) == {SONNET: (1, 3_000_000, 1_500_000)}
    entry = LedgerEntry.objects.get(kind="adjust")
    assert (entry.amount_nano, entry.at, entry.team_id, entry.attempt_id) == (-1_500_000, NOON, "team-1", "req_1.0")
    assert entry.note.startswith("repriced: genai-prices-")
    assert entry.price_version.startswith("own:")
    assert Window.objects.get().posted_nano == 1_500_000
    assert prove() == []


def test_dry_run_tells_and_posts_nothing() -> None:
    call(1)
    halve()
    assert changes(again(is_dry=True)) == {SONNET: (1, 3_000_000, 1_500_000)}
    assert not LedgerEntry.objects.filter(kind="adjust").exists()


def test_second_time_there_is_nothing_to_do() -> None:
    call(1)
    halve()
    again()
    assert changes(again()) == {}
    assert LedgerEntry.objects.count() == 2


def test_third_price_corrects_the_correction() -> None:
    call(1)
    halve()
    again()
    halve(input_pico=4_000_000, output_pico=20_000_000, starts_at=NOON - timedelta(days=20))
    assert changes(again()) == {SONNET: (1, 1_500_000, 6_000_000)}
    assert sum(LedgerEntry.objects.values_list("amount_nano", flat=True)) == 6_000_000


def test_call_that_had_no_price_gets_its_cost() -> None:
    call(1, model="claude-new")
    assert figures(again()) == (1, 0, 1)
    halve("claude-new")
    assert changes(again()) == {"claude-new": (1, 0, 1_500_000)}


def test_price_that_is_gone_takes_nothing_back() -> None:
    halve("claude-new")
    call(1, model="claude-new")
    Price.objects.all().delete()
    assert figures(again()) == (1, 0, 1)
    assert LedgerEntry.objects.count() == 1


def test_price_of_later_does_not_touch_calls_of_before() -> None:
    call(1)
    halve(starts_at=NOON + timedelta(hours=1))
    assert changes(again()) == {}


def test_only_calls_of_the_span_are_looked_at() -> None:
    call(1, at=AT - 2 * 86400)
    call(2)
    assert figures(again()) == (1, 0, 0)


@pytest.mark.parametrize(
    "usage",
    [
        Usage(7, 90_000, 20, 30, 40),
        Usage(1000, speed="fast", inference_geo="us"),
        Usage(1000, output_tokens=5, service_tier="batch"),
        Usage(100, web_search_requests=3),
        Usage(iterations=(Usage(80_000, output_tokens=9), Usage(80_001, output_tokens=9), Usage(5, model="claude-fable-5"))),
        Usage(10, output_tokens=1, iterations=(Usage(10, output_tokens=1), Usage(10, output_tokens=1, model="claude-opus-5"))),
        Usage(),
    ],
)
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-haiku-5-5"])
def test_price_that_did_not_change_changes_nothing(usage: Usage, model: str) -> None:
    call(1, usage, model)
    assert changes(again()) == {}
    told = RequestRecord.objects.get()
    usage_again = usage_of(told, LedgerEntry.objects.get().price_version)
    assert usage_again is not None
    assert cost(load_prices(), "anthropic", model, usage_again, AT).lines == cost(load_prices(), "anthropic", model, usage, AT).lines


def test_calls_that_cannot_be_told_apart_are_left_alone() -> None:
    call(1, attempts=2)
    call(2)
    RequestRecord.objects.filter(pk="req_2").delete()
    call(3)
    LedgerEntry.objects.create(attempt_id="req_3.0", kind="adjust", request_id="req_3", at=NOON, amount_nano=1, note="seen again")
    halve()
    assert figures(again()) == (4, 4, 0)
    assert changes(again()) == {}


def test_record_whose_lines_are_not_all_of_it_is_left_alone() -> None:
    call(1)
    RequestRecord.objects.update(input_tokens=9_999)
    halve()
    assert figures(again()) == (1, 1, 0)


def test_many_calls_are_gone_over_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.repricing.ENTRIES_AT_ONCE", 2)
    for number in range(5):
        call(number)
    halve()
    assert changes(again()) == {SONNET: (5, 15_000_000, 7_500_000)}
    assert prove() == []
