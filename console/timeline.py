"""The waterfall of one request: its attempts laid out on one scale. Lengths are percent of the lane, ready for SVG."""

from dataclasses import dataclass

from audit.models import RequestRecord
from console.attempts import Attempt, read_attempts

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000)
_ROOM_FOR_LABEL = 0.72


@dataclass(frozen=True, slots=True)
class Bar:
    kind: str
    start: str
    width: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One row: the admission (no attempt) or an attempt, its bars, the line of its first byte."""

    attempt: Attempt | None
    duration_ms: float
    bars: list[Bar]
    first: str = ""
    first_ms: float = 0
    label_at: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    at: str
    ms: int


@dataclass(frozen=True, slots=True)
class Timeline:
    ticks: list[Tick]
    lanes: list[Lane]
    attempts: list[Attempt]


class _Scale:
    def __init__(self, length_ms: float) -> None:
        self.length_ms = max(length_ms, 1.0) * 1.03

    def at(self, ms: float) -> str:
        return f"{100 * min(max(ms, 0), self.length_ms) / self.length_ms:.2f}%"

    def bar(self, kind: str, start_ms: float, end_ms: float) -> Bar:
        width = max(0.35, 100 * (end_ms - start_ms) / self.length_ms)
        return Bar(kind, self.at(start_ms), f"{width:.2f}%")

    def label_after(self, ms: float) -> str:
        """Where a word stands beside a bar that ends at `ms`; empty where the lane has no room left for it."""
        return self.at(ms + self.length_ms / 100) if ms < self.length_ms * _ROOM_FOR_LABEL else ""

    def ticks(self) -> list[Tick]:
        step = next((step for step in _STEPS if self.length_ms / step <= 8), _STEPS[-1])
        return [Tick(self.at(ms), ms) for ms in range(0, int(self.length_ms) + 1, step)][:12]


def _lane(attempt: Attempt, scale: _Scale) -> Lane:
    start, end, first = attempt.started_ms, attempt.ended_ms, attempt.first_byte_ms
    if attempt.was_refused or (attempt.failed and first is None):
        return Lane(attempt, attempt.duration_ms, [scale.bar("fail", start, end)], label_at=scale.label_after(end))
    if first is None:
        return Lane(attempt, attempt.duration_ms, [scale.bar("wait", start, end)])
    bars = [scale.bar("wait", start, first), scale.bar("fail" if attempt.failed else "flow", first, end)]
    return Lane(attempt, attempt.duration_ms, bars, scale.at(first), first, scale.label_after(first))


def timeline(record: RequestRecord) -> Timeline:
    attempts = read_attempts(record)
    scale = _Scale(max([record.duration_ms, *(attempt.ended_ms for attempt in attempts)]))
    admitted_ms = attempts[0].started_ms if attempts else record.duration_ms
    admission = Lane(None, admitted_ms, [scale.bar("own", 0, admitted_ms)])
    return Timeline(scale.ticks(), [admission, *(_lane(attempt, scale) for attempt in attempts)], attempts)
