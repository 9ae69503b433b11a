"""What a demo request would be billed for: about a token per four bytes, and a memory of cached prefixes.

Like the real cache it reads the longest remembered prefix and writes the rest up to the last breakpoint; unlike it, it
forgets by age of use only, never by the clock.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .demo_request import Ask, Block

BYTES_PER_TOKEN = 4
BASE_TOKENS = 7
TURN_TOKENS = 4
BASE64_DISCOUNT = 100  # a picture costs by its area, far less than its bytes read as text would


@dataclass(frozen=True, slots=True)
class InputUsage:
    uncached: int
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0

    @property
    def total(self) -> int:
        return self.uncached + self.read + self.write_5m + self.write_1h


@dataclass(slots=True)
class PrefixMemory:
    """Digests of the prefixes written last; bounded, so that it may live as long as the process."""

    size: int = 4096
    _digests: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def knows(self, digest: bytes) -> bool:
        return digest in self._digests

    def remember(self, digest: bytes) -> None:
        self._digests[digest] = None
        self._digests.move_to_end(digest)
        while len(self._digests) > self.size:
            self._digests.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the prompt after which a cached prefix may end; `ttl` is set where the client placed a breakpoint."""

    digest: bytes
    tokens: int
    ttl: str


def count_input(ask: Ask) -> int:
    return BASE_TOKENS + sum(_tokens(role, block) for role, block in _prompt(ask))


def measure_input(ask: Ask, line: str, memory: PrefixMemory) -> InputUsage:
    """Reads and updates the memory: asking twice turns the write into a read. Each model line has its own cache."""
    segments = _segments(ask, line)
    marked = [index for index, segment in enumerate(segments) if segment.ttl]
    if not marked:
        return InputUsage(BASE_TOKENS + sum(segment.tokens for segment in segments))
    end = marked[-1] + 1
    start = next((index for index in range(end, 0, -1) if memory.knows(segments[index - 1].digest)), 0)
    writes = {"5m": 0, "1h": 0}
    for index in range(start, end):
        writes[next(segments[mark].ttl for mark in marked if mark >= index)] += segments[index].tokens
    for index in {*marked, start - 1} - {-1}:
        memory.remember(segments[index].digest)
    uncached = BASE_TOKENS + sum(segment.tokens for segment in segments[end:])
    return InputUsage(uncached, sum(segment.tokens for segment in segments[:start]), writes["5m"], writes["1h"])


def _prompt(ask: Ask) -> Iterator[tuple[str, Block]]:
    """The prompt in the order in which the cache sees it; the first block of a turn is named after its role."""
    yield from (("tool", tool) for tool in ask.tools)
    yield from (("instructions", block) for block in ask.system)
    for turn in ask.turns:
        for index, block in enumerate(turn.blocks):
            yield ("" if index else turn.role), block


def _segments(ask: Ask, line: str) -> list[Segment]:
    running = hashlib.sha256(line.encode())
    segments = []
    for role, block in _prompt(ask):
        plain = {name: value for name, value in block.items() if name != "cache_control"}
        running.update(role.encode() + b"\n" + msgspec.json.encode(plain) + b"\n")
        segments.append(Segment(running.digest(), _tokens(role, block), _ttl(block)))
    if segments and (ttl := _ttl(ask.body)):
        last = segments[-1]
        segments[-1] = Segment(last.digest, last.tokens, last.ttl or ttl)
    return segments


def _tokens(role: str, block: Block) -> int:
    opening = TURN_TOKENS if role in ("user", "assistant", "system") else 0
    return opening + -(-_weight(block) // BYTES_PER_TOKEN)


def _ttl(holder: Block) -> str:
    control = holder.get("cache_control")
    if not control:
        return ""
    return "1h" if isinstance(control, dict) and control.get("ttl") == "1h" else "5m"


def _weight(value: Any) -> int:
    """The size in bytes of what a model reads of this value; markers and names cost nothing."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list):
        return sum(_weight(item) for item in value)
    if not isinstance(value, dict):
        return BYTES_PER_TOKEN
    if value.get("type") == "base64" and isinstance(value.get("data"), str):
        return len(value["data"]) // BASE64_DISCOUNT
    return sum(_member_weight(name, member) for name, member in value.items())


def _member_weight(name: str, member: Any) -> int:
    return 0 if name in ("cache_control", "type", "signature") else len(name) // 2 + _weight(member)
