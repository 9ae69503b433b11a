"""Thinking is taken out of a conversation that changes account, and nothing else is touched."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dialects.thinking import count_turns, is_bound, strip

quick = settings(derandomize=True, deadline=None, database=None, max_examples=200)
ALL = 1000

THOUGHT = '{"type":"thinking","thinking":"Hm  \\u00fc","signature":"c2ln"}'
HIDDEN = '{ "type" : "redacted_thinking", "data":"eA==" }'
SAID = '{"type": "text",  "text":"1.50 \\u00fc"}'
TOOL = '{"type":"tool_use","id":"t1","name":"Read","input":{"n":1.00,"type":"thinking"}}'
USER = '{"role":"user","content":"Hello  thinking"}'


def assistant(*blocks: str) -> str:
    return f'{{"role":"assistant","content":[{",".join(blocks)}]}}'


def stripped(*turns: str, before: int = ALL) -> str:
    return bytes(strip(msgspec.Raw(f"[{','.join(turns)}]".encode()), before)).decode()


def test_thinking_goes_and_everything_else_keeps_its_bytes() -> None:
    kept = stripped(USER, assistant(THOUGHT, HIDDEN, SAID, TOOL), USER)
    assert kept == f"[{USER},{assistant(SAID, TOOL)},{USER}]"


def test_turn_of_nothing_but_thinking_goes_as_a_whole() -> None:
    assert stripped(USER, assistant(THOUGHT), USER) == f"[{USER},{USER}]"


def test_later_turns_keep_their_thinking() -> None:
    late = assistant(THOUGHT, SAID)
    assert stripped(USER, assistant(THOUGHT, SAID), USER, late, before=2) == f"[{USER},{assistant(SAID)},{USER},{late}]"


@pytest.mark.parametrize(
    "turn",
    [
        USER,
        f'{{"role":"user","content":[{THOUGHT},{SAID}]}}',
        '{"role":"assistant","content":"thinking aloud"}',
        assistant(SAID, TOOL),
        '{"role":"assistant","content":[]}',
        '{"role":"assistant","content":[{"type":7,"thinking":1}]}',
        '{"role":"assistant","thinking":"no content"}',
        '{"role":5,"content":"thinking"}',
        '"thinking"',
    ],
)
def test_what_is_no_assistants_thinking_stays_as_it_came(turn: str) -> None:
    assert stripped(turn) == f"[{turn}]"


@pytest.mark.parametrize("messages", [b'{"thinking": 1}', b'"thinking"', b"null", b"[" * 5000])
def test_what_cannot_be_read_stays_as_it_came(messages: bytes) -> None:
    assert bytes(strip(msgspec.Raw(messages), ALL)) == messages
    assert count_turns(msgspec.Raw(messages)) == 0


def test_other_fields_of_a_turn_stay_in_their_place() -> None:
    turn = f'{{"x":1.0,"role":"assistant","content":[{THOUGHT},{SAID}],"cache_control":{{ "a":1 }}}}'
    assert stripped(turn) == f'[{{"x":1.0,"role":"assistant","content":[{SAID}],"cache_control":{{ "a":1 }}}}]'


THOUGHTFUL = f"[{assistant(THOUGHT, SAID)}]".encode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"messages": THOUGHTFUL}, True),
        ({"messages": THOUGHTFUL, "thinking": b'{"type":"adaptive"}'}, True),
        ({"messages": THOUGHTFUL, "thinking": b'{"type":"enabled","budget_tokens":2000}'}, False),
        ({"messages": THOUGHTFUL, "thinking": b"5"}, True),
        ({"messages": b'[{"role":"user","content":"Hello"}]'}, False),
        ({}, False),
    ],
)
def test_only_thinking_without_a_budget_is_bound(fields: dict[str, bytes], expected: bool) -> None:
    assert is_bound({name: msgspec.Raw(value) for name, value in fields.items()}) is expected


blocks = st.sampled_from([THOUGHT, HIDDEN, SAID, TOOL])
turns = st.lists(st.one_of(st.just(USER), st.lists(blocks, max_size=4).map(lambda found: assistant(*found))), max_size=6)


def without_thinking(turn: Any) -> Any:
    """Said again in another way, as the oracle."""
    if turn["role"] != "assistant" or not any("thinking" in block["type"] for block in turn["content"]):
        return turn
    kept = [block for block in turn["content"] if "thinking" not in block["type"]]
    return {**turn, "content": kept} if kept else None


@quick
@given(turns, st.integers(0, 7))
def test_what_is_left_is_what_was_there_without_thinking(written: list[str], before: int) -> None:
    told = json.loads(f"[{','.join(written)}]")
    expected = [*filter(None, map(without_thinking, told[:before])), *told[before:]]
    text = stripped(*written, before=before)
    assert json.loads(text) == expected
    assert stripped(*written, before=0) == f"[{','.join(written)}]"
    again = bytes(strip(msgspec.Raw(text.encode()), before)).decode()
    assert json.loads(again)[: len(json.loads(text)) - len(told[before:])] == expected[: len(expected) - len(told[before:])]


@quick
@given(turns)
def test_stripping_twice_changes_nothing_more(written: list[str]) -> None:
    once = stripped(*written)
    assert bytes(strip(msgspec.Raw(once.encode()), ALL)).decode() == once
