"""A Messages call as a Converse body: the fields of the call; content is said by messages_to_converse_content.py.

Pure, and the same call always gives the same bytes: caches and signed thinking live on an unchanged prefix. What Converse has no words for
either raises Unsayable or is left out and listed in `Converse.lost`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from routing.dialects.base import UNREADABLE, BadBody
from routing.translation.converse_parts import Parts, Unsayable, as_list, as_text, tool_name
from routing.translation.messages_to_converse_content import Content, Said

# Said elsewhere (path, headers), or means what Bedrock does anyway.
QUIET = ("model", "stream", "service_tier", "anthropic_version", "betas")
# Without these the answer would be another one than was asked for.
ESSENTIAL = ("container", "mcp_servers", "thread", "compaction")
DISPENSABLE = ("fallbacks", "fallback_credit_token", "billing_policy", "diagnostics")
CLAUDES_OWN = ("thinking", "top_k", "context_management")
CLIENT_TOOLS = ("bash_", "text_editor_", "memory_", "computer_", "browser_toolset_")
# Nothing to search for: there is no loading later here, so every tool is declared from the start
TOOL_SEARCH = "tool_search_tool_"
OF_CONTEXT_MANAGEMENT = ("context-management-", "compact-")
METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,\-.]{0,256}")
ANYWHERE = frozenset({"", "global", "not_available"})

_encoder = msgspec.json.Encoder()
_strings = msgspec.json.Decoder(dict[str, str])
_betas = msgspec.json.Decoder(list[str])
_integer = msgspec.json.Decoder(int)


@dataclass(frozen=True, slots=True)
class Converse:
    """`lost` names what was left out, in a stable order."""

    body: bytes
    lost: tuple[str, ...]


def is_claude(model: str) -> bool:
    """Whether a Bedrock model id is of a Claude. An ARN does not tell; who aims Messages at one most likely means a Claude."""
    return "claude" in model or model.startswith("arn:")


def translate(fields: Mapping[str, msgspec.Raw], model: str, betas: Sequence[str] = ()) -> Converse:
    """`fields` are the top level of a Messages body; `betas` those of the caller's that may go to Bedrock."""
    call = Parts.of(dict(fields), "call")
    content = Content(is_claude=is_claude(model))
    extra: Said = {}
    system = content.system(call.raw("system"))
    messages = content.messages(call.raw("messages"))
    mark = call.raw("cache_control")
    if mark is not None:
        content.mark_end(messages, mark)
    body: Said = {
        "messages": messages,
        "system": system,
        "inferenceConfig": _inference(call),
        "toolConfig": _tools(call, content, extra),
        "outputConfig": _output(call, content, extra),
        "requestMetadata": _metadata(call, content),
    }
    if content.is_claude and "stopSequences" in body["inferenceConfig"]:
        body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]
    _rest(call, content, extra, [*betas, *_own_betas(call)])
    body["additionalModelRequestFields"] = extra
    return Converse(_encoder.encode({name: value for name, value in body.items() if value}), tuple(content.lost))


def tool_names(fields: Mapping[str, msgspec.Raw]) -> dict[str, str]:
    """Name in Converse → name in the call, of those tools whose name Converse does not take. What is malformed `translate` refuses."""
    try:
        tools = Parts.of(dict(fields), "call").raw("tools")
        names = [Parts(tool, "tools").text("name") for tool in as_list(tools, "tools")] if tools is not None else []
    except BadBody:
        return {}
    return {tool_name(name): name for name in names if tool_name(name) != name}


def _inference(call: Parts) -> Said:
    said: Said = {}
    for name, there in (
        ("max_tokens", "maxTokens"),
        ("temperature", "temperature"),
        ("top_p", "topP"),
        ("stop_sequences", "stopSequences"),
    ):
        value = call.raw(name)
        if value is not None:
            said[there] = value
    if "maxTokens" in said and _number(said["maxTokens"]) < 1:
        raise Unsayable("max_tokens: Converse cannot fill a cache without making an answer")
    return said


def _number(raw: msgspec.Raw) -> int:
    try:
        return _integer.decode(raw)
    except UNREADABLE:
        raise BadBody("max_tokens: Input should be a valid integer") from None


# ── tools


def _tools(call: Parts, content: Content, extra: Said) -> Said:
    raw, choice = call.raw("tools"), call.raw("tool_choice")
    typed: list[msgspec.Raw] = []
    said: list[Said] = []
    for number, one in enumerate(as_list(raw, "tools") if raw is not None else ()):
        tool = Parts(one, f"tools.{number}")
        kind = tool.text("type")
        if kind in {"", "custom"}:
            said += _tool(tool, content)
        elif kind.startswith(TOOL_SEARCH):
            content.lose("tools.tool_search")
        elif content.is_claude and kind.startswith(CLIENT_TOOLS):
            typed.append(one)
            content.called.pop(tool.text("name"), None)
        else:
            raise Unsayable(f"{tool.place}: a tool of type {kind[:60]} cannot be used with this model through Converse")
    if typed:
        extra["tools"] = typed
    if not said and content.has_tool_blocks:
        said = _remembered(content)
    return _with_choice(said, Parts(choice, "tool_choice"), content, extra) if choice is not None else {"tools": said} if said else {}


