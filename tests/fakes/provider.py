"""The fake provider: a bare ASGI application that speaks Anthropic's wire and checks what it is sent.

As a process: `python -m tests.fakes.provider --port 9001 --bill bill.jsonl`.
"""

import argparse
import asyncio
import dataclasses
import itertools
import os
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import uvicorn

from tests.fakes.bill import Bill
from tests.fakes.line import ClientLeft, Line, Seen, read_body
from tests.fakes.messages import (
    CALL_ID_PLACE,
    Json,
    Piece,
    Reply,
    dump,
    huge_pieces,
    json_pieces,
    plain_pieces,
    plain_reply,
    plain_usage,
    stream_pieces,
)
from tests.fakes.performance import ConnectionBroken, Meter, Performance
from tests.fakes.script import MAGIC, Answer, refusal
from tests.fakes.serving import Receive, Scope, Send, make_config
from tests.fakes.toolbox import task_blocks

DEFAULT_KEY = "sk-ant-fake-upstream"
MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
_PLAIN = Answer()
_BYTES_PER_TOKEN = 4


class Metadata(msgspec.Struct):
    user_id: str = ""


class Asked(msgspec.Struct):
    """The few request fields that the provider acts on."""

    model: str
    messages: msgspec.Raw
    max_tokens: int
    stream: bool = False
    tools: msgspec.Raw = msgspec.Raw(b"[]")
    metadata: msgspec.Raw = msgspec.Raw(b"{}")

    @property
    def marker(self) -> str:
        try:
            return msgspec.json.decode(self.metadata, type=Metadata).user_id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = refusal(status, message)


