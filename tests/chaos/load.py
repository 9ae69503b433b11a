"""Callers: each makes one call after the other, of a random kind with a random key, and goes on when the gateway dies under it.

Every call has a number. The provider's bill shows it as the marker, the gateway's record by the size of its request: no two are alike.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from tests.chaos.answers import MIXTURE, Part
from tests.chaos.scopes import CROWD, Key

FIRST_BYTES = 500
LOOK_AGAIN_S = 0.05
TIMEOUT_S = 30.0
LEAVE_AFTER_BYTES = 1500


@dataclass(frozen=True, slots=True)
class Call:
    number: int
    key: Key
    part: Part
    place: int  # which of the servers

    @property
    def marker(self) -> str:
        return f"call-{self.number}"

    @property
    def request_bytes(self) -> int:
        return FIRST_BYTES + self.number

    def body(self) -> bytes:
        asked = {
            "model": self.part.model,
            "max_tokens": self.part.max_tokens,
            "stream": self.part.is_stream,
            "metadata": {"user_id": self.marker},
            "messages": [{"role": "user", "content": ""}],
        }
        if self.part.thinks:
            asked["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        missing = self.request_bytes - len(json.dumps(asked))
        asked["messages"] = [{"role": "user", "content": "x" * missing}]
        return json.dumps(asked).encode()


@dataclass(slots=True)
class Load:
    """`urls` are the servers' addresses; `is_up(place)` says whether a call there has a chance. Outcomes are counted by name."""

    urls: Sequence[str]
    is_up: Callable[[int], bool]
    randomness: random.Random
    outcomes: Counter[str] = field(default_factory=Counter)
    calls: list[Call] = field(default_factory=list)
    is_over: bool = False

    async def run(self, callers: int) -> None:
        """Until `is_over`, and until the calls then under way have ended."""
        limits = httpx.Limits(max_connections=callers, max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits) as client:
            await asyncio.gather(*(self._go_on(client) for _ in range(callers)))

    async def _go_on(self, client: httpx.AsyncClient) -> None:
        while not self.is_over:
            up = [place for place in range(len(self.urls)) if self.is_up(place)]
            if not up:
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            call = self._next(self.randomness.choice(up))
            self.outcomes[await self._make(client, call)] += 1

    def _next(self, place: int) -> Call:
        (part,) = self.randomness.choices(MIXTURE, [part.weight for part in MIXTURE])
        call = Call(len(self.calls), self.randomness.choice(CROWD.keys), part, place)
        self.calls.append(call)
        return call

    async def _make(self, client: httpx.AsyncClient, call: Call) -> str:
        headers = {"x-api-key": call.key.token, "anthropic-version": "2023-06-01", "content-type": "application/json"}
        try:
            async with client.stream("POST", f"{self.urls[call.place]}/v1/messages", content=call.body(), headers=headers) as answer:
                if answer.status_code != httpx.codes.OK:
                    return f"refused: {answer.headers.get('x-tallygate-error-code', answer.status_code)}"
                return await _read(call, answer)
        except httpx.ConnectError:
            return "nobody there"
        except httpx.TransportError:
            return "broken off by the gateway's death"


async def _read(call: Call, answer: httpx.Response) -> str:
    size, last = 0, b""
    async for piece in answer.aiter_bytes():
        size, last = size + len(piece), (last + piece)[-200:]
        if call.part.leaves and size > LEAVE_AFTER_BYTES:
            return "left by the caller"
    if call.part.is_stream and b"message_stop" not in last:
        return "ended in an error event"
    return "served"
