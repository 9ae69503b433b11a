"""A call of the past as traffic, sessions and faults see it, before it is priced."""

from dataclasses import dataclass, field
from random import Random

from billing.usage import Usage
from gateway_project.demo_seed.cast import DemoKey

MESSAGES, CHAT = "messages", "chat"
BYTES_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Fault:
    """How a call went wrong. `reasons` are those of its attempts, one each; without any, nothing was sent. With `is_survived` one more
    attempt went well.
    """

    outcome: str = "ok"
    status: int = 200
    source: str = ""
    code: str = ""
    message: str = ""
    reasons: tuple[tuple[int, str, str], ...] = ()
    is_survived: bool = False


FINE = Fault(is_survived=True)


@dataclass(slots=True)
class Call:
    """`at` is epoch seconds; `wait_ms` until the first byte, `ran_ms` from there to the end.

    `asked_tokens` are those of the prompt, whatever became of it.
    """

    at: float
    key: DemoKey
    route: str
    usage: Usage
    number: int
    endpoint: str = MESSAGES
    is_stream: bool = True
    session: str = ""
    agent: str = ""
    end_user: str = ""
    tools: list[str] = field(default_factory=list)
    stop_reason: str = "end_turn"
    wait_ms: float = 0.0
    ran_ms: float = 0.0
    asked_tokens: int = 0
    fault: Fault = FINE

    @property
    def id(self) -> str:
        return f"req_{int(self.at * 1000):012x}{self.number:016x}"


def timed(call: Call, rng: Random, pace: float) -> Call:
    """With durations that fit its tokens: a first byte that takes longer for long prompts, then some seventy tokens a second."""
    call.wait_ms = (rng.lognormvariate(6.5, 0.35) + call.usage.prompt_tokens / 250) * pace
    call.asked_tokens = call.usage.prompt_tokens
    call.ran_ms = call.usage.output_tokens * rng.uniform(10, 18) * pace
    return call


def around(rng: Random, middle: float, spread: float = 0.5) -> int:
    """A whole number that is mostly near `middle` and now and then much larger, as token counts are."""
    return max(1, round(middle * rng.lognormvariate(0, spread)))
