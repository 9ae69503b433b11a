"""Usage: what a call consumed, in tokens by kind, and how Anthropic's usage objects merge into it.

`input_tokens` is uncached input; cache reads and writes stand apart; `output_tokens` includes thinking. Source: wire.md 1.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MAX_COUNT = 10**12


@dataclass(frozen=True, slots=True)
class Usage:
    """`iterations`, when set, are the billed parts, each at its own model; the counts of the whole are then for display."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    web_search_requests: int = 0
    web_fetch_requests: int = 0
    service_tier: str = ""
    speed: str = ""
    inference_geo: str = ""
    model: str = ""
    iterations: "tuple[Usage, ...]" = ()
    estimated: bool = False

    @property
    def prompt_tokens(self) -> int:
        """All input, cached or not: what price bands are chosen by."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens


def count(source: Mapping[str, object], name: str) -> int | None:
    """A token count, or None where there is none or not a sane one."""
    value = source.get(name)
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    return None


def text(source: Mapping[str, object], name: str) -> str:
    value = source.get(name)
    return value[:40] if isinstance(value, str) else ""


def inner(source: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = source.get(name)
    return value if isinstance(value, dict) else {}


class UsageMerger:
    """Merges message_start's usage with every message_delta's: a later value replaces an earlier one, nothing is added up."""

    __slots__ = ("_merged",)

    def __init__(self) -> None:
        self._merged: dict[str, object] = {}

    def start(self, usage: Mapping[str, object]) -> None:
        self._merged = dict(usage)

    def delta(self, usage: Mapping[str, object]) -> None:
        for name, value in usage.items():
            if value is not None:
                self._merged[name] = value

    def result(self, *, estimated: bool = False) -> Usage:
        merged = self._merged
        iterations = merged.get("iterations")
        parts = tuple(_one(part, {}) for part in iterations if isinstance(part, dict)) if isinstance(iterations, list) else ()
        whole = _one(merged, inner(merged, "cache_creation"))
        tools = inner(merged, "server_tool_use")
        return Usage(
            input_tokens=whole.input_tokens,
            cache_read_tokens=whole.cache_read_tokens,
            cache_write_5m_tokens=whole.cache_write_5m_tokens,
            cache_write_1h_tokens=whole.cache_write_1h_tokens,
            output_tokens=whole.output_tokens,
            thinking_tokens=count(inner(merged, "output_tokens_details"), "thinking_tokens") or 0,
            web_search_requests=count(tools, "web_search_requests") or 0,
            web_fetch_requests=count(tools, "web_fetch_requests") or 0,
            service_tier=text(merged, "service_tier"),
            speed=text(merged, "speed"),
            inference_geo=text(merged, "inference_geo"),
            iterations=parts,
            estimated=estimated,
        )


def _one(source: Mapping[str, object], split: Mapping[str, object]) -> Usage:
    """One usage object's own counts. The 5m/1h split stands only in the start; a later total is divided in its ratio."""
    split = inner(source, "cache_creation") or split
    short, long = count(split, "ephemeral_5m_input_tokens") or 0, count(split, "ephemeral_1h_input_tokens") or 0
    written = count(source, "cache_creation_input_tokens")
    if written is None:
        written = short + long
    long_share = written * long // (short + long) if short + long else 0
    return Usage(
        input_tokens=count(source, "input_tokens") or 0,
        cache_read_tokens=count(source, "cache_read_input_tokens") or 0,
        cache_write_5m_tokens=written - long_share,
        cache_write_1h_tokens=long_share,
        output_tokens=count(source, "output_tokens") or 0,
        model=text(source, "model"),
    )
