"""R158: a line of the log is one event, whatever somebody put into it."""

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from gateway_project.logs import LineFormatter

FORGED = 'x\n{"level": "error", "event": "forged"}\r\n\u2028\x1b[31mred\x1b]0;title\x07\x00\ud800'


def line(text: str, *, cause: BaseException | None = None, **fields: object) -> str:
    record = logging.makeLogRecord({"name": "tallygate", "levelno": logging.WARNING, "levelname": "WARNING", "msg": "%s", "args": (text,)})
    record.__dict__["fields"] = fields
    record.exc_info = (type(cause), cause, None) if cause else None
    return LineFormatter().format(record)


@given(st.text() | st.just(FORGED), st.text() | st.just(FORGED))
def test_text_stays_inside_its_string_on_one_line_without_terminal_codes(text: str, field: str) -> None:
    told = line(text, model=field)
    assert told.isascii() and told.isprintable()
    assert (json.loads(told)["event"], json.loads(told)["model"], json.loads(told)["level"]) == (text, field, "warning")


def test_exception_stays_on_the_line() -> None:
    told = line("failed", cause=ValueError(FORGED))
    assert told.isprintable()
    assert json.loads(told)["exception"].endswith(FORGED)


def test_field_of_any_kind_is_told() -> None:
    assert json.loads(line("x", path=sys.path, kind=ValueError))["kind"] == "<class 'ValueError'>"
