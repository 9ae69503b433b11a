"""Money as a caller meets it: a spent budget refuses before the provider hears of the call, and opens again with its next window."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing.budget_book import BudgetRow
from billing.periods import window
from billing.snapshot import Price, PriceBook, Rates
from proxy import exchange
from proxy.limits import Limits
from tests.proxy.door import check_refusal, get, know, plane, send
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import MODEL

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# 12 tokens of output are a dollar's twelve thousandths.
PRICE = Price("list-1", (Rates(0, 1_000_000_000, 0, 0, 0),))
PRICES = PriceBook({("anthropic", MODEL): (PRICE,), ("anthropic", "fake-*"): (PRICE,)})
CALL_NANO = 12_000_000
SCOPES = [("key", "key-alice"), ("user", "user-alice"), ("team", "team-blue"), ("organisation", "org-1"), ("global", "")]


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    rig = house.rig(limits)
    plane(rig).snapshot = replace(plane(rig).snapshot, prices=PRICES)
    know(rig, "alice", organisation_id="org-1")
    return rig


def row(scope: str = "key", name: str = "key-alice", amount: int = 0, period: str = "", number: int = 1) -> BudgetRow:
    return BudgetRow(number, scope, name, amount, period, "UTC", EPOCH, name=name.partition("-")[2].title())


def posted(one: BudgetRow, amount: int, at: datetime) -> dict[tuple[int, float], int]:
    """What the database has for the window of `at`."""
    return {(one.id, window(one.period, one.anchored_at, at, one.time_zone)[0].timestamp()): amount}


@pytest.mark.parametrize(("scope", "name"), SCOPES)
@pytest.mark.parametrize("period", ["", "day", "month", "1h", "1mo"])
def test_spent_budget_refuses_before_the_provider_is_asked(rig: Rig, scope: str, name: str, period: str) -> None:
    one = row(scope, name, 1000, period)
    rig.gateway.budget(one, posted=posted(one, 1000, datetime.now(UTC)))
    error = check_refusal(send(rig), 429, "budget_exceeded")
    assert error["type"] == "billing_error"
    assert not rig.fake.seen


@pytest.mark.parametrize(("scope", "name"), SCOPES[:-1])
def test_budget_of_somebody_else_does_not_bind(rig: Rig, scope: str, name: str) -> None:
    rig.gateway.budget(row(scope, f"{name}-other"))
    assert send(rig).status_code == 200


# R30
@pytest.mark.parametrize(("scope", "name"), SCOPES)
def test_soft_budget_never_refuses(rig: Rig, scope: str, name: str) -> None:
    one = replace(row(scope, name), mode="soft")
    rig.gateway.budget(one, posted=posted(one, 10**15, datetime.now(UTC)))
    assert send(rig).status_code == 200


@pytest.mark.parametrize(("scope", "name"), SCOPES)
def test_settled_call_counts_at_once_for_the_next_one(rig: Rig, scope: str, name: str) -> None:
    rig.gateway.budget(row(scope, name, CALL_NANO + 1))
    assert [send(rig).status_code for _ in range(4)] == [200, 200, 429, 429]
    assert len(rig.fake.seen) == 2


def test_streamed_call_counts_at_once_for_the_next_one(rig: Rig) -> None:
    rig.gateway.budget(row(amount=CALL_NANO))
    assert [send(rig, stream=True).status_code for _ in range(2)] == [200, 429]


# R23
def test_every_budget_over_the_caller_counts(rig: Rig) -> None:
    rows = [row(scope, name, 10 * CALL_NANO, number=number) for number, (scope, name) in enumerate(SCOPES, 1)]
    rig.gateway.budget(*rows)
    send(rig)
    (entry,) = rig.gateway.closings()
    assert sorted(entry.windows) == [(number, EPOCH.timestamp()) for number in range(1, 6)]
    assert {(purse.settled, purse.held) for purse in rig.gateway.purses()} == {(CALL_NANO, 0)}


def test_tightest_of_several_budgets_refuses_and_is_named(rig: Rig) -> None:
    rig.gateway.budget(row(amount=10**12), row("team", "team-blue", 0, number=2))
    assert "The budget of team Blue is used up" in check_refusal(send(rig), 429, "budget_exceeded")["message"]


def test_spent_window_of_yesterday_does_not_bind_today(rig: Rig) -> None:
    one = row(amount=1000, period="day")
    rig.gateway.budget(one, posted=posted(one, 10**12, datetime.now(UTC) - timedelta(days=1)))
    assert send(rig).status_code == 200


def test_budget_opens_again_with_its_next_window(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.gateway.budget(row(amount=1, period="day"))
    assert [send(rig).status_code for _ in range(2)] == [200, 429]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).timestamp()
    monkeypatch.setattr(exchange, "time", SimpleNamespace(**{**vars(time), "time": lambda: tomorrow}))
    assert [send(rig).status_code for _ in range(2)] == [200, 429]


def test_raised_budget_lets_calls_through_again(rig: Rig) -> None:
    rig.gateway.budget(row(amount=1))
    assert [send(rig).status_code for _ in range(2)] == [200, 429]
    rig.gateway.budget(row(amount=10**12))
    assert send(rig).status_code == 200


def test_counting_tokens_and_looking_at_models_are_free(rig: Rig) -> None:
    rig.gateway.budget(row())
    assert send(rig, path="/v1/messages/count_tokens").status_code == 200
    assert get(rig, "/v1/models").status_code == 200


def test_refusal_counts_against_nothing(rig: Rig) -> None:
    rig.gateway.budget(row())
    send(rig)
    (entry,) = rig.gateway.closings()
    assert (entry.windows, entry.postings, entry.summary.cost_nano) == ([], [], 0)
    assert (entry.summary.error_source, entry.summary.error_code, entry.summary.key_name) == ("client", "budget_exceeded", "alice")


def test_failed_call_counts_against_nothing(rig: Rig) -> None:
    rig.gateway.budget(row(amount=1))
    assert [send(rig, model="fake-529").status_code for _ in range(2)] == [529, 529]
    assert send(rig).status_code == 200


def test_message_says_how_much_was_spent(rig: Rig) -> None:
    one = row(amount=2_000_000_000, period="month")
    rig.gateway.budget(one, posted=posted(one, 2_500_000_000, datetime.now(UTC)))
    message = check_refusal(send(rig), 429, "budget_exceeded")["message"]
    assert "2.50" in message and "2.00" in message and "It resets 01 " in message


HOSTILE = '{"a":' + "[" * 5000


@pytest.mark.parametrize("metadata", [{"user_id": HOSTILE}, {"user_id": "\u4e16" * 1000}, [HOSTILE]])
def test_no_metadata_slips_a_call_past_the_budget(rig: Rig, metadata: object) -> None:
    rig.gateway.budget(row(amount=1))
    assert [send(rig, metadata=metadata).status_code for _ in range(2)] == [200, 429]
