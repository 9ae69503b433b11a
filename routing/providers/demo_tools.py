"""Decides whether the demo provider calls one of the client's tools, and with which arguments.

It only ever writes the file that the question names, and only runs commands that change nothing: whoever tries the
gateway with a coding agent may have switched its permission questions off.
"""

import re
from dataclasses import dataclass
from typing import Any

from . import demo_text
from .demo_request import Ask, Block
from .demo_schema import example

FILE_NAME = r"[A-Za-z0-9_./~-]{0,120}[A-Za-z0-9_]\.[A-Za-z][A-Za-z0-9]{0,7}"
TARGETS = (
    re.compile(rf"\b(?:to|into|in|as|called|named|file|datei|nach|namens|als)\s+[`'\"]?({FILE_NAME})", re.I),
    re.compile(
        rf"\b(?:write|create|save|make|erstell\w*|speicher\w*)\s+(?:(?:a|an|the|new|empty|file)\s+){{0,3}}[`'\"]?({FILE_NAME})", re.I
    ),
    re.compile(rf"({FILE_NAME})[`」]?\s*(?:に|へ|という|を作)"),
)
WRITE_VERB = re.compile(r"\b(?:write|create|save|make|put|add|schreib\w*|erstell\w*|speicher\w*|leg\w*)\b|書|作成|作っ|保存", re.I)
FILE_WORD = re.compile(r"\b(?:file|datei)\b|ファイル", re.I)
QUOTED = re.compile(r"\"([^\"]{1,2000})\"|“([^”]{1,2000})”|「([^」]{1,2000})」|`([^`]{1,2000})`|(?<!\w)'([^']{1,2000})'(?!\w)")
UNQUOTED = (
    re.compile(rf"\b(?:write|put|save|add|schreib\w*|speicher\w*)\s+(.{{1,200}}?)\s+(?:to|into|in|as|nach)\s+[`'\"]?{FILE_NAME}", re.I),
    re.compile(rf"{FILE_NAME}[`」]?\s*(?:に|へ)\s*(.{{1,200}}?)\s*(?:と|を)\s*(?:書|保存)"),
)
INTRODUCED = re.compile(r"(?:the|das|den|die)\s+(?:words?|text|line|string|wort|satz|zeile)\s+", re.I)
DESCRIBED = re.compile(r"(?:an?|the|some|eine?n?|die|das|den)\s", re.I)
RUN_VERB = re.compile(r"\b(?:run|execute|führe?)\b|実行", re.I)
RUN_WHAT = re.compile(r"\b(?:run|execute|führe?)\s+([^\n`.,;?!]{1,80}?)(?=\s+(?:and|then|please|to|und|bitte|aus)\b|[\n`.,;?!]|$)", re.I)
RUN_NOUN = re.compile(r"\b(?:command|tests?|script|build|befehl|shell|bash)\b|コマンド|テスト", re.I)
LIST_FILES = re.compile(
    r"\b(?:list|show|ls|liste|zeige?)\b.{0,40}\b(?:files?|folders?|director\w+|dateien|ordner|verzeichnis)\b|ファイル.{0,10}一覧", re.I
)
HARMLESS = re.compile(r"pwd|whoami|date|git status|(?:ls|echo|uname)(?: [\w ./=:+-]{1,80})?")
LOOK_AROUND = "ls -la"

PATH_NAMES = ("file_path", "path", "filename", "file", "target_file")
CONTENT_NAMES = ("content", "contents", "file_text", "text")
SHELL_NAMES = ("bash", "shell", "terminal", "run_command", "execute_command", "run_shell_command")
LOOKUP_VERBS = ("get", "search", "find", "lookup", "fetch", "check")
PLACE_NAMES = ("city", "location", "place")
# These tools carry no schema in the request: their type says it.
TYPED_TOOLS: dict[str, Block] = {
    "bash_": {"properties": {"command": {"type": "string"}}},
    "text_editor_": {
        "properties": {"command": {"const": "create"}, "path": {"type": "string"}, "file_text": {"type": "string"}},
        "required": ["command", "path", "file_text"],
    },
}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`doing` is "write", "shell" or "other"; `subject` the file, command or tool name to mention."""

    name: str
    arguments: Block
    doing: str
    subject: str


def choose_call(ask: Ask) -> ToolCall | None:
    kind = ask.tool_choice.get("type")
    is_forced = kind in ("any", "tool")
    tools = [tool for tool in ask.tools if _is_callable(tool)]
    if kind == "tool":
        tools = [tool for tool in tools if tool["name"] == ask.tool_choice["name"]]
    if not tools or kind == "none" or (ask.tool_results and not is_forced):
        return None
    fitting = _write(ask, tools) or _shell(ask, tools) or _lookup(ask, tools)
    return fitting or (_call(tools[0], {}, ask) if is_forced else None)


def _is_callable(tool: Block) -> bool:
    """Server tools run at the provider and are not the client's to answer."""
    return bool(tool.get("name")) and bool(_schema(tool) or tool.get("type") in (None, "custom"))


