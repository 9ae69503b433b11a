"""The demo provider: answers Anthropic's Messages API inside the process, with no key and no socket.

`answer` turns a request into a Script (status, headers, timed pieces) that `proxy/upstream.py` plays as a transport.
The same question gets the same text, so that people can try streaming, tools, budgets and faults before they have a key.
Model names: MODELS, anything that sounds like one of them, and the faults of MAGIC_MODELS; ending in INSTANT: without delays.
"""

from random import Random
from typing import Any

from .demo_answer import compose, make_id
from .demo_request import Ask, Block, RefusedError, read_ask, read_json, read_model
from .demo_script import NO_ANSWER, End, Script, Step, error_script, json_script
from .demo_stream import NO_DELAY, SLOW_PAUSE_S, Pace, stream_script, whole_script
from .demo_usage import PrefixMemory, count_input, measure_input

__all__ = ["INSTANT", "MAGIC_MODELS", "MODELS", "NO_ANSWER", "End", "PrefixMemory", "Script", "Step", "answer"]

INSTANT = "-instant"

# Tokens per second and milliseconds to the first token, as (least, most); prompt tokens that fit.
MODELS: dict[str, tuple[tuple[int, int], tuple[int, int], int]] = {
    "demo-opus": ((40, 55), (400, 600), 1_000_000),
    "demo-sonnet": ((50, 70), (320, 480), 1_000_000),
    "demo-haiku": ((65, 80), (250, 350), 200_000),
}

MAGIC_MODELS = {
    "demo-error-400": "Refuses the request with 400 invalid_request_error.",
    "demo-error-401": "Refuses the provider's key with 401 authentication_error.",
    "demo-error-403": "Refuses with 403 permission_error.",
    "demo-error-404": "Knows no such model: 404 not_found_error.",
    "demo-error-413": "Finds the request too large: 413 request_too_large.",
    "demo-error-429": "Is over its rate limit: 429 rate_limit_error with retry-after: 3.",
    "demo-error-500": "Fails with 500 api_error.",
    "demo-error-529": "Has no capacity: 529 overloaded_error.",
    "demo-slow": "Sends the first token after 20 seconds, with pings in between.",
    "demo-stall": "Sends headers and message_start, then stays silent for ever.",
    "demo-silent": "Accepts the request and never answers, not even with headers.",
    "demo-cut": "Loses the connection in the middle of the text.",
    "demo-error-midstream": "Sends an overloaded_error event after some text; without streaming, a 529.",
    "demo-truncated": "Ends the stream cleanly after the last piece of text, without usage and without message_stop.",
}

ERROR_MESSAGES = {
    400: "This model refuses every request",
    401: "invalid x-api-key",
    403: "Your API key does not have permission to use the specified resource.",
    404: "model: {model}",
    413: "Request exceeds the maximum size",
    429: "This request would exceed your organization's rate limit. Please try again later.",
    500: "Internal server error",
    529: "Overloaded",
}
RETRY_AFTER = (("retry-after", "3"),)
CREATED_AT = "2026-11-01T00:00:00Z"

_process_memory = PrefixMemory()


def answer(path: str, body: bytes, *, seed: int | None = None, memory: PrefixMemory = _process_memory) -> Script:
    """Never raises. `seed` fixes ids and timing too; `memory` is what the prompt cache knows, by default the process's."""
    dice = Random(seed)  # noqa: S311 - ids and timing of a demonstration protect nothing
    request_id = make_id("req_01", dice)
    try:
        return _route(path.partition("?")[0].rstrip("/"), body, request_id, (dice, memory))
    except RefusedError as refused:
        return error_script(refused.status, refused.message, request_id)
    except RecursionError:
        return error_script(400, "The request body is nested too deeply", request_id)


def _route(path: str, body: bytes, request_id: str, state: tuple[Random, PrefixMemory]) -> Script:
    if path == "/v1/models":
        return json_script(200, _model_list(), request_id)
    if path.startswith("/v1/models/"):
        return json_script(200, _model_row(path.removeprefix("/v1/models/")), request_id)
    if path not in ("/v1/messages", "/v1/messages/count_tokens"):
        raise RefusedError(404, "Not found")
    request = read_json(body)
    magic, line = _resolve(read_model(request))
    if magic in MAGIC_MODELS and magic.rpartition("-")[2].isdigit():
        return _magic_error(int(magic.rpartition("-")[2]), request["model"], request_id)
    if path.endswith("/count_tokens"):
        return json_script(200, {"input_tokens": count_input(read_ask(request, counting=True))}, request_id)
    return _messages(read_ask(request), (magic, line), request_id, state)


def _messages(ask: Ask, names: tuple[str, str], request_id: str, state: tuple[Random, PrefixMemory]) -> Script:
    (magic, line), (dice, memory) = names, state
    room, prompt = MODELS[line][2], count_input(ask)
    if prompt > room:
        raise RefusedError(400, f"prompt is too long: {prompt} tokens > {room} maximum")
    composed = compose(ask, measure_input(ask, line, memory), dice)
    pace = NO_DELAY if ask.model.endswith(INSTANT) else _pace(line, dice)
    if ask.is_streamed:
        return stream_script(composed, pace, request_id, magic, dice)
    return whole_script(composed, pace, request_id, magic)


def _resolve(model: str) -> tuple[str, str]:
    """The bare name and the model line that serves it."""
    bare = model.lower().removesuffix(INSTANT)
    named = next((line for line in MODELS if line.removeprefix("demo-") in bare), "")
    if not named and not bare.startswith(("demo", "claude")):
        raise RefusedError(404, f"model: {model}")
    return bare, named or "demo-sonnet"


def _pace(line: str, dice: Random) -> Pace:
    rate, first_ms, _ = MODELS[line]
    return Pace(dice.uniform(*first_ms) / 1000, 1 / dice.uniform(*rate), SLOW_PAUSE_S)


def _magic_error(status: int, model: str, request_id: str) -> Script:
    extra = RETRY_AFTER if status == 429 else ()
    return error_script(status, ERROR_MESSAGES[status].format(model=model), request_id, extra=extra)


def _model_list() -> Block:
    rows = [_model_row(name) for name in MODELS]
    return {"data": rows, "first_id": rows[0]["id"], "last_id": rows[-1]["id"], "has_more": False}


def _model_row(name: str) -> dict[str, Any]:
    _, line = _resolve(name)
    return {
        "type": "model",
        "id": name,
        "display_name": f"Demo {line.removeprefix('demo-').title()}",
        "created_at": CREATED_AT,
        "lifecycle": "active",
        "line": line.removeprefix("demo-"),
        "max_input_tokens": MODELS[line][2],
        "max_tokens": 128_000,
        "capabilities": None,
    }
