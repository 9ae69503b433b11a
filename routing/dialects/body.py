"""The top level of a JSON body: what all dialects read the same way, each telling of a bad one in its vendor's words. Pure."""

import codecs
from collections.abc import Iterable, Set

import msgspec

from routing.dialects.base import BadBody

Raws = dict[str, msgspec.Raw]
PIECE_BYTES = 65_536

_raws = msgspec.json.Decoder(Raws)


def raw_fields(body: bytes, not_json: str) -> Raws:
    """Name to raw value; raises BadBody, `not_json` before what the parser says."""
    try:
        if not body.isascii():
            _check_utf8(body)  # what stays raw is not decoded, so nobody else would notice bad UTF-8
        return _raws.decode(body)
    except RecursionError:
        raise BadBody("The request body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBody(f"{not_json} {error}") from None


def _check_utf8(body: bytes) -> None:
    """In pieces: one text of a whole large body would cost several times as much, for its memory."""
    view, at = memoryview(body), 0
    while at < len(body):
        _, read = codecs.utf_8_decode(view[at : at + PIECE_BYTES], "strict", at + PIECE_BYTES >= len(body))
        at += read


def look_alike(names: Iterable[str], deciding: Set[str]) -> str:
    """The first name that differs from a deciding one in case only: readers that ignore case would take it for that. Empty: none."""
    # casefold: JSON readers that ignore case also take the old long s for an s
    return next((name for name in names if name not in deciding and name.casefold() in deciding), "")
