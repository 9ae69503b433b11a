"""Every address that Django answers at, read off its URL table."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, get_resolver

PART = re.compile(r"<[^>]+>")
GROUP = re.compile(r"\(\?P<\w+>[^()]*(?:\([^()]*\)[^()]*)*\)")


def addresses(patterns: list[Any] | None = None, before: str = "/") -> Iterator[str]:
    """With `1` for each part that varies."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        address = before + _plain(str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield address
        else:
            yield from addresses(pattern.url_patterns, address)


def _plain(route: str) -> str:
    filled = GROUP.sub("1", route) if "(?P" in route else PART.sub("1", route)
    return filled.removeprefix("^").removesuffix("$").removesuffix(r"\Z").replace("\\", "")
