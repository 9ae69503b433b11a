"""OpenAI's wires, written from the provider's side: Chat Completions, Completions, Responses; and the ways of those who copied them.

Turns what was asked into pieces: bytes to send, each with the output tokens that exist once it is made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.fakes.messages import CALL_ID_PLACE, Json, Piece, dump, event

TEXT = ("Hello", " from", " the", " fake", " provider", ".")
DONE = b"data: [DONE]\n\n"
COMMENT = b": OPENROUTER PROCESSING\n\n"
# Models that answer as one of the compatible providers does, by the beginning of their names.
QUIRKS = ("azure", "openrouter", "deepseek", "mistral", "groq", "vllm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One generated answer. `usage` is what is true, in the words of Chat Completions."""

    model: str
    usage: Json
    text: Sequence[str] = TEXT
    tool: str = ""
    finish: str = "stop"
    tier: str = "default"
    answers: int = 1
    tells_usage: bool = False
    quirk: str = ""

    @property
    def tokens(self) -> int:
        return int(self.usage["completion_tokens"])


def usage_of(prompt: int, completion: int, **details: int) -> Json:
    """`cached`, `written` and `reasoning` tell what of it was special."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": details.get("cached", 0), "cache_write_tokens": details.get("written", 0)},
        "completion_tokens_details": {"reasoning_tokens": details.get("reasoning", 0)},
    }


def error_body(status: int, message: str, *, kind: str = "", code: str | None = None) -> bytes:
    kinds = {429: "requests", 401: "invalid_request_error", 404: "invalid_request_error"}
    word = kind or kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return dump({"error": {"message": message, "type": word, "param": None, "code": code}})


def error_event() -> bytes:
    return b"data: " + error_body(500, "The server had an error.") + b"\n\n"


@dataclass(slots=True)
class Chunks:
    """The stream of one answer in Chat Completions."""

    said: Said
    kind: str = "chat.completion.chunk"
    pieces: list[Piece] = field(default_factory=list)
    made: int = 0

    def add(self, choice: Json | None, *, usage: Json | None = None, **more: object) -> None:
        said = self.said
        body: Json = {"id": f"chatcmpl-{CALL_ID_PLACE.decode()}", "object": self.kind, "created": 1, "model": said.model}
        body["choices"] = [] if choice is None else [choice]
        if usage is not None or said.tells_usage:
            body["usage"] = usage
        self.pieces.append(Piece(b"data: " + dump({**body, "service_tier": said.tier, **more}) + b"\n\n", self.made))

    def delta(self, index: int, delta: Json, finish: str | None = None, *, usage: Json | None = None, **more: object) -> None:
        self.add({"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}, usage=usage, **more)

    def close(self) -> list[Piece]:
        return [*self.pieces, Piece(DONE, self.said.tokens, is_last=True)]


def chat_pieces(said: Said) -> list[Piece]:
    chunks = Chunks(said)
    if said.quirk == "azure":
        chunks.add(None, id="", model="", object="", created=0, prompt_filter_results=[{"prompt_index": 0}])
    if said.quirk == "openrouter":
        chunks.pieces += [Piece(COMMENT)] * 3
    for index in range(said.answers):
        _say(chunks, index)
    chunks.made = said.tokens
    _end(chunks)
    return chunks.close()


def _say(chunks: Chunks, index: int) -> None:
    said = chunks.said
    chunks.delta(index, {"role": "assistant", "content": "", "refusal": None})
    count = len(said.text) * said.answers
    for text in said.text:
        chunks.made += said.tokens // count
        running = {**said.usage, "completion_tokens": chunks.made, "total_tokens": chunks.made + said.usage["prompt_tokens"]}
        chunks.delta(index, _delta(said.quirk, text), usage=running if said.quirk == "vllm" else None)
    if said.tool:
        call = {"index": 0, "id": f"call_{CALL_ID_PLACE.decode()}", "type": "function", "function": {"name": said.tool, "arguments": ""}}
        chunks.delta(index, {"tool_calls": [call]})
        for arguments in ('{"file_path":', '"notes/a.txt"}'):
            chunks.delta(index, {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]})
    if said.quirk not in {"deepseek", "mistral", "groq"}:
        chunks.delta(index, {}, said.finish)


def _delta(quirk: str, text: str) -> Json:
    if quirk == "deepseek":
        return {"content": None, "reasoning_content": text}
    if quirk == "mistral":
        return {"content": [{"type": "text", "text": text}]}
    return {"content": text}


def _end(chunks: Chunks) -> None:
    """Where each of them tells the usage."""
    said = chunks.said
    if said.quirk == "groq":
        chunks.delta(0, {}, said.finish, x_groq={"id": "req_1", "usage": said.usage})
    elif said.quirk in {"deepseek", "mistral"}:
        hit = said.usage["prompt_tokens_details"]["cached_tokens"]
        chunks.delta(0, {"content": ""}, said.finish, usage={**said.usage, "prompt_cache_hit_tokens": hit})
    elif said.quirk == "openrouter":
        chunks.delta(0, {"content": ""}, said.finish, usage={**said.usage, "cost": 0.01})
    elif said.tells_usage:
        chunks.add(None, usage=said.usage)


def completion_pieces(said: Said) -> list[Piece]:
    chunks = Chunks(said, "text_completion")
    for text in said.text:
        chunks.add({"text": text, "index": 0, "logprobs": None, "finish_reason": None})
    chunks.made = said.tokens
    chunks.add({"text": "", "index": 0, "logprobs": None, "finish_reason": said.finish})
    if said.tells_usage:
        chunks.add(None, usage=said.usage)
    return chunks.close()


def chat_whole(said: Said) -> Json:
    message: Json = {"role": "assistant", "content": "".join(said.text), "refusal": None}
    if said.tool:
        function = {"name": said.tool, "arguments": '{"file_path":"notes/a.txt"}'}
        message["tool_calls"] = [{"id": f"call_{CALL_ID_PLACE.decode()}", "type": "function", "function": function}]
    choices = [{"index": index, "message": message, "logprobs": None, "finish_reason": said.finish} for index in range(said.answers)]
    return _whole(said, "chat.completion", choices)


def completion_whole(said: Said) -> Json:
    return _whole(said, "text_completion", [{"text": "".join(said.text), "index": 0, "logprobs": None, "finish_reason": said.finish}])


def _whole(said: Said, kind: str, choices: list[Json]) -> Json:
    head = {"id": f"chatcmpl-{CALL_ID_PLACE.decode()}", "object": kind, "created": 1, "model": said.model}
    return {**head, "choices": choices, "usage": said.usage, "service_tier": said.tier}


def response_whole(said: Said, status: str = "completed") -> Json:
    output = [_message(said)] if status == "completed" else []
    usage = None
    if status == "completed":
        prompt, completion = said.usage["prompt_tokens_details"], said.usage["completion_tokens_details"]
        usage = {
            "input_tokens": said.usage["prompt_tokens"],
            "input_tokens_details": prompt,
            "output_tokens": said.tokens,
            "output_tokens_details": completion,
            "total_tokens": said.usage["total_tokens"],
        }
    head = {"id": f"resp_{CALL_ID_PLACE.decode()}", "object": "response", "created_at": 1, "status": status, "error": None}
    rest = {"incomplete_details": None, "model": said.model, "output": output, "service_tier": said.tier, "usage": usage}
    return {**head, **rest, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}}


def _message(said: Said) -> Json:
    content = [{"type": "output_text", "text": "".join(said.text), "annotations": []}]
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}


def response_pieces(said: Said) -> list[Piece]:
    return [Piece(data, tokens, is_last) for data, tokens, is_last in _response_events(said)]


def _response_events(said: Said) -> Iterator[tuple[bytes, int, bool]]:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield event("response.created", {"sequence_number": 0, "response": response_whole(said, "in_progress")}), 0, False
    opened = {**_message(said), "status": "in_progress", "content": []}
    yield event("response.output_item.added", {"sequence_number": 1, "output_index": 0, "item": opened}), 0, False
    part = {"type": "output_text", "text": "", "annotations": []}
    yield event("response.content_part.added", {"sequence_number": 2, **place, "part": part}), 0, False
    for number, text in enumerate(said.text, 1):
        data = {"sequence_number": 2 + number, **place, "delta": text, "logprobs": []}
        yield event("response.output_text.delta", data), said.tokens * number // len(said.text), False
    done = {"sequence_number": 20, **place, "text": "".join(said.text), "logprobs": []}
    yield event("response.output_text.done", done), said.tokens, False
    yield event("response.output_item.done", {"sequence_number": 21, "output_index": 0, "item": _message(said)}), said.tokens, False
    yield event("response.completed", {"sequence_number": 22, "response": response_whole(said)}), said.tokens, True
