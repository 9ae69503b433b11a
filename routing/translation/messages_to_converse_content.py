"""Content of Messages in Converse's words: system, messages and every kind of block that can stand in them.

Nested values that mean the same on both sides (tool input, image data) go on as the bytes that came.
"""

import base64
import itertools
import re
from collections.abc import Callable
from typing import Any

import msgspec

from routing.dialects.base import UNREADABLE, BadBody
from routing.translation.converse_citations import to_converse
from routing.translation.converse_parts import Parts, Unsayable, as_list, as_text, tool_name, tool_use_id

Said = dict[str, Any]

IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
# What a provider's own tools left in a conversation. Their results are told again by the text that follows them.
SERVER_SIDE = frozenset({
    "server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result", "tool_search_tool_result", "mcp_tool_use", "mcp_tool_result", "mcp_tool_listing",
    "advisor_tool_result", "fallback",
})  # fmt: skip
ROLES = frozenset({"user", "assistant", "system"})
BILLING_NOTE = "x-anthropic-billing-header:"
# Converse refuses a tool result without content, and a document in a message without text.
NO_OUTPUT = "(no output)"
SEE_DOCUMENT = "(see the document)"
NAME_LENGTH = 200

_citations = msgspec.json.Decoder(list[dict[str, Any]])


class Content:
    """Says a conversation. Remembers what was lost on the way, which tools it called, and the names of its documents."""

    def __init__(self, *, is_claude: bool) -> None:
        self.is_claude = is_claude
        self.lost: dict[str, None] = {}
        self.called: dict[str, None] = {}
        self.has_tool_blocks = False
        self._document_names: set[str] = set()
        self._sayers: dict[str, Callable[[Parts], list[Said]]] = {
            "text": self._text,
            "image": self._image,
            "document": self._document,
            "search_result": self._search_result,
            "thinking": self._thinking,
            "redacted_thinking": self._redacted_thinking,
            "tool_use": self._tool_use,
            "tool_result": self._tool_result,
            "tool_reference": self._tool_reference,
        }

    def lose(self, what: str) -> None:
        self.lost[what] = None

    # ── the conversation
    def system(self, raw: msgspec.Raw | None) -> list[Said]:
        if raw is None:
            return []
        said = self._blocks(raw, "system", frozenset({"text"}))
        if self.is_claude:
            return said
        # Claude Code's note to Anthropic's billing means nothing to other models, and spoils their caches
        return [block for block in said if not as_text(block["text"], "system").startswith(BILLING_NOTE)]

    def messages(self, raw: msgspec.Raw | None) -> list[Said]:
        """Turns of one role that follow each other become one: Converse wants the roles to alternate."""
        if raw is None:
            raise BadBody("messages: Field required")
        said: list[Said] = []
        for number, one in enumerate(as_list(raw, "messages")):
            message = Parts(one, f"messages.{number}")
            role = message.text("role")
            if role not in ROLES:
                raise BadBody(f"{message.place}.role: one of user, assistant and system is needed")
            content = self._blocks(message.need("content"), f"{message.place}.content")
            if role == "system" and not self.is_claude:
                role, content = "user", [_reminder(block) for block in content]
                self.lose("messages.system")
            if said and said[-1]["role"] == role:
                said[-1]["content"] += content
            elif content:
                said.append({"role": role, "content": content})
        for message_said in said:
            _introduce_documents(message_said["content"])
        return said

    def mark_end(self, messages: list[Said], raw: msgspec.Raw) -> None:
        """The cache mark that stands for "as far as can be": after the last block."""
        point = self.cache_point(raw, "cache_control")
        if messages and "cachePoint" not in messages[-1]["content"][-1]:
            messages[-1]["content"] += point

    def cache_point(self, raw: msgspec.Raw | None, place: str) -> list[Said]:
        if raw is None:
            return []
        if not self.is_claude:
            self.lose("cache_control")
            return []
        ttl = Parts(raw, place).text("ttl")
        return [{"cachePoint": {"type": "default", "ttl": ttl} if ttl else {"type": "default"}}]

    # ── blocks
    def _blocks(self, raw: msgspec.Raw, place: str, allowed: frozenset[str] | None = None) -> list[Said]:
        if bytes(memoryview(raw)[:1]) == b'"':
            return [{"text": raw}] if as_text(raw, place).strip() else []
        blocks = (Parts(one, f"{place}.{number}") for number, one in enumerate(as_list(raw, place)))
        return list(itertools.chain.from_iterable(self._block(block, allowed) for block in blocks))

    def _block(self, block: Parts, allowed: frozenset[str] | None) -> list[Said]:
        kind = block.text("type")
        if kind in SERVER_SIDE:
            self.lose(kind)
            return []
        sayer = self._sayers.get(kind)
        if sayer is None or (allowed is not None and kind not in allowed):
            raise Unsayable(f"{block.place}: a block of type {kind[:60]} cannot be sent to this model through Converse")
        mark = block.raw("cache_control")
        said = sayer(block)
        for name, _ in block.rest():
            self.lose(f"{kind}.{name}")
        return said + self.cache_point(mark, block.place) if said else []

    def _text(self, block: Parts) -> list[Said]:
        text, citations = block.need("text"), block.raw("citations")
        if not as_text(text, block.place).strip():
            return []
        cited = _cited(citations, block.place)
        if not cited:
            return [{"text": text}]
        return [{"citationsContent": {"content": [{"text": text}], "citations": cited}}]

    def _image(self, block: Parts) -> list[Said]:
        source = block.parts("source")
        image_format = IMAGES.get(source.text("media_type"))
        if source.text("type") != "base64" or image_format is None:
            raise Unsayable(f"{block.place}: Converse takes images as base64 of png, jpeg, gif or webp only")
        return [{"image": {"format": image_format, "source": {"bytes": source.need("data")}}}]

    def _document(self, block: Parts) -> list[Said]:
        source = block.parts("source")
        kind, media = source.text("type"), source.text("media_type")
        said: Said = {"format": "txt", "name": self._document_name(block.text("title"))}
        if kind == "base64" and media == "application/pdf":
            said |= {"format": "pdf", "source": {"bytes": source.need("data")}}
        elif kind == "text":
            said["source"] = {"text": source.need("data")}
        elif kind == "content":
            said["source"] = {"content": self._blocks(source.need("content"), source.place, frozenset({"text"}))}
        else:
            raise Unsayable(f"{block.place}: Converse takes documents as base64 of a PDF, or as text, only")
        for name in ("context", "citations"):
            value = block.raw(name)
            if value is not None:
                said[name] = value
        return [{"document": said}]

    def _document_name(self, title: str) -> str:
        """Names take few characters and must differ over the whole conversation; the same conversation gives the same names."""
        name = re.sub(r"\s+", " ", re.sub(r"[^a-zA-Z0-9\s\-()\[\]]", " ", title)).strip()[: NAME_LENGTH - 6].strip() or "document"
        if title and name != title:
            self.lose("document.title")
        numbered = (f"{name} {number}" for number in itertools.count(2))
        unique = next(one for one in itertools.chain([name], numbered) if one not in self._document_names)
        self._document_names.add(unique)
        return unique

    def _search_result(self, block: Parts) -> list[Said]:
        said: Said = {"source": block.need("source"), "title": block.need("title")}
        said["content"] = self._blocks(block.need("content"), block.place, frozenset({"text"}))
        citations = block.raw("citations")
        if citations is not None:
            said["citations"] = citations
        return [{"searchResult": said}]

    def _thinking(self, block: Parts) -> list[Said]:
        said: Said = {"text": block.need("thinking")}
        signature = block.raw("signature")
        if signature is not None and as_text(signature, block.place):
            said["signature"] = signature
        return self._reasoning({"reasoningText": said})

    def _redacted_thinking(self, block: Parts) -> list[Said]:
        return self._reasoning({"redactedContent": base64.b64encode(block.text("data").encode()).decode()})

    def _reasoning(self, said: Said) -> list[Said]:
        """Signed for the family of models that thought it; another family would refuse it."""
        if not self.is_claude:
            self.lose("thinking")
            return []
        return [{"reasoningContent": said}]

    def _tool_use(self, block: Parts) -> list[Said]:
        self.has_tool_blocks = True
        name = tool_name(block.text("name"))
        self.called[name] = None
        if "caller" in block.fields and Parts(block.fields["caller"], block.place).text("type") == "direct":
            del block.fields["caller"]
        return [{"toolUse": {"toolUseId": tool_use_id(block.text("id")), "name": name, "input": block.need("input")}}]

    def _tool_result(self, block: Parts) -> list[Said]:
        self.has_tool_blocks = True
        said: Said = {"toolUseId": tool_use_id(block.text("tool_use_id"))}
        raw = block.raw("content")
        inner = [] if raw is None else self._blocks(raw, block.place, IN_RESULTS)
        marks = [one for one in inner if "cachePoint" in one][-1:]
        said["content"] = [_plain(one) for one in inner if "cachePoint" not in one] or [{"text": NO_OUTPUT}]
        if block.flag("is_error"):
            said["status"] = "error"
        return [{"toolResult": said}, *marks]

    def _tool_reference(self, block: Parts) -> list[Said]:
        """What a search for tools found. Here every tool is declared from the start, so that the name is enough."""
        self.lose("tool_reference")
        return [{"text": f"Found the tool {tool_name(block.text('tool_name'))}."}]


IN_RESULTS = frozenset({"text", "image", "document", "search_result", "tool_reference"})


def _plain(block: Said) -> Said:
    """Text in a tool result, without citations: there is no place for them."""
    return block["citationsContent"]["content"][0] if "citationsContent" in block else block


def _cited(raw: msgspec.Raw | None, place: str) -> list[Said]:
    if raw is None:
        return []
    try:
        return [to_converse(citation) for citation in _citations.decode(raw)]
    except UNREADABLE:
        raise BadBody(f"{place}.citations: Input should be a valid list of citations") from None


def _reminder(block: Said) -> Said:
    """A word of the system's in mid-conversation, for models that know only a leading one."""
    text = as_text(block["text"], "messages") if "text" in block else ""
    return {"text": f"<system-reminder>\n{text}\n</system-reminder>"} if text else block


def _introduce_documents(content: list[Said]) -> None:
    if any("document" in block for block in content) and not any("text" in block for block in content):
        content.append({"text": SEE_DOCUMENT})
