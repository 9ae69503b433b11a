"""Fake OpenAI, Azure OpenAI and compatibles, at one address: checks what it is sent, keeps a bill, and fails as it is told to.

A scripted `Answer` means what it means at the fake of Anthropic; its `usage` is in the words of Chat Completions. A model whose name begins
with one of the quirks answers as that provider does.
"""

import base64
import dataclasses
import re
import struct
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.fakes.line import Line, Seen
from tests.fakes.messages import CALL_ID_PLACE, Json, Piece, Reply, dump
from tests.fakes.openai_wire import (
    QUIRKS,
    Said,
    chat_pieces,
    chat_whole,
    completion_pieces,
    completion_whole,
    error_body,
    error_event,
    response_pieces,
    response_whole,
    usage_of,
)
from tests.fakes.performance import Meter, Performance
from tests.fakes.provider import FakeProvider
from tests.fakes.script import Answer

KEY = "sk-fake-openai-upstream"
OUTPUT_TOKENS = 12
VECTOR = (0.5, -0.25, 1.0)
_V1 = re.compile(r"(?:/openai)?/v1/(chat/completions|completions|embeddings|responses)")
_CLASSIC = re.compile(r"/openai/deployments/([\w.-]+)/(chat/completions|completions|embeddings)")
_CLASSIC_RESPONSES = re.compile(r"/openai/()(responses)")
_NEEDED = {"chat/completions": "messages", "completions": "prompt", "embeddings": "input", "responses": "model"}
_BYTES_PER_TOKEN = 4


