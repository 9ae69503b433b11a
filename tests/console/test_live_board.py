"""A board's figures: rates, percentiles over all calls of a span, errors by side and kind, health of deployments."""

import pytest

from console.live.board import MINUTES, NEWEST, Board, Call, Figures
from tests.console.live_rows import call, tried

NOW = 1_800_000_030.0


def figures(*calls: Call) -> Figures:
    return Board(calls).figures(NOW)


def test_nothing_was_called() -> None:
    found = figures()
    assert (found.calls, found.errors, found.rate, found.first, found.total) == (0, 0, 0.0, None, None)
    assert len(found.minutes) == MINUTES


def test_rate_is_of_the_minute_before() -> None:
    found = figures(*(call(NOW - 10 - one, id=f"req_{one}") for one in range(30)), call(NOW - 200))
    assert found.rate == pytest.approx(0.5)


def test_rate_of_five_minutes_ago_stands_beside() -> None:
    assert figures(call(NOW - 310), call(NOW - 320)).rate_ago == pytest.approx(2 / 60)


def test_percentiles_are_of_all_calls_and_not_means_of_percentiles() -> None:
    slow = [call(NOW - 90, id=f"slow_{one}", first_ms=9000.0) for one in range(10)]
    fast = [call(NOW - 10, id=f"fast_{one}", first_ms=100.0) for one in range(90)]
    first = figures(*slow, *fast).first
    assert first is not None
    assert first == pytest.approx((100, 9000, 9000), rel=0.01)


@pytest.mark.parametrize("waited_ms", [0.0, 0.4, 17.0, 618.0, 2310.0, 600_000.0])
def test_wait_is_known_to_one_in_a_hundred(waited_ms: float) -> None:
    total = figures(call(NOW - 10, total_ms=waited_ms)).total
    assert total is not None
    assert total.p50 == pytest.approx(waited_ms, rel=0.01, abs=0.11)


def test_call_without_a_first_token_says_nothing_of_first_tokens() -> None:
    assert figures(call(NOW - 10, first_ms=None)).first is None


def test_errors_are_counted_by_side_and_kind() -> None:
    refused = [call(NOW - 10, id=f"r{one}", side="client", status=429, code="rate_limited") for one in range(3)]
    found = figures(*refused, call(NOW - 20, side="provider", status=529, code="overloaded"), call(NOW - 20))
    assert (found.calls, found.errors, dict(found.sides)) == (5, 4, {"client": 3, "provider": 1})
    assert found.kinds == [(("client", 429, "rate_limited"), 3), (("provider", 529, "overloaded"), 1)]


def test_errors_of_before_are_in_the_chart_and_not_in_the_number() -> None:
    found = figures(call(NOW - 1200, side="gateway", status=503, code="draining"))
    assert (found.errors, sum(minute.errors for minute in found.minutes)) == (0, 1)


def test_what_is_older_than_the_half_hour_is_forgotten() -> None:
    board = Board([call(NOW - 3600), call(NOW - 10)])
    board.forget(NOW)
    assert sum(minute.calls for minute in board.figures(NOW).minutes) == 1
    assert len(board._minutes) == 1


def test_the_last_calls_are_kept_however_they_come() -> None:
    board = Board([call(NOW - one, id=f"req_{one:03d}") for one in range(NEWEST + 20, 0, -7)])
    for one in range(NEWEST + 20):
        board.add(call(NOW - one, id=f"more_{one:03d}"))
    assert len(board.newest) == NEWEST
    assert board.newest[:3] == ["more_000", "more_001", "more_002"]


def test_deployment_with_mostly_failures_gets_a_red_stroke() -> None:
    good = [call(NOW - 70, id=f"g{one}", tries=(tried("bedrock"),)) for one in range(4)]
    bad = [call(NOW - 10, id=f"b{one}", tries=(tried("anthropic", is_bad=True), tried("bedrock"))) for one in range(2)]
    anthropic, bedrock = figures(*good, *bad).health
    assert (anthropic.name, anthropic.tries, anthropic.bad, anthropic.strokes[-1]) == ("anthropic", 2, 2, "err")
    assert (bedrock.name, bedrock.tries, bedrock.bad, bedrock.strokes[-2:]) == ("bedrock", 6, 0, ["up1", "up1"])


def test_single_failure_among_many_is_a_warning() -> None:
    calls = [call(NOW - 10, id=f"c{one}", tries=(tried("bedrock", is_bad=one == 0),)) for one in range(9)]
    assert figures(*calls).health[0].strokes[-1] == "slow"
