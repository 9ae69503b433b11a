"""Many calls at one instant on a budget with room for one: one of them reaches the provider."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.budget_book import BudgetRow
from billing.snapshot import Price, PriceBook, Rates
from proxy.limits import Limits
from tests.chaos.answers import OUTPUT_NANO
from tests.chaos.scopes import ORGANISATION, Cast, Key, Limit
from tests.chaos.town import ALONE, town
from tests.money.storm import storm
from tests.proxy.door import know, plane
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Rig
from tests.proxy.talk import MODEL, ask

CALLS = 200
SCOPES = [("key", "key-alice"), ("user", "user-alice"), ("team", "team-blue"), ("organisation", "org-1"), ("global", "")]
# The fake's answer of 12 tokens takes all of it.
DOLLAR = 10**9
PRICE = Price("list-1", (Rates(0, DOLLAR * 1000 // 12, 0, 0, 0),))
KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.services)]
BOB, CAROL = Key("bob", "blue"), Key("carol", "green")
# As much as the 40 tokens of an answer; its question comes on top.
ONE = 40 * OUTPUT_NANO


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory) as opened:
        yield opened


@pytest.fixture
def rig(house: House) -> Rig:
    rig = house.rig(Limits(sweep_s=0.02))
    plane(rig).snapshot = replace(plane(rig).snapshot, prices=PriceBook({("anthropic", MODEL): (PRICE,)}))
    know(rig, "alice", organisation_id="org-1")
    return rig


def rows(amount: int, mode: str, *tight: str) -> list[BudgetRow]:
    """A budget in each scope, those of `tight` with this amount and the others with a million dollars."""
    born = datetime(2026, 1, 1, tzinfo=UTC)
    amounts = {scope: amount if scope in tight else 10**6 * DOLLAR for scope, _ in SCOPES}
    return [BudgetRow(number, scope, name, amounts[scope], "", "UTC", born, mode) for number, (scope, name) in enumerate(SCOPES, 1)]


# R3 R23
@pytest.mark.parametrize("scope", [scope for scope, _ in SCOPES])
def test_of_200_calls_at_once_one_reaches_the_provider(rig: Rig, scope: str) -> None:
    rig.gateway.budget(*rows(DOLLAR, "hard", scope))
    ended = storm([rig.url], ALICE, CALLS, ask(max_tokens=12))
    assert (ended, len(rig.fake.seen)) == ({"200": 1, "budget_exceeded": CALLS - 1}, 1)
    assert {(purse.held, purse.settled) for purse in rig.gateway.purses()} == {(0, DOLLAR)}


# R3 R18: a strict hold is at the dearest rate, a tenth above the usual one
def test_of_200_streams_at_once_one_fits_into_strict_budgets(rig: Rig) -> None:
    rig.gateway.budget(*rows(DOLLAR * 3 // 2, "strict", "key", "team", "global"))
    ended = storm([rig.url], ALICE, CALLS, ask(max_tokens=12, stream=True))
    assert (ended, len(rig.fake.seen)) == ({"200": 1, "budget_exceeded": CALLS - 1}, 1)


# R3 R4
@pytest.mark.parametrize("kind", KINDS)
def test_of_200_calls_to_real_servers_one_reaches_the_provider(kind: str) -> None:
    limits = (Limit("key", "bob", ONE), Limit("team", "green", ONE, "1h"), Limit("organisation", ORGANISATION, 10**6 * DOLLAR))
    asked = {"model": "chaos-quick", "max_tokens": 1000, "messages": [{"role": "user", "content": "hello"}]}
    with town(kind, Cast((BOB, CAROL), limits)) as place:
        with place.serving(ALONE, count=3 if place.is_shared else 1) as servers:
            urls = [server.url for server in servers]
            ended = [storm(urls, key.token, CALLS, asked) for key in (BOB, CAROL)]
        assert (ended, len(place.billed())) == ([{"200": 1, "budget_exceeded": CALLS - 1}] * 2, 2)
        assert place.disorder() == []