def openai_refusal(
    status: int, message: str = "Fake fault.", *, code: str | None = None, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """An error in OpenAI's shape."""
    return Answer(status=status, body=error_body(status, message, code=code), headers=headers)


class Refused(Exception):
    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.answer = openai_refusal(status, message, code=code)


class FakeOpenAI(FakeProvider):
    """`key=None` takes any credential."""

    def __init__(self, *, key: str | None = KEY, bill: Path | None = None) -> None:
        super().__init__(key=key, bill=bill, repertoire={})

    async def _answer(self, seen: Seen, line: Line) -> None:
        try:
            operation, asked = self._read(seen)
            answer = self._queue.popleft() if self._queue else Answer()
            if answer.body is not None:
                await line.pause(answer.delay_s)
                await _send(line, seen, answer)
            elif operation == "embeddings":
                await self._embed(seen, line, asked)
            else:
                await self._play(seen, line, answer, operation, asked)
        except Refused as refused:
            seen.problems.append(str(refused))
            await _send(line, seen, refused.answer)

    def _read(self, seen: Seen) -> tuple[str, Json]:
        """The operation and the body, with the model that answers."""
        operation, deployment, is_azure = _place(seen)
        bearer = (seen.header("authorization") or "").removeprefix("Bearer ")
        given = seen.header("api-key") if is_azure and seen.header("api-key") else bearer
        if self._key is not None and given != self._key:
            raise Refused(401, "Incorrect API key provided.", "invalid_api_key")
        try:
            asked = seen.json()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused(400, f"We could not parse the JSON body of your request. {error}") from error
        if _NEEDED[operation] not in asked:
            raise Refused(400, f"Missing required parameter: '{_NEEDED[operation]}'.", "missing_required_parameter")
        asked["model"] = deployment or asked.get("model", "")
        if asked["model"].startswith("mistral") and "stream_options" in asked:
            raise Refused(422, "stream_options: Extra inputs are not permitted", "extra_forbidden")
        return operation, asked

    async def _embed(self, seen: Seen, line: Line, asked: Json) -> None:
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        packed = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
        vector: object = packed if asked.get("encoding_format") == "base64" else list(VECTOR)
        usage = {"prompt_tokens": _input_tokens(seen), "total_tokens": _input_tokens(seen)}
        rows = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))]
        Meter(seen.call_id, Reply(model=asked["model"], blocks=(), usage=usage), self.bill.charge).pass_piece(Piece(b"", 0, is_last=True))
        await _send(line, seen, Answer(body=dump({"object": "list", "data": rows, "model": asked["model"], "usage": usage})))

    async def _play(self, seen: Seen, line: Line, answer: Answer, operation: str, asked: Json) -> None:
        said = _said(seen, answer, asked)
        whole, streamed = _WRITERS[operation]
        if asked.get("stream"):
            pieces = streamed(said)
        else:
            body = dump(whole(said))
            answer = dataclasses.replace(answer, crlf=False, comments=False)
            pieces = [Piece(body[: len(body) // 2], said.tokens), Piece(body[len(body) // 2 :], said.tokens, is_last=True)]
        if answer.fault == "error":
            told = Piece(error_event(), pieces[answer.fault_after].tokens)
            pieces = [*pieces[: answer.fault_after], told, *pieces[answer.fault_after :]]
            answer = dataclasses.replace(answer, fault="end", fault_after=answer.fault_after + 1)
        meter = Meter(seen.call_id, Reply(model=said.model, blocks=(), usage=said.usage), self.bill.charge, str(asked.get("user", "")))
        await Performance(line, answer, meter, seen.call_id).play(_headers(seen, answer, is_stream=bool(asked.get("stream"))), pieces)


_WRITERS: dict[str, tuple[Callable[[Said], Json], Callable[[Said], list[Piece]]]] = {
    "chat/completions": (chat_whole, chat_pieces),
    "completions": (completion_whole, completion_pieces),
    "responses": (response_whole, response_pieces),
}


def _place(seen: Seen) -> tuple[str, str, bool]:
    """(operation, Azure's deployment where the path names one, whether this is Azure)."""
    path = seen.path.decode()
    if seen.method == "POST" and (found := _V1.fullmatch(path)):
        return found[1], "", path.startswith("/openai")
    classic = _CLASSIC.fullmatch(path) or _CLASSIC_RESPONSES.fullmatch(path)
    if seen.method == "POST" and classic and b"api-version=20" in seen.query:
        return classic[2], classic[1], True
    raise Refused(404, f"Invalid URL ({seen.method} {path})")


def _input_tokens(seen: Seen) -> int:
    return max(1, len(seen.body) // _BYTES_PER_TOKEN)


def _said(seen: Seen, answer: Answer, asked: Json) -> Said:
    caps = [asked[name] for name in ("max_completion_tokens", "max_tokens", "max_output_tokens") if asked.get(name)]
    tokens = answer.output_tokens or min([OUTPUT_TOKENS, *caps])
    tools = [tool["function"]["name"] for tool in asked.get("tools", []) if "function" in tool]
    is_done = any(message.get("role") == "tool" for message in asked.get("messages", []))
    tool = tools[0] if tools and not is_done else ""
    answers = asked.get("n") or 1
    model = str(asked["model"])
    return Said(
        model=model,
        usage=answer.usage or usage_of(_input_tokens(seen), tokens * answers),
        tool=tool,
        finish="tool_calls" if tool else "stop",
        tier=asked.get("service_tier") or "default",
        answers=answers,
        tells_usage=bool((asked.get("stream_options") or {}).get("include_usage")),
        quirk=next((quirk for quirk in QUIRKS if model.startswith(quirk)), ""),
    )


def _headers(seen: Seen, answer: Answer, *, is_stream: bool) -> list[tuple[str, str]]:
    kind = "text/event-stream; charset=utf-8" if is_stream else "application/json"
    coded = [("content-encoding", "gzip")] if answer.gzip else []
    return [
        ("content-type", kind),
        ("x-request-id", f"req_{seen.call_id}"),
        ("openai-organization", "org-upstream"),
        *coded,
        *answer.headers,
    ]


async def _send(line: Line, seen: Seen, answer: Answer) -> None:
    body = (answer.body or b"").replace(CALL_ID_PLACE, seen.call_id.encode())
    own = [("content-type", answer.content_type), ("x-request-id", f"req_{seen.call_id}"), ("content-length", str(len(body)))]
    await line.start(answer.status, [*own, *answer.headers])
    await line.write(body)
    await line.finish()
