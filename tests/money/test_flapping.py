"""Ten thousand calls over two deployments of which one flaps: no caller sees it, and the ledger has what both providers billed."""

from collections.abc import Sequence

import pytest

from tests.chaos.load import Call
from tests.chaos.verdict import accounts, strangers, wrong_attempts
from tests.money.flapping import FAULTS, Pair, Traffic, calls, pair

CALLS = 10_000
HOUSES = [
    pytest.param("sqlite", (), id="sqlite"),
    pytest.param("postgres", ("--workers", "2"), id="postgres, two workers", marks=pytest.mark.services),
]


# R5 R11 R62 R63 R64
@pytest.mark.parametrize(("kind", "words"), HOUSES)
def test_no_caller_sees_a_deployment_flap_and_all_that_was_billed_is_in_the_ledger(kind: str, words: tuple[str, ...]) -> None:
    made = calls(CALLS)
    with pair(kind) as two:
        with two.serving(*words) as server:
            traffic = Traffic(server.port, two.proxy)
            traffic.run(made)
        assert traffic.outcomes == {"served": CALLS}
        assert set(two.proxy.struck) == set(FAULTS)
        assert two.place.disorder() == []
        compare(two, made)


def compare(two: Pair, made: Sequence[Call]) -> None:
    """The bills of both providers with the ledger, call by call."""
    book, billed = two.place.book(), two.billed()
    found = accounts(made, billed, book)
    assert wrong_attempts(found) == (len(made), []), "an answer is not there once, with the tokens that were billed"
    assert [one.call.marker for one in found if [line.is_estimated for line in one.lines].count(False) != 1] == []
    assert [one.call.marker for one in found if len(one.bill) > len(one.lines) or one.under] == []
    broken_off, guessed = sum(fault.act is not None for fault in two.proxy.struck), len(book.lines) - len(made)
    assert 0 < len(billed) - len(made) <= guessed <= broken_off
    assert strangers(book) == 0
