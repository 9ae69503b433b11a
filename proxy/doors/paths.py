"""How an entrance reads a raw path: cut at its slashes first, then each part decoded once, so that an encoded slash stays in its part."""

import re
from urllib.parse import unquote_to_bytes

_unfit = re.compile(r"[\x00-\x1f\x7f\\]")


def segments(raw_path: bytes) -> list[str]:
    """The parts of a path; none for one that is not plain (empty parts, dots that climb, backslashes, control characters, bad UTF-8)."""
    try:
        parts = [unquote_to_bytes(part).decode() for part in raw_path.split(b"/")[1:]]
    except UnicodeDecodeError:
        return []
    if any(not part or _unfit.search(part) or ".." in part.split("/") or part == "." for part in parts):
        return []
    return parts
