"""Reads a Messages request as far as the demo provider acts on it, and refuses what the real API refuses.

Unknown fields, block types and tools are tolerated: clients send new ones every month.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from .demo_script import ERROR_TYPES

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_OUTPUT_TOKENS = 128_000
MAX_BREAKPOINTS = 4
MIN_THINKING_BUDGET = 1_024
LONGEST_QUESTION = 4_000
WORKING_DIRECTORY = re.compile(r"(?:[Ww]orking [Dd]irectory|cwd)[^\n:=]{0,20}[:=] ?(/[^\s<>\"']{0,500})")

Block = dict[str, Any]


class RefusedError(Exception):
    """The request gets this status and message instead of an answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{ERROR_TYPES[status]}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Turn:
    role: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """A validated request. `body` is the whole of it, for fields that only one reader needs."""

    model: str
    turns: tuple[Turn, ...]
    system: tuple[Block, ...]
    tools: tuple[Block, ...]
    max_tokens: int
    body: Block

    @property
    def stop_sequences(self) -> list[str]:
        return self.body.get("stop_sequences") or []

    @property
    def tool_choice(self) -> Block:
        return self.body.get("tool_choice") or {"type": "auto"}

    @property
    def is_streamed(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def thinks(self) -> bool:
        return _thinking(self.body).get("type") in ("enabled", "adaptive")

    @property
    def hides_thinking(self) -> bool:
        return _thinking(self.body).get("display") == "omitted"

    @property
    def answer_schema(self) -> Block | None:
        """The JSON schema the answer must follow, when the client asked for structured output."""
        config = self.body.get("output_config")
        wanted = config.get("format") if isinstance(config, dict) else None
        schema = wanted.get("schema") if isinstance(wanted, dict) else None
        return schema if isinstance(schema, dict) else None

    @property
    def question(self) -> str:
        """What the person typed last, without the notes that coding agents add around it; its head and tail when it is long."""
        asked = (_shown_text(turn) for turn in reversed(self.turns) if turn.role == "user")
        text = next((shown for shown in asked if shown), "")
        half = LONGEST_QUESTION // 2
        return text if len(text) <= LONGEST_QUESTION else f"{text[:half]}\n{text[-half:]}"

    @property
    def tool_results(self) -> tuple[Block, ...]:
        blocks = next((turn.blocks for turn in reversed(self.turns) if turn.role == "user"), ())
        return tuple(block for block in blocks if block.get("type") == "tool_result")

    @property
    def working_directory(self) -> str:
        """The folder that a coding agent names in its instructions; its file tools want absolute paths."""
        notes = [*self.system, *(block for turn in self.turns for block in turn.blocks if turn.role != "assistant")]
        found = (WORKING_DIRECTORY.search(text_of(note)) for note in notes)
        return next((match[1] for match in found if match), "")


def read_json(body: bytes) -> Block:
    if len(body) > MAX_BODY_BYTES:
        raise RefusedError(413, f"Request exceeds the maximum size of {MAX_BODY_BYTES} bytes")
    try:
        decoded = msgspec.json.decode(body)
    except ValueError as error:
        raise RefusedError(400, f"The request body is not valid JSON: {error}") from error
    checked: Block = _expect(decoded, dict, "", "an object")
    return checked


def read_model(body: Block) -> str:
    model: str = _expect(_required(body, "model"), str, "model", "a valid string")
    if not model:
        raise RefusedError(400, "model: String should have at least 1 character")
    return model


def read_ask(body: Block, *, counting: bool = False) -> Ask:
    """Counting tokens needs no `max_tokens`."""
    max_tokens = 0 if counting else _max_tokens(body)
    _check_options(body)
    ask = Ask(read_model(body), _turns(body), _blocks(body.get("system") or [], "system"), _tools(body), max_tokens, body)
    _check_tool_choice(ask)
    _check_thinking(ask, counting=counting)
    _check_breakpoints(ask)
    return ask


def text_of(block: Block) -> str:
    text = block.get("text") if block.get("type") == "text" else None
    return text if isinstance(text, str) else ""


def _expect(value: Any, kind: type, where: str, wanted: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RefusedError(400, f"{where}: Input should be {wanted}".removeprefix(": "))
    return value


def _required(body: Block, name: str, where: str = "") -> Any:
    if name not in body:
        raise RefusedError(400, f"{where}{name}: Field required")
    return body[name]


def _max_tokens(body: Block) -> int:
    value: int = _expect(_required(body, "max_tokens"), int, "max_tokens", "a valid integer")
    if value < 0:
        raise RefusedError(400, "max_tokens: Input should be greater than or equal to 0")
    if value > MAX_OUTPUT_TOKENS:
        limit = f"{MAX_OUTPUT_TOKENS}, which is the maximum allowed number of output tokens for {body.get('model')}"
        raise RefusedError(400, f"max_tokens: {value} > {limit}")
    return value


def _check_options(body: Block) -> None:
    if "stream" in body:
        _expect(body["stream"], bool, "stream", "a valid boolean")
    for name in ("tool_choice", "thinking"):
        if body.get(name) is not None:
            _expect(body[name], dict, name, "an object")
    for index, sequence in enumerate(_expect(body.get("stop_sequences") or [], list, "stop_sequences", "a valid list")):
        if not _expect(sequence, str, f"stop_sequences.{index}", "a valid string").strip():
            raise RefusedError(400, "stop_sequences: each stop sequence must contain non-whitespace")


def _turns(body: Block) -> tuple[Turn, ...]:
    messages = _expect(_required(body, "messages"), list, "messages", "a valid list")
    if not messages:
        raise RefusedError(400, "messages: at least one message is required")
    return tuple(_turn(message, f"messages.{index}") for index, message in enumerate(messages))


def _turn(message: Any, where: str) -> Turn:
    _expect(message, dict, where, "an object")
    role = _required(message, "role", f"{where}.")
    if role not in ("user", "assistant", "system"):
        raise RefusedError(400, f"{where}.role: Input should be 'user', 'assistant' or 'system'")
    return Turn(role, _blocks(_required(message, "content", f"{where}."), f"{where}.content"))


def _blocks(content: Any, where: str) -> tuple[Block, ...]:
    if isinstance(content, str):
        return ({"type": "text", "text": content},)
    blocks = _expect(content, list, where, "a valid string or list")
    return tuple(_block(block, f"{where}.{index}") for index, block in enumerate(blocks))


def _block(block: Any, where: str) -> Block:
    checked: Block = _expect(block, dict, where, "an object")
    kind = _expect(_required(checked, "type", f"{where}."), str, f"{where}.type", "a valid string")
    if kind == "text":
        _expect(_required(checked, "text", f"{where}.text."), str, f"{where}.text.text", "a valid string")
    if kind == "tool_result":
        _expect(_required(checked, "tool_use_id", f"{where}.tool_result."), str, f"{where}.tool_result.tool_use_id", "a valid string")
    return checked


def _tools(body: Block) -> tuple[Block, ...]:
    tools = _expect(body.get("tools") or [], list, "tools", "a valid list")
    for index, tool in enumerate(tools):
        _expect(tool, dict, f"tools.{index}", "an object")
        _expect(tool.get("name", ""), str, f"tools.{index}.name", "a valid string")
    return tuple(tools)


def _check_tool_choice(ask: Ask) -> None:
    kind, name = ask.tool_choice.get("type"), ask.tool_choice.get("name")
    if kind not in ("auto", "any", "tool", "none"):
        raise RefusedError(400, "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    if kind in ("any", "tool") and not ask.tools:
        raise RefusedError(400, "tool_choice may only be specified while providing tools")
    if kind == "tool" and not any(name and tool.get("name") == name for tool in ask.tools):
        raise RefusedError(400, f"tool_choice: Tool '{name}' not found in provided tools")


def _check_thinking(ask: Ask, *, counting: bool) -> None:
    thinking = _thinking(ask.body)
    if thinking.get("type") != "enabled":
        return
    budget = _required(thinking, "budget_tokens", "thinking.enabled.")
    _expect(budget, int, "thinking.enabled.budget_tokens", "a valid integer")
    if budget < MIN_THINKING_BUDGET:
        raise RefusedError(400, f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MIN_THINKING_BUDGET}")
    if budget >= ask.max_tokens and not counting:
        raise RefusedError(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_breakpoints(ask: Ask) -> None:
    found = sum(1 for block in _all_blocks(ask) if block.get("cache_control"))
    if found > MAX_BREAKPOINTS:
        raise RefusedError(400, f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {found}.")


def _all_blocks(ask: Ask) -> Iterator[Block]:
    yield from ask.tools
    yield from ask.system
    for turn in ask.turns:
        yield from turn.blocks


def _thinking(body: Block) -> Block:
    return body.get("thinking") or {}


def _shown_text(turn: Turn) -> str:
    texts = (_without_reminders(text_of(block)) for block in turn.blocks)
    return "\n".join(text for text in texts if text)


def _without_reminders(text: str) -> str:
    pieces = text.split("</system-reminder>")
    return "".join(piece.partition("<system-reminder>")[0] for piece in pieces).strip()
