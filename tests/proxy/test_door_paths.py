"""How the entrances of clouds read a path: whatever comes, nothing in its parts can climb or end a line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.doors import gemini, vertex
from proxy.doors.paths import segments

quick = settings(derandomize=True, deadline=None, database=None)
pieces = st.sampled_from(["a", "/", "%2f", "%2F", "..", ".", "%2e", "\\", "%5c", "%00", "%0d%0a", "%25", ":", "%3A", "@", ";", "%ff", "é"])


@quick
@given(st.lists(pieces, max_size=12).map("".join))
def test_parts_never_climb(path: str) -> None:
    """R140."""
    for part in segments(b"/" + path.encode()):
        assert part not in {"", "."}
        assert ".." not in part.split("/")
        assert part.isprintable()
        assert "\\" not in part


@pytest.mark.parametrize(("path", "parts"), [
    (b"/a/b", ["a", "b"]),
    (b"/a%3Ab/c%2Fd", ["a:b", "c/d"]),
    (b"/a%253Ab", ["a%3Ab"]),
    (b"/a.b/..c/d..", ["a.b", "..c", "d.."]),
    (b"/", []), (b"/a//b", []), (b"/a/", []), (b"/a/../b", []), (b"/a/./b", []), (b"/a/%2e%2e/b", []), (b"/a%2f..", []), (b"/%00", []),
    (b"/a\\b", []), (b"/%5c", []), (b"/%ff", []), (b"/a%0d%0ab", []), (b"", []),
])  # fmt: skip
def test_path_is_cut_first_and_decoded_once(path: bytes, parts: list[str]) -> None:
    """R140."""
    assert segments(path) == parts


@quick
@given(st.binary(max_size=80), st.binary(max_size=20))
def test_any_path_is_a_place_or_none(path: bytes, query: bytes) -> None:
    for find in (gemini.find, vertex.find):
        for start in (b"/gemini/v1beta/models/", b"/vertex_ai/v1/projects/p/locations/l/publishers/google/models/", b""):
            place = find("POST", start + path, query)
            assert place is None or place.path_ask.model
