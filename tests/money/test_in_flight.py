"""A call that is under way ends on the terms it was admitted on, whatever is changed meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing.budget_book import BudgetRow
from billing.periods import window
from billing.snapshot import Price, PriceBook, Rates
from keys.snapshot import KeySnapshot
from proxy import exchange
from proxy.limits import Limits
from tests.fakes.script import Answer, Gate
from tests.proxy.door import know, plane, send
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import MODEL, streaming

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
CALL_NANO = 12_000_000


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory) as opened:
        yield opened


@pytest.fixture
def rig(house: House) -> Rig:
    rig = house.rig(Limits(sweep_s=0.02))
    put_prices(rig, 1)
    know(rig, "alice")
    return rig


def put_prices(rig: Rig, dollars_a_thousand: int) -> None:
    """Of output; input is free."""
    price = Price("list-1", (Rates(0, dollars_a_thousand * 10**9, 0, 0, 0),))
    plane(rig).snapshot = replace(plane(rig).snapshot, prices=PriceBook({("anthropic", MODEL): (price,)}))


def row(amount: int = 10**12, period: str = "", scope: str = "team", name: str = "team-blue") -> BudgetRow:
    return BudgetRow(1, scope, name, amount, period, "UTC", EPOCH)


@contextmanager
def under_way(rig: Rig) -> Iterator[None]:
    """A stream of 12 tokens that waits inside the block and comes to its end after it. Just what it costs is held for it."""
    gate = Gate()
    rig.fake.script(Answer(fault="stall", fault_after=3, gate=gate))
    with streaming(rig, max_tokens=12, inference_geo="global") as answer:
        pieces = answer.iter_text()
        assert "message_start" in next(pieces)
        yield
        gate.open()
        assert "message_stop" in "".join(pieces)


# R29
def test_call_of_a_key_that_moved_counts_in_the_team_it_was_admitted_for(rig: Rig) -> None:
    rig.gateway.budget(row())
    with under_way(rig):
        know(rig, "alice", team_id="team-green")
    (entry,) = rig.gateway.closings()
    assert (entry.windows, entry.summary.team_id) == ([(1, EPOCH.timestamp())], "team-blue")


# R29
def test_call_of_a_key_that_was_deleted_is_settled(rig: Rig) -> None:
    rig.gateway.budget(row())
    with under_way(rig):
        plane(rig).snapshot = replace(plane(rig).snapshot, keys=KeySnapshot({}))
    (entry,) = rig.gateway.closings()
    assert ([one.amount_nano for one in entry.postings], entry.windows) == ([CALL_NANO], [(1, EPOCH.timestamp())])


# R16
def test_price_that_changes_under_a_call_does_not_change_its_cost(rig: Rig) -> None:
    with under_way(rig):
        put_prices(rig, 7)
    send(rig)
    assert sorted(entry.postings[0].amount_nano for entry in rig.gateway.closings(2)) == [CALL_NANO, 7 * CALL_NANO]


# R24
def test_call_that_ends_after_the_reset_counts_in_the_window_it_began_in(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    one = row(period="1h")
    rig.gateway.budget(one)
    began_in = window(one.period, one.anchored_at, datetime.now(UTC))[0]
    with under_way(rig):
        later = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
        monkeypatch.setattr(exchange, "time", SimpleNamespace(**{**vars(time), "time": lambda: later}))
    assert send(rig).status_code == 200
    windows = sorted(entry.windows[0][1] for entry in rig.gateway.closings(2))
    assert windows == [began_in.timestamp(), began_in.timestamp() + 3600]


# R28
def test_lowered_limit_cuts_nothing_in_flight_and_refuses_the_next_call(rig: Rig) -> None:
    rig.gateway.budget(row())
    with under_way(rig):
        rig.gateway.budget(row(amount=1))
    assert send(rig).status_code == 429
    rig.gateway.budget(row())
    assert send(rig).status_code == 200
