"""Bodies in pieces: the same bytes as when they are written anew, and what is long lies where it came in."""

import json
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dialects import pieces
from routing.dialects.body import raw_fields
from routing.dialects.chat import CHAT
from routing.dialects.messages import MESSAGES
from routing.dialects.pieces import LONG_BYTES, Pieces, object_of, parts_of

quick = settings(derandomize=True, deadline=None, database=None, max_examples=300)
LONG = "ü" * LONG_BYTES


@quick
@given(st.dictionaries(st.text(max_size=5), st.text(max_size=40) | st.integers() | st.lists(st.text(max_size=9)), max_size=6))
def test_pieces_are_what_would_be_written_anew(values: dict[str, object]) -> None:
    body = msgspec.json.encode(values)
    with patch.object(pieces, "LONG_BYTES", 20):
        written = object_of(raw_fields(body, ""), len(body))
    assert bytes(written) == b"".join(parts_of(written)) == body
    assert len(written) == len(bytes(written))


def test_long_values_are_sent_from_where_they_lie() -> None:
    body = json.dumps({"model": "m", "messages": [LONG], "max_tokens": 5, "tools": [LONG], "stream": False}).encode()
    for dialect in (MESSAGES, CHAT):
        written = dialect.write(dialect.read(body), "other")
        assert isinstance(written, Pieces)
        views = [part for part in written.parts if isinstance(part, memoryview)]
        assert [bytes(view) for view in views] == [json.dumps([LONG]).encode()] * 2
        assert sum(len(part) for part in written.parts if isinstance(part, bytes)) < 100
        assert bytes(written) == body.replace(b": ", b":").replace(b", ", b",").replace(b'"m"', b'"other"')


def test_of_a_name_that_comes_twice_only_the_checked_value_is_sent() -> None:
    body = b'{"model":"m","messages":["%b"],"messages":[1],"mod\\u0065l":"n","max_tokens":5}' % (b"x" * LONG_BYTES)
    written = MESSAGES.write(MESSAGES.read(body), "o")
    assert bytes(written) == b'{"model":"o","messages":[1],"max_tokens":5}'


def test_object_without_fields_is_one_all_the_same() -> None:
    assert object_of(raw_fields(b"{%b}" % (b" " * LONG_BYTES), ""), LONG_BYTES) == b"{}"
