"""The top level of a JSON body: what msgspec leaves raw is still looked at."""

import pytest

from routing.dialects.base import BadBody
from routing.dialects.body import PIECE_BYTES, raw_fields

BEGINNING = b'{"a":"'


@pytest.mark.parametrize("character", ["ï", "日", "😀"])
@pytest.mark.parametrize("before", range(PIECE_BYTES - 5, PIECE_BYTES + 2))
def test_character_across_the_border_of_two_pieces_is_read(character: str, before: int) -> None:
    body = BEGINNING + b"x" * (before - len(BEGINNING)) + character.encode() + b'"}'
    assert bytes(raw_fields(body, "")["a"]) == body[len(BEGINNING) - 1 : -1]


@pytest.mark.parametrize("bad", [b"\xff", b"\xe6\x97", b"\xed\xa0\x80", b"\xc0\xaf"])
@pytest.mark.parametrize("before", [len(BEGINNING), PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES - 1])
def test_bad_utf8_is_refused_wherever_it_stands(bad: bytes, before: int) -> None:
    body = BEGINNING + b"x" * (before - len(BEGINNING)) + bad + b'"}'
    with pytest.raises(BadBody, match="Not JSON"):
        raw_fields(body, "Not JSON:")
