"""Fake Google: Vertex AI, the Gemini API and the endpoint that gives tokens, at one address. Checks what it is sent and keeps a bill.

Claude's side hands each call, once checked and unwrapped, to the fake of Anthropic; so its repertoire and its scripts work here too.
"""

import itertools
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes import google_tokens
from tests.fakes.line import ClientLeft, Line, Seen, read_body
from tests.fakes.messages import Json, Piece, Reply, dump
from tests.fakes.performance import ConnectionBroken, Meter, Performance
from tests.fakes.provider import FakeProvider
from tests.fakes.script import Answer
from tests.fakes.serving import Receive, Scope, Send

TOKEN = "ya29.fake-upstream-token"
KEY = "AIza-fake-upstream-key"
PROJECT, LOCATION = "fake-project", "us-east5"
VERSIONS = {"vertex-2023-10-16", "2026-10-21"}
SAID = ("Hello", " from", " Gemini.")
STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_VERTEX = re.compile(rb"/(v1|v1beta1)/projects/([^/]+)/locations/([^/]+)/publishers/(anthropic|google)/models/([^/:]+):([A-Za-z]+)")
_GEMINI = re.compile(rb"/v1beta/models/([^/:]+):([A-Za-z]+)")


def google_error(status: int, message: str = "Fake fault.", *, name: str = "", retry_delay: str = "") -> Json:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay}] if retry_delay else []
    return {"error": {"code": status, "message": message, "status": name or STATUSES.get(status, "INTERNAL"), "details": details}}


def google_refusal(status: int, message: str = "Fake fault.", *, is_array: bool = False, retry_delay: str = "") -> Answer:
    """A fault of the platform's, bare or as the only element of an array."""
    body = dump(google_error(status, message, retry_delay=retry_delay))
    return Answer(status=status, body=b"[" + body + b"]" if is_array else body)


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = google_refusal(status, message)


def usage_of(prompt: int, said: int, thought: int = 0) -> Json:
    total = prompt + said + thought
    return {"promptTokenCount": prompt, "candidatesTokenCount": said, "thoughtsTokenCount": thought, "totalTokenCount": total}


