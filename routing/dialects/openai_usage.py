"""OpenAI's usage objects, in the words of all who copied them, as our Usage.

What was cached, and what was written to the cache, is part of the prompt there; thinking is part of the output.
"""

from collections.abc import Mapping

from billing.usage import MAX_COUNT, MAX_TEXT, Usage

Told = Mapping[str, object]
NOTHING: Told = {}

# Where the same figure may stand: OpenAI's own place first, then DeepSeek's, Mistral's, Moonshot's and Together's.
CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens")


def usage_of(told: Told, tier: str = "", searches: int = 0) -> Usage:
    """A usage object of any of OpenAI's APIs; figures that make no sense are passed over."""
    prompt, output, total = (
        _count(told, "prompt_tokens", "input_tokens"),
        _count(told, "completion_tokens", "output_tokens"),
        _count(told, "total_tokens"),
    )
    prompt_details, output_details = (
        inside(told, "prompt_tokens_details", "input_tokens_details"),
        inside(told, "completion_tokens_details", "output_tokens_details"),
    )
    cached = max(_count(prompt_details, *CACHED), _count(told, *CACHED))
    short, long = _written(prompt_details)
    rest = max(0, total - prompt - output)
    if cached + short + long > prompt:
        # told without what came from the cache; the total may have it
        prompt, rest = prompt + cached + short + long, max(0, rest - cached - short - long)
    if not prompt:
        prompt, rest = rest, 0
    return Usage(
        input_tokens=prompt - cached - short - long,
        cache_read_tokens=cached,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
        # xAI and Gemini leave thinking out of the output, but not out of the total
        output_tokens=output + rest,
        thinking_tokens=max(rest, _count(output_details, "reasoning_tokens")),
        web_search_requests=searches or _searches(told),
        service_tier=tier[:MAX_TEXT],
    )


def _written(details: Told) -> tuple[int, int]:
    """Cache writes that live for half an hour, and those that live for half a day."""
    written = _count(details, "cache_write_tokens")
    long = min(written, _count(inside(details, "cache_write_tokens_details"), "ttl_12h_tokens"))
    return written - long, long


def _searches(told: Told) -> int:
    return _count(inside(told, "server_tool_use_details", "server_tool_use"), "web_search_requests")


def inside(told: object, *names: str) -> Told:
    """The first object under one of these names; an empty one where there is none."""
    if isinstance(told, dict):
        for name in names:
            if isinstance(found := told.get(name), dict):
                return found
    return NOTHING


def items(told: Told, name: str) -> list[Told]:
    """The objects of a list."""
    found = told.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def word(told: Told, name: str) -> str:
    found = told.get(name)
    return found if isinstance(found, str) else ""


def _count(told: Told, *names: str) -> int:
    for name in names:
        value = told.get(name)
        if type(value) is int and 0 <= value <= MAX_COUNT:
            return value
    return 0