def _schema(tool: Block) -> Block:
    given = tool.get("input_schema")
    if isinstance(given, dict):
        return given
    kind = tool.get("type")
    return next((schema for prefix, schema in TYPED_TOOLS.items() if isinstance(kind, str) and kind.startswith(prefix)), {})


def _properties(tool: Block) -> Block:
    properties = _schema(tool).get("properties")
    return properties if isinstance(properties, dict) else {}


def _first_name(tool: Block, names: tuple[str, ...]) -> str:
    return next((name for name in names if name in _properties(tool)), "")


def _write(ask: Ask, tools: list[Block]) -> ToolCall | None:
    question = ask.question
    tool = next((tool for tool in tools if _first_name(tool, PATH_NAMES) and _first_name(tool, CONTENT_NAMES)), None)
    target = _target(question) if tool and WRITE_VERB.search(question) else ""
    if not tool or not target:
        return None
    folder = ask.working_directory
    path = target if target[0] in "/~" or not folder else f"{folder.rstrip('/')}/{target.removeprefix('./')}"
    known = {_first_name(tool, PATH_NAMES): path, _first_name(tool, CONTENT_NAMES): _content(question, target)}
    return _call(tool, known, ask, ("write", target))


def _target(question: str) -> str:
    named = next((match[1] for pattern in TARGETS if (match := pattern.search(question))), "")
    return named or ("demo.txt" if FILE_WORD.search(question) else "")


def _content(question: str, target: str) -> str:
    quoted = [text for text in _quoted(question) if text != target]
    phrase = INTRODUCED.sub("", next((match[1] for pattern in UNQUOTED if (match := pattern.search(question))), ""), count=1)
    if quoted:
        return quoted[0]
    if phrase and not DESCRIBED.match(phrase):
        return phrase
    return demo_text.file_content(target, phrase or question)


def _quoted(question: str) -> list[str]:
    return ["".join(group or "" for group in match.groups()) for match in QUOTED.finditer(question)]


def _shell(ask: Ask, tools: list[Block]) -> ToolCall | None:
    tool = next((tool for tool in tools if str(tool.get("name")).lower() in SHELL_NAMES and "command" in _properties(tool)), None)
    command = _command(ask.question) if tool else ""
    return _call(tool, {"command": command}, ask, ("shell", command)) if tool and command else None


def _command(question: str) -> str:
    if LIST_FILES.search(question):
        return LOOK_AROUND
    if not RUN_VERB.search(question):
        return ""
    candidates = [*_quoted(question), *(match[1].strip() for match in RUN_WHAT.finditer(question))]
    harmless = next((text for text in candidates if HARMLESS.fullmatch(text)), "")
    return harmless or (LOOK_AROUND if RUN_NOUN.search(question) else "")


def _lookup(ask: Ask, tools: list[Block]) -> ToolCall | None:
    """`get_weather` fits a question with the word weather in it."""
    words = set(re.findall(r"\w+", ask.question.lower()))
    for tool in tools:
        verb, *nouns = str(tool["name"]).lower().split("_")
        if verb in LOOKUP_VERBS and nouns and words.issuperset(nouns):
            return _call(tool, _place(ask.question, tool), ask)
    return None


def _place(question: str, tool: Block) -> dict[str, str]:
    name, match = _first_name(tool, PLACE_NAMES), re.search(r"\bin ([A-ZÄÖÜ]\w+)", question)
    return {name: match[1]} if name and match else {}


def _call(tool: Block, known: dict[str, str], ask: Ask, mention: tuple[str, str] = ("other", "")) -> ToolCall:
    schema = _schema(tool)
    filled: Any = example(schema | {"type": "object"}, ask.question)
    name = str(tool["name"])
    arguments: Block = filled if isinstance(filled, dict) else {}
    return ToolCall(name, arguments | known, mention[0], mention[1] or name)