class FakeProvider:
    """`key=None` takes any credential; `seen` holds the last `keep` requests; `repertoire` has the answers that models stand for."""

    def __init__(
        self, *, key: str | None = DEFAULT_KEY, bill: Path | None = None, keep: int = 1000, repertoire: Mapping[str, Answer] = MAGIC
    ) -> None:
        self._key = key
        self._repertoire = repertoire
        self._queue: deque[Answer] = deque()
        self._numbers = itertools.count(1)
        self._arrived = threading.Condition()
        self._count = 0
        self.bill = Bill(bill)
        self.seen: deque[Seen] = deque(maxlen=keep)

    def script(self, *answers: Answer) -> None:
        """The next message calls take these, in order; later ones get the plain answer."""
        self._queue.extend(answers)

    def problems(self) -> list[str]:
        """Everything that a well-behaved client would not have sent."""
        return [problem for seen in list(self.seen) for problem in seen.problems]

    def wait_for_call(self, number: int = 1, timeout_s: float = 10.0) -> Seen:
        """The newest request once `number` of them have arrived in all."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: self._count >= number, timeout_s):
                raise TimeoutError(f"only {self._count} of {number} calls arrived")
            return self.seen[-1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            body = await read_body(receive)
        except ClientLeft:
            return
        seen = self._note(scope, body)
        try:
            async with Line(scope, receive, send, seen) as line:
                await self._answer(seen, line)
        except ClientLeft:
            seen.aborted = True
        except ConnectionBroken:
            return
        finally:
            seen.finished.set()

    def _note(self, scope: Scope, body: bytes) -> Seen:
        call_id = f"fake_{os.getpid():x}_{next(self._numbers):06d}"
        seen = Seen(call_id, scope["method"], scope["raw_path"], scope["query_string"], list(scope["headers"]), body)
        length = seen.header("content-length")
        if length is not None and int(length) != len(body):
            seen.problems.append(f"content-length {length} for a body of {len(body)} bytes")
        with self._arrived:
            self.seen.append(seen)
            self._count += 1
            self._arrived.notify_all()
        return seen

    async def _answer(self, seen: Seen, line: Line) -> None:
        try:
            self._check(seen)
            match (seen.method, seen.path):
                case ("POST", b"/v1/messages"):
                    await self._message(seen, line)
                case ("POST", b"/v1/messages/count_tokens"):
                    await _send_json(line, seen, Answer(body=dump({"input_tokens": _input_tokens(seen)})))
                case ("GET", b"/v1/models"):
                    await _send_json(line, seen, Answer(body=dump(_model_list())))
                case _:
                    raise Refused(404, f"{seen.method} {seen.path.decode()} is not served here")
        except Refused as refused:
            seen.problems.append(str(refused))
            await _send_json(line, seen, refused.answer)

    def _check(self, seen: Seen) -> None:
        bearer = (seen.header("authorization") or "").removeprefix("Bearer ")
        given = seen.header("x-api-key") or bearer
        if self._key is not None and given != self._key:
            raise Refused(401, "invalid x-api-key")
        if seen.header("anthropic-version") is None:
            raise Refused(400, "anthropic-version: header is required")

    async def _message(self, seen: Seen, line: Line) -> None:
        asked = _read(seen)
        answer = self._queue.popleft() if self._queue else self._repertoire.get(asked.model, _PLAIN)
        answer = _for_json(answer) if not asked.stream else answer
        if answer.body is not None:
            await line.pause(answer.delay_s)
            await _send_json(line, seen, answer)
            return
        reply = _reply(seen, asked, answer)
        performance = Performance(line, answer, Meter(seen.call_id, reply, self.bill.charge, asked.marker), seen.call_id)
        pieces = _pieces(asked, answer, reply)
        await performance.play(_headers(seen, answer, () if asked.stream else tuple(pieces)), pieces)


def _read(seen: Seen) -> Asked:
    try:
        return msgspec.json.decode(seen.body, type=Asked)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(400, f"the body is not a message request: {error}") from error


def _for_json(answer: Answer) -> Answer:
    """A JSON answer has two halves and no events: faults strike between the halves at the latest."""
    if answer.fault == "error":
        return refusal(529)
    return dataclasses.replace(answer, fault_after=min(answer.fault_after, 1), crlf=False, comments=False)


def _input_tokens(seen: Seen) -> int:
    return max(1, len(seen.body) // _BYTES_PER_TOKEN)


def _reply(seen: Seen, asked: Asked, answer: Answer) -> Reply:
    plain = plain_reply(asked.model, _input_tokens(seen), asked.max_tokens)
    blocks, stop_reason = answer.blocks, answer.stop_reason
    if blocks is None and len(asked.tools) > len(b"[]"):
        tools, messages = (msgspec.json.decode(raw, type=list[Json]) for raw in (asked.tools, asked.messages))
        blocks, stop_reason = task_blocks(tools, messages, seen.call_id) or (None, stop_reason)
    return dataclasses.replace(
        plain,
        blocks=blocks or plain.blocks,
        stop_reason=plain.stop_reason if stop_reason == "end_turn" else stop_reason,
        usage=_usage(answer, plain),
        start_usage=answer.start_usage,
        delta_usage=answer.delta_usage,
        deltas=answer.deltas,
    )


def _usage(answer: Answer, plain: Reply) -> Json:
    if answer.output_tokens is not None:
        return plain_usage(plain.usage["input_tokens"], answer.output_tokens)
    return plain.usage if answer.usage is None else answer.usage


def _pieces(asked: Asked, answer: Answer, reply: Reply) -> Iterable[Piece]:
    if asked.stream and answer.huge_bytes:
        return huge_pieces(reply, answer.huge_bytes)
    plain = plain_reply(asked.model, reply.usage.get("input_tokens", 0), asked.max_tokens)
    if reply == plain:
        return plain_pieces(asked.model, reply.usage["input_tokens"], asked.max_tokens, is_stream=asked.stream)
    return stream_pieces(reply) if asked.stream else json_pieces(reply)


def _headers(seen: Seen, answer: Answer, halves: tuple[Piece, ...]) -> list[tuple[str, str]]:
    kind = "application/json" if halves else "text/event-stream; charset=utf-8"
    headers = [("content-type", kind), ("request-id", f"req_{seen.call_id}"), *answer.headers]
    if answer.gzip:
        headers.append(("content-encoding", "gzip"))
    elif halves and answer.fault != "end":
        body = b"".join(half.data for half in halves).replace(CALL_ID_PLACE, seen.call_id.encode())
        headers.append(("content-length", str(len(body))))
    return headers


async def _send_json(line: Line, seen: Seen, answer: Answer) -> None:
    body = answer.body or b""
    own = [("content-type", answer.content_type), ("request-id", f"req_{seen.call_id}"), ("content-length", str(len(body)))]
    await line.start(answer.status, [*own, *answer.headers])
    await line.write(body)
    await line.finish()


def _model_list() -> Json:
    rows = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-09-01T00:00:00Z"} for name in MODELS]
    return {"data": rows, "first_id": MODELS[0], "last_id": MODELS[-1], "has_more": False}


def main(repertoire: Mapping[str, Answer] = MAGIC) -> None:
    parser = argparse.ArgumentParser(description="The fake provider, as a process of its own.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bill", type=Path)
    parser.add_argument("--key", default=DEFAULT_KEY)
    options = parser.parse_args()
    app = FakeProvider(key=options.key, bill=options.bill, repertoire=repertoire)
    asyncio.run(uvicorn.Server(make_config(app, host="127.0.0.1", port=options.port)).serve())


if __name__ == "__main__":
    main()
