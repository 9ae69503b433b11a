"""Turns a demo answer into timed server-sent events, and bends the stream for the magic model names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import msgspec

from .demo_answer import Answer, end_usage, envelope, message, start_usage
from .demo_request import Block
from .demo_script import NO_ANSWER, End, Script, Step, error_body, json_headers, json_script, stream_headers

SLOW_PAUSES = 4
SLOW_PAUSE_S = 5.0
OVERLOADED = "Overloaded"


@dataclass(frozen=True, slots=True)
class Pace:
    """`first_s` until the first token, `token_s` for each one after it."""

    first_s: float
    token_s: float
    pause_s: float

    @property
    def before_start_s(self) -> float:
        return self.first_s / 2


NO_DELAY = Pace(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Event:
    wait_s: float
    name: str
    body: Block

    def step(self) -> Step:
        return Step(self.wait_s, b"event: %s\ndata: %s\n\n" % (self.name.encode(), msgspec.json.encode(self.body)))


Twist = Callable[[list[Event], str], tuple[Sequence[Event], End]]


def stream_script(answer: Answer, pace: Pace, request_id: str, magic: str, dice: Random) -> Script:
    if magic == "demo-silent":
        return silent_script()
    events = _events(answer, pace, dice)
    if magic == "demo-slow":
        events = [
            events[0],
            *[Event(pace.pause_s, "ping", {"type": "ping"})] * (SLOW_PAUSES - 1),
            replace(events[1], wait_s=pace.pause_s),
            *events[2:],
        ]
    played, end = TWISTS.get(magic, _as_it_is)(events, request_id)
    return Script(200, stream_headers(request_id), (*(event.step() for event in played), Step(0.0, end=end)))


def whole_script(answer: Answer, pace: Pace, request_id: str, magic: str) -> Script:
    """The same faults as in a stream, as far as one JSON body can have them."""
    if magic == "demo-silent":
        return silent_script()
    if magic == "demo-error-midstream":
        return json_script(529, error_body(529, OVERLOADED, request_id), request_id)
    wait_s = pace.first_s + pace.token_s * answer.output_tokens + (SLOW_PAUSES * pace.pause_s if magic == "demo-slow" else 0.0)
    data = msgspec.json.encode(message(answer))
    kept, end = {
        "demo-stall": (0, End.STALL),
        "demo-cut": (len(data) // 2, End.CUT),
        "demo-truncated": (len(data) // 2, End.NORMAL),
    }.get(magic, (len(data), End.NORMAL))
    body = (Step(wait_s, data[:kept]),) if kept else ()
    return Script(200, json_headers(request_id), (*body, Step(0.0, end=end)))


def silent_script() -> Script:
    return Script(NO_ANSWER, (), (Step(0.0, end=End.STALL),))


def _events(answer: Answer, pace: Pace, dice: Random) -> list[Event]:
    opening = envelope(answer) | {"stop_reason": None, "stop_sequence": None, "stop_details": None, "usage": start_usage(answer)}
    events = [Event(pace.before_start_s, "message_start", {"type": "message_start", "message": opening})]
    wait_s = pace.first_s - pace.before_start_s
    for index, part in enumerate(answer.parts):
        events.append(_event("content_block_start", {"index": index, "content_block": part.opening}, wait_s))
        wait_s = 0.0
        if index == 0:
            events.append(_event("ping", {}))
        for delta, tokens in part.deltas:
            jitter = dice.uniform(0.6, 1.4)
            events.append(_event("content_block_delta", {"index": index, "delta": delta}, pace.token_s * tokens * jitter))
        events.append(_event("content_block_stop", {"index": index}))
    ending = {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence, "stop_details": None}
    return [*events, _event("message_delta", {"delta": ending, "usage": end_usage(answer)}), _event("message_stop", {})]


def _event(name: str, body: Block, wait_s: float = 0.0) -> Event:
    return Event(wait_s, name, {"type": name} | body)


def _deltas(events: list[Event]) -> list[int]:
    return [index for index, event in enumerate(events) if event.name == "content_block_delta"]


def _first_half(events: list[Event]) -> list[Event]:
    deltas = _deltas(events)
    return events[: deltas[len(deltas) // 2] + 1] if deltas else events[:1]


def _as_it_is(events: list[Event], request_id: str) -> tuple[Sequence[Event], End]:
    return events, End.NORMAL


def _stalled(events: list[Event], request_id: str) -> tuple[Sequence[Event], End]:
    return events[:1], End.STALL


def _cut(events: list[Event], request_id: str) -> tuple[Sequence[Event], End]:
    return _first_half(events), End.CUT


def _failing(events: list[Event], request_id: str) -> tuple[Sequence[Event], End]:
    return [*_first_half(events), Event(0.0, "error", error_body(529, OVERLOADED, request_id))], End.NORMAL


def _truncated(events: list[Event], request_id: str) -> tuple[Sequence[Event], End]:
    deltas = _deltas(events)
    return events[: deltas[-1] + 1 if deltas else 1], End.NORMAL


TWISTS: dict[str, Twist] = {
    "demo-stall": _stalled,
    "demo-cut": _cut,
    "demo-error-midstream": _failing,
    "demo-truncated": _truncated,
}
