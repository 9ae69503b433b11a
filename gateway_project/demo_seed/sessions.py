"""Claude Code sessions: one session is many calls, each of which reads from the cache all that was said before it."""

import uuid
from collections.abc import Iterator
from random import Random

from billing.usage import Usage
from gateway_project.demo_seed.calls import Call, around, timed
from gateway_project.demo_seed.cast import HAIKU, OPUS, DemoKey

SYSTEM_PROMPT, FULL = 19_500, 155_000
TOOLS = (["Read"], ["Read", "Grep"], ["Edit"], ["Bash"], ["Bash", "Read"], ["Glob"], ["Write"], ["Edit", "Bash"], ["TodoWrite"])


def session(rng: Random, key: DemoKey, start: float) -> Iterator[Call]:
    """A title by the small model, then turn after turn; when the context is full it is summed up and the rest goes on from there."""
    name = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    route = rng.choice(key.models)
    if not any(model == HAIKU for model in key.allowed) and "claude-cli" in key.client:
        yield _title(rng, key, start, name)
    at, context, agent = start + rng.uniform(1, 4), SYSTEM_PROMPT, ""
    for turn in range(around(rng, 13, 0.6)):
        fresh = around(rng, 4_200, 0.9) if turn else around(rng, 900, 0.7)
        if context + fresh > FULL:
            context = around(rng, 24_000, 0.2)
        agent = _agent(rng, agent)
        call = _turn(rng, Call(at, key, route, _usage(rng, turn, context, fresh), rng.getrandbits(64), session=name, agent=agent))
        yield call
        context += fresh + call.usage.output_tokens
        at += (call.wait_ms + call.ran_ms) / 1000 + rng.lognormvariate(2.2, 1.1)


def _usage(rng: Random, turn: int, context: int, fresh: int) -> Usage:
    output = around(rng, 720, 0.9)
    thinking = round(output * rng.uniform(0.2, 0.6)) if rng.random() < 0.4 else 0
    if turn == 0 and rng.random() < 0.5:
        return Usage(rng.randint(3, 12), 0, fresh, context, output, thinking)
    return Usage(rng.randint(3, 12), context, fresh, 0, output, thinking)


def _turn(rng: Random, call: Call) -> Call:
    if rng.random() < 0.82:
        call.tools, call.stop_reason = rng.choice(TOOLS), "tool_use"
    return timed(call, rng, 1.3 if call.route == OPUS else 1.0)


def _agent(rng: Random, current: str) -> str:
    """Now and then a subagent works for some turns."""
    if current:
        return current if rng.random() < 0.7 else ""
    return f"agent-{rng.getrandbits(24):06x}" if rng.random() < 0.06 else ""


def _title(rng: Random, key: DemoKey, at: float, name: str) -> Call:
    usage = Usage(around(rng, 240), 0, 0, 0, around(rng, 22, 0.2))
    return timed(Call(at, key, HAIKU, usage, rng.getrandbits(64), session=name), rng, 0.5)
