"""The fake Bedrock: runtime and mantle at one address, each call's signature or API key checked, bodies judged as strictly as AWS does."""

import base64
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote

import msgspec

from tests.fakes import bedrock_wire as wire
from tests.fakes.aws_signature import fault_of
from tests.fakes.line import Line, Seen
from tests.fakes.messages import Json, Piece, Reply, dump, json_pieces, plain_reply, stream_pieces
from tests.fakes.performance import Meter, Performance
from tests.fakes.provider import FakeProvider
from tests.fakes.script import Answer
from tests.fakes.toolbox import task_blocks

REGION = "us-east-1"
KEY_ID, SECRET = "AKIAFAKEFAKEFAKEFAKE", "fake/aws/secret"
API_KEY = "bedrock-api-key-fake"
SERVED_IN_PROFILES_ONLY = frozenset({"anthropic.claude-sonnet-4-5-20250929-v1:0"})
REFUSED_FIELDS = (
    "model",
    "stream",
    "service_tier",
    "speed",
    "inference_geo",
    "container",
    "mcp_servers",
    "context_management",
    "cache_control",
)
BETAS = frozenset({
    "interleaved-thinking-2025-05-14", "tool-search-tool-2025-10-19", "thinking-token-count-2026-05-13", "effort-2025-11-24",
})  # fmt: skip
OLD = ("claude-3", "claude-sonnet-4-2", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-1")


class Refused(Exception):
    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.answer = wire.refusal(status, name, message)


class FramedPerformance(Performance):
    """What is written are frames: a fault inside the stream is one too."""

    def _dress(self, data: bytes) -> bytes:
        return wire.exception_frame("throttlingException", "Too many requests") if data.startswith(b"event: error") else data


class FakeBedrock(FakeProvider):
    """`answers` are what model ids stand for. `api_key` and the ids in `secrets` open it."""

    def __init__(
        self, *, bill: Path | None = None, answers: Mapping[str, Answer] | None = None, secrets: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(key=API_KEY, bill=bill, repertoire=answers or {})
        self.secrets = dict(secrets or {KEY_ID: SECRET})
        self.services: list[str] = []

    async def _answer(self, seen: Seen, line: Line) -> None:
        try:
            await self._serve(seen, line)
        except Refused as refused:
            seen.problems.append(str(refused))
            await _send(line, refused.answer)

    async def _serve(self, seen: Seen, line: Line) -> None:
        path = seen.path.decode()
        is_runtime = path.startswith("/model/")
        self._check_access(seen, is_runtime=is_runtime)
        if path in {"/anthropic/v1/messages", "/anthropic/v1/messages/count_tokens"}:
            seen.path = path.removeprefix("/anthropic").encode()
            await super()._answer(seen, line)
            return
        match path.split("/"):
            case ["", "model", escaped, verb] if seen.method == "POST":
                await self._runtime(seen, line, unquote(escaped), verb)
            case _:
                raise Refused(404, "UnknownOperationException", f"{path} is not served here")

    def _check_access(self, seen: Seen, *, is_runtime: bool) -> None:
        authorization = seen.header("authorization") or ""
        if authorization.startswith("Bearer "):
            if authorization != f"Bearer {API_KEY}":
                raise Refused(403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.")
            return
        faults = [fault_of(seen, self.secrets, REGION, service) for service in ("bedrock", "bedrock-mantle")]
        if all(faults) or (faults[0] and is_runtime):
            name, _, message = faults[0].partition(": ")
            raise Refused(403, name, message)
        self.services.append("bedrock-mantle" if faults[0] else "bedrock")

    def _check(self, seen: Seen) -> None:
        """Of calls by Anthropic's own API, beyond the access."""
        if seen.header("anthropic-version") is None:
            raise Refused(400, "ValidationException", "anthropic-version: header is required")
        _check_betas((seen.header("anthropic-beta") or "").split(","))

    async def _runtime(self, seen: Seen, line: Line, model: str, verb: str) -> None:
        body = seen.json()
        if model == "does-not-exist":
            raise Refused(400, "ValidationException", "The provided model identifier is invalid.")
        if verb == "count-tokens":
            await _send(line, Answer(body=dump({"inputTokens": _counted(model, body)})))
            return
        if model in SERVED_IN_PROFILES_ONLY:
            text = f"Invocation of model ID {model} with on-demand throughput isn’t supported. Retry with an inference profile."
            raise Refused(400, "ValidationException", text)
        is_claude = "claude" in model or model.startswith("arn:")
        if is_claude and verb.startswith("invoke"):
            _check_claude(model, body)
        answer = self._queue.popleft() if self._queue else self._repertoire.get(model, Answer())
        if answer.body is not None:
            await line.pause(answer.delay_s)
            await _send(line, answer)
            return
        reply = _reply(seen, model, body, answer)
        meter = Meter(seen.call_id, reply, self.bill.charge, "")
        performance = FramedPerformance(line, answer, meter, seen.call_id)
        await performance.play(_headers(verb, answer, reply), _pieces(seen, verb, reply, is_claude=is_claude))


def _check_claude(model: str, body: Json) -> None:
    version = body.get("anthropic_version")
    if version is None:
        raise Refused(400, "ValidationException", "anthropic_version: Field required")
    if version != "bedrock-2023-05-31" and any(old in model for old in OLD):
        raise Refused(400, "ValidationException", f"anthropic_version: {version} is not supported by this model")
    if "max_tokens" not in body:
        raise Refused(400, "ValidationException", "max_tokens: Field required")
    for name in REFUSED_FIELDS:
        if name in body:
            raise Refused(400, "ValidationException", f"{name}: Extra inputs are not permitted")
    _check_betas(body.get("anthropic_beta", []))


def _check_betas(betas: Iterable[str]) -> None:
    for beta in betas:
        if beta and beta not in BETAS:
            raise Refused(400, "ValidationException", "invalid beta flag")


def _counted(model: str, body: Json) -> int:
    if model.startswith(("us.", "eu.", "global.", "arn:")):
        raise Refused(400, "ValidationException", "The provided model doesn't support counting tokens.")
    if "invokeModel" in body["input"]:
        inner = msgspec.json.decode(base64.b64decode(body["input"]["invokeModel"]["body"]))
        _check_claude(model, inner)
        return len(dump({"messages": inner["messages"]}))
    return len(dump(body["input"]["converse"]))


def _reply(seen: Seen, model: str, body: Json, answer: Answer) -> Reply:
    plain = plain_reply(model, max(1, len(seen.body) // 4), 1_000)
    blocks, stop_reason = answer.blocks, answer.stop_reason
    if blocks is None and body.get("tools"):
        blocks, stop_reason = task_blocks(body["tools"], body["messages"], seen.call_id) or (None, stop_reason)
    usage = answer.usage or ({**plain.usage, "output_tokens": answer.output_tokens} if answer.output_tokens is not None else plain.usage)
    return dataclasses.replace(plain, blocks=blocks or plain.blocks, stop_reason=stop_reason, usage=usage, deltas=answer.deltas)


def _pieces(seen: Seen, verb: str, reply: Reply, *, is_claude: bool) -> Iterable[Piece]:
    match verb:
        case "invoke" if is_claude:
            return json_pieces(reply)
        case "invoke-with-response-stream" if is_claude:
            return wire.claude_frames(stream_pieces(reply), reply.usage, seen.call_id)
        case "converse":
            return _whole(wire.converse_body(reply), reply)
        case "converse-stream":
            return wire.converse_frames(reply)
        case "invoke-with-response-stream":
            return wire.nova_frames(reply)
        case _:
            return _whole(wire.titan_embedding(reply) if "embed" in reply.model else wire.nova_body(reply), reply)


def _whole(body: bytes, reply: Reply) -> tuple[Piece, ...]:
    tokens = int(reply.usage.get("output_tokens", 0))
    return Piece(body[:10], tokens), Piece(body[10:], tokens, is_last=True)


def _headers(verb: str, answer: Answer, reply: Reply) -> list[tuple[str, str]]:
    is_stream = verb.endswith("stream")
    headers = [
        ("content-type", wire.EVENTSTREAM if is_stream else "application/json"),
        ("x-amzn-requestid", "fake-request"),
        *answer.headers,
    ]
    return headers if is_stream or verb != "invoke" else [*headers, *wire.token_headers(reply.usage)]


async def _send(line: Line, answer: Answer) -> None:
    body = answer.body or b""
    await line.start(answer.status, [("content-type", answer.content_type), ("content-length", str(len(body))), *answer.headers])
    await line.write(body)
    await line.finish()
