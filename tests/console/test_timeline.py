"""The waterfall: bars lie where their time is, inside the lane, and words have room."""

import pytest

from audit.models import RequestRecord
from console.timeline import timeline
from tests.console.rows import OVERLOADED, attempt


def number(length: str) -> float:
    return float(length.removesuffix("%"))


def test_attempts_lie_one_after_another() -> None:
    second = attempt(started_ms=620.0, first_byte_ms=1200.0, duration_ms=1680.0)
    times = timeline(RequestRecord(duration_ms=2300, attempts=[OVERLOADED, second]))
    admission, first, last = times.lanes
    assert [bar.kind for lane in times.lanes for bar in lane.bars] == ["own", "fail", "wait", "flow"]
    assert number(first.bars[0].start) < number(last.bars[0].start) < number(last.first)
    assert admission.duration_ms == 0.4


@pytest.mark.parametrize("duration", [0, 0.3, 1.7, 618, 12_840, 290_000, 7_200_000])
def test_scale_is_round_and_short(duration: float) -> None:
    ticks = timeline(RequestRecord(duration_ms=duration)).ticks
    assert 1 <= len(ticks) <= 12
    assert all(0 <= number(tick.at) <= 100 for tick in ticks)


def test_refusal_is_one_bar_though_its_words_were_read() -> None:
    times = timeline(RequestRecord(duration_ms=700, attempts=[attempt(**{**OVERLOADED, "first_byte_ms": 599.0})]))
    assert [bar.kind for bar in times.lanes[1].bars] == ["fail"]


def test_bars_stay_inside_the_lane() -> None:
    times = timeline(RequestRecord(duration_ms=100, attempts=[attempt(started_ms=90.0, first_byte_ms=400.0, duration_ms=500.0)]))
    assert all(number(bar.start) + number(bar.width) <= 100.5 for lane in times.lanes for bar in lane.bars)


def test_word_beside_a_long_bar_is_left_out() -> None:
    short, long = (attempt(**{**OVERLOADED, "duration_ms": duration}) for duration in (100.0, 1000.0))
    times = timeline(RequestRecord(duration_ms=1000, attempts=[short, long]))
    assert [bool(lane.label_at) for lane in times.lanes[1:]] == [True, False]


def test_refused_request_has_its_admission_only() -> None:
    times = timeline(RequestRecord(duration_ms=1.7))
    assert [lane.attempt for lane in times.lanes] == [None]
    assert times.lanes[0].duration_ms == 1.7