def _tool(tool: Parts, content: Content) -> list[Said]:
    said: Said = {"name": tool_name(as_text(tool.need("name"), tool.place))}
    description = tool.raw("description")
    if description is not None and as_text(description, tool.place):
        said["description"] = description
    said["inputSchema"] = {"json": tool.need("input_schema")}
    strict = tool.raw("strict")
    if strict is not None:
        said["strict"] = strict
    mark = content.cache_point(tool.raw("cache_control"), tool.place)
    for name, _ in tool.rest():
        content.lose(f"tools.{name}")
    return [{"toolSpec": said}, *mark]


def _remembered(content: Content) -> list[Said]:
    """Converse refuses a conversation with tool calls in it where no tool is declared."""
    content.lose("tools")
    return [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in content.called or ("unused",)]


def _with_choice(tools: list[Said], choice: Parts, content: Content, extra: Said) -> Said:
    kind = choice.text("type")
    if kind == "none":
        return _without_tools(tools, content, extra)
    if kind not in {"auto", "any", "tool"}:
        raise BadBody("tool_choice.type: one of auto, any, tool and none is needed")
    chosen: Said = {"tool": {"name": tool_name(choice.text("name"))}} if kind == "tool" else {kind: {}}
    if choice.flag("disable_parallel_tool_use"):
        if not content.is_claude:
            content.lose("tool_choice.disable_parallel_tool_use")
        elif tools or "tools" in extra:
            # Bedrock merges this with toolConfig, and takes no leaf from both. Claude wants the type beside it, so one of them says it
            extra["tool_choice"] = {"disable_parallel_tool_use": True}
            if kind == "auto":
                extra["tool_choice"]["type"], chosen = kind, {}
    said = {"tools": tools, "toolChoice": chosen}
    return {name: value for name, value in said.items() if value} if tools else {}


def _without_tools(tools: list[Said], content: Content, extra: Said) -> Said:
    """No tool may be called. Converse can say so only by declaring none, which it refuses where tools were called before."""
    if not content.has_tool_blocks:
        extra.pop("tools", None)
        return {}
    content.lose("tool_choice.none")
    return {"tools": tools}


# ── the other fields


def _output(call: Parts, content: Content, extra: Said) -> Said:
    """The format has words of its own; the depth of thinking is Claude's matter."""
    output_format = call.raw("output_format")
    raw = call.raw("output_config")
    if raw is not None:
        output = Parts(raw, "output_config")
        output_format = output.raw("format") or output_format
        rest = dict(output.rest())
        if rest and content.is_claude:
            extra["output_config"] = rest
        for name in () if content.is_claude else rest:
            content.lose(f"output_config.{name}")
    return _format(Parts(output_format, "output_config.format")) if output_format is not None else {}


def _format(asked: Parts) -> Said:
    if asked.text("type") != "json_schema":
        raise Unsayable("output_config.format: Converse knows json_schema only")
    schema: Said = {"schema": bytes(asked.need("schema")).decode()}
    for name in ("name", "description"):
        value = asked.raw(name)
        if value is not None:
            schema[name] = value
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def _metadata(call: Parts, content: Content) -> dict[str, str]:
    """Bedrock keeps it with its logs, where its rules for names and values allow it."""
    raw = call.raw("metadata")
    if raw is None:
        return {}
    try:
        said = _strings.decode(raw)
    except UNREADABLE:
        said = {}
    if said and len(said) <= 16 and all(name and METADATA.fullmatch(name) and METADATA.fullmatch(value) for name, value in said.items()):
        return said
    content.lose("metadata")
    return {}


def _own_betas(call: Parts) -> list[str]:
    raw = call.raw("anthropic_beta")
    if raw is None:
        return []
    try:
        return _betas.decode(raw)
    except UNREADABLE:
        raise BadBody("anthropic_beta: Input should be a valid list of strings") from None


def _rest(call: Parts, content: Content, extra: Said, betas: list[str]) -> None:
    """What is not Converse's goes on to the model as it came, also what is not known today."""
    for name in ESSENTIAL:
        if call.raw(name) is not None:
            raise Unsayable(f"{name}: Converse has no such thing")
    if call.text("inference_geo") not in ANYWHERE:
        raise Unsayable("inference_geo: on Bedrock the region of the deployment says where an answer is made")
    if call.text("speed") not in {"", "standard"}:
        content.lose("speed")
    lost = set(DISPENSABLE) if content.is_claude else {*DISPENSABLE, *CLAUDES_OWN}
    if not any(beta.startswith(OF_CONTEXT_MANAGEMENT) for beta in betas):
        lost.add("context_management")
    for name, value in call.rest():
        if name in lost:
            content.lose(name)
        elif name not in QUIET:
            extra[name] = value
    if betas and content.is_claude:
        extra["anthropic_beta"] = list(dict.fromkeys(betas))