class FakeGoogle:
    """`token` is what opens Vertex, `key` what opens the Gemini API; `seen` holds the requests as they came."""

    def __init__(self, *, token: str = TOKEN, key: str = KEY) -> None:
        self.claude = FakeProvider(key=token)
        self.bill = self.claude.bill
        self.tokens = google_tokens.TokenEndpoint(token)
        self.locations = {LOCATION}
        self.seen: deque[Seen] = deque(maxlen=1000)
        self._token, self._key = token, key
        self._queue: deque[Answer] = deque()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def script(self, *answers: Answer) -> None:
        """The next calls take these, in order; later ones get the plain answer."""
        self._queue.extend(answers)

    def problems(self) -> list[str]:
        """Everything that a well-behaved client would not have sent."""
        return [problem for seen in list(self.seen) for problem in seen.problems] + self.claude.problems()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        with self._lock:
            number = next(self._numbers)
        seen = Seen(f"google_{number:06d}", scope["method"], scope["raw_path"], scope["query_string"], list(scope["headers"]), body)
        self.seen.append(seen)
        try:
            await self._answer(scope, receive, send, seen)
        except ClientLeft:
            seen.aborted = True
        except ConnectionBroken:
            return
        finally:
            seen.finished.set()

    async def _answer(self, scope: Scope, receive: Receive, send: Send, seen: Seen) -> None:
        try:
            if seen.path == b"/token":
                answer = self.tokens.answer(seen)
            elif (found := _VERTEX.fullmatch(seen.path)) and found[4] == b"anthropic":
                unwrapped = self._unwrap(seen, found)
                await self.claude(_as_messages(scope, unwrapped, found[5]), _replay(unwrapped, receive), send)
                return
            else:
                model, verb = self._gemini_call(seen, found)
                await self._gemini(scope, receive, send, seen, (model, verb))
                return
        except Refused as refused:
            seen.problems.append(str(refused))
            answer = refused.answer
        async with Line(scope, receive, send, seen) as line:
            await _send_json(line, answer)

    # ── Claude on Vertex
    def _unwrap(self, seen: Seen, found: "re.Match[bytes]") -> bytes:
        """The body as Anthropic's own API has it, after everything was checked."""
        self._check_vertex(seen, found)
        model, verb, body = found[5].decode(), found[6].decode(), seen.json()
        if body.get("anthropic_version") not in VERSIONS:
            raise Refused(400, f"anthropic_version: {body.get('anthropic_version')} is not supported")
        if "anthropic_beta" in body:
            raise Refused(400, "anthropic_beta: Extra inputs are not permitted")
        if model != "count-tokens":
            if "model" in body:
                raise Refused(400, "model: Extra inputs are not permitted")
            if bool(body.get("stream")) != (verb == "streamRawPredict"):
                raise Refused(400, f"stream: {body.get('stream')} in a {verb}")
            body["model"] = model
        if self._queue:
            self.claude.script(self._queue.popleft())
        return dump({name: value for name, value in body.items() if name != "anthropic_version"})

    def _check_vertex(self, seen: Seen, found: "re.Match[bytes]") -> None:
        if seen.header("authorization") != f"Bearer {self._token}":
            raise Refused(401, "Request had invalid authentication credentials.")
        for name in ("x-api-key", "x-goog-api-key", "proxy-authorization", "cookie"):
            if seen.header(name) is not None:
                raise Refused(400, f"{name} was sent along")
        if found[2].decode() != PROJECT or found[3].decode() not in self.locations:
            raise Refused(403, f"Permission denied on resource project {found[2].decode()}.")

    # ── Gemini
    def _gemini_call(self, seen: Seen, found: "re.Match[bytes] | None") -> tuple[str, str]:
        if found is not None:
            self._check_vertex(seen, found)
            return found[5].decode(), found[6].decode()
        named = _GEMINI.fullmatch(seen.path)
        if named is None:
            raise Refused(404, f"{seen.path.decode()} is not served here")
        if seen.header("x-goog-api-key") != self._key or seen.header("authorization") is not None or b"key=" in seen.query:
            raise Refused(401, "API key not valid. Please pass a valid API key.")
        return named[1].decode(), named[2].decode()

    async def _gemini(self, scope: Scope, receive: Receive, send: Send, seen: Seen, called: tuple[str, str]) -> None:
        model, verb = called
        script = self._queue.popleft() if self._queue else Answer()
        if script.body is None and verb not in {"generateContent", "streamGenerateContent"}:
            script = Answer(body=_SIDE_ANSWERS[verb](len(seen.body) // 4))
        if verb == "streamGenerateContent" and seen.query != b"alt=sse":
            raise Refused(400, "a stream is taken as events here")
        async with Line(scope, receive, send, seen) as line:
            if script.body is not None:
                await _send_json(line, script)
                return
            reply = _reply(model, seen, script)
            pieces = list(_pieces(reply, verb == "streamGenerateContent"))
            kind = "text/event-stream" if verb == "streamGenerateContent" else "application/json; charset=UTF-8"
            meter = Meter(seen.call_id, reply, self.bill.charge)
            await Performance(line, script, meter, seen.call_id).play([("content-type", kind), *script.headers], pieces)


_SIDE_ANSWERS: dict[str, Callable[[int], bytes]] = {
    "countTokens": lambda tokens: dump({"totalTokens": tokens}),
    "batchEmbedContents": lambda tokens: dump({"embeddings": [{"values": [0.25]}], "usageMetadata": {"promptTokenCount": tokens}}),
    "embedContent": lambda tokens: dump({"embedding": {"values": [0.25, -0.5]}, "usageMetadata": {"promptTokenCount": tokens}}),
}


def _reply(model: str, seen: Seen, script: Answer) -> Reply:
    usage = script.usage or usage_of(max(1, len(seen.body) // 4), 12, 5)
    return Reply(model=model, blocks=script.blocks or tuple({"text": text} for text in SAID), usage=usage)


def _pieces(reply: Reply, is_stream: bool) -> Iterator[Piece]:
    """A chunk for each part, the usage so far in every one; or the whole in two halves."""
    parts: list[Json] = list(reply.blocks)
    thought, said = reply.usage.get("thoughtsTokenCount", 0), reply.usage.get("candidatesTokenCount", 0)
    if not is_stream:
        body = dump(_chunk(reply, parts, reply.usage, is_last=True))
        yield Piece(body[:20], thought + said)
        yield Piece(body[20:], thought + said, is_last=True)
        return
    for number, part in enumerate(parts, 1):
        so_far = said * number // len(parts)
        chunk = _chunk(reply, [part], {**reply.usage, "candidatesTokenCount": so_far}, is_last=number == len(parts))
        yield Piece(b"data: " + dump(chunk) + b"\r\n\r\n", thought + so_far, is_last=number == len(parts))


def _chunk(reply: Reply, parts: list[Json], usage: Json, *, is_last: bool) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if is_last:
        candidate["finishReason"] = "STOP"
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": reply.model, "responseId": "fake"}


def _as_messages(scope: Scope, body: bytes, model: bytes) -> Scope:
    path = "/v1/messages/count_tokens" if model == b"count-tokens" else "/v1/messages"
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    return {**scope, "path": path, "raw_path": path.encode(), "headers": [*headers, (b"content-length", b"%d" % len(body))]}


def _replay(body: bytes, receive: Receive) -> Receive:
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return first.pop() if first else await receive()

    return replay


async def _send_json(line: Line, answer: Answer) -> None:
    body = answer.body or b""
    headers = [("content-type", answer.content_type), ("content-length", str(len(body))), *answer.headers]
    await line.start(answer.status, headers)
    await line.write(body)
    await line.finish()
