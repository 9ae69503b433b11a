"""Plays the model well enough for a coding agent to finish a task that writes one file."""

import re
from typing import Any

from tests.fakes.messages import Json

CONTENT = "hello from tallygate"
_PATH = re.compile(r"[\w./~-]*\w\.txt\b")


def _texts(message: Json) -> str:
    content = message.get("content", "")
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text", "")) for block in content if block.get("type") == "text")


def _since_assistant(messages: list[Json]) -> list[Json]:
    """The turn to answer: clients may put `system` messages after the user's."""
    roles = [message.get("role") for message in messages]
    last = len(roles) - 1 - roles[::-1].index("assistant") if "assistant" in roles else -1
    return messages[last + 1 :]


def _has_result(message: Json) -> bool:
    content = message.get("content", "")
    return not isinstance(content, str) and any(block.get("type") == "tool_result" for block in content)


def _writes_files(tool: Json) -> bool:
    schema: Any = tool.get("input_schema") or {}
    return {"file_path", "content"} <= set(schema.get("properties") or ())


def _writer(tools: list[Json]) -> str | None:
    fitting = [str(tool["name"]) for tool in tools if _writes_files(tool)]
    return "Write" if "Write" in fitting else next(iter(fitting), None)


def task_blocks(tools: list[Json], messages: list[Json], call_id: str) -> tuple[tuple[Json, ...], str] | None:
    """Blocks and stop reason when the prompt is a file-writing task, None when it is just talk."""
    turn = _since_assistant(messages)
    if any(_has_result(message) for message in turn):
        return ({"type": "text", "text": "Done: the file is written."},), "end_turn"
    name = _writer(tools)
    paths = _PATH.findall("\n".join(_texts(message) for message in turn if message.get("role") == "user"))
    if name is None or not paths:
        return None
    call = {"type": "tool_use", "id": f"toolu_{call_id}", "name": name, "input": {"file_path": paths[-1], "content": CONTENT}}
    return ({"type": "text", "text": "I will write the file."}, call), "tool_use"
