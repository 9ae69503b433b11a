"""How OpenAI puts errors: type, code and message in one object; what that means in Anthropic's words, and the other way round.

Compatible providers have shapes of their own for what their gateways and validators refuse; all that we know of are read.
"""

import re

import msgspec

from routing.dialects.base import UNREADABLE, Fields, StreamError, Told
from routing.dialects.messages import refusal_kind

TOO_LONG_CODE = "context_length_exceeded"
# Anthropic's error types → OpenAI's (type, code).
WORDS = {
    "invalid_request_error": ("invalid_request_error", None),
    "authentication_error": ("invalid_request_error", "invalid_api_key"),
    "billing_error": ("insufficient_quota", "insufficient_quota"),
    "permission_error": ("invalid_request_error", None),
    "not_found_error": ("invalid_request_error", "model_not_found"),
    "request_too_large": ("invalid_request_error", None),
    "rate_limit_error": ("rate_limit_exceeded", "rate_limit_exceeded"),
    "api_error": ("server_error", None),
    "timeout_error": ("server_error", "timeout"),
    "overloaded_error": ("server_error", "overloaded"),
}
OTHERWISE = ("invalid_request_error", None)
_too_long = re.compile(
    r"prompt is too long|input is too long|maximum context length|context (?:length|window|size).{0,60}exceed|exceed\w*.{0,60}context",
    re.IGNORECASE,
)
# "…maximum context length is 4097 tokens. However, your messages resulted in 5002 tokens", "…you requested 5002 tokens"
_lengths = re.compile(r"maximum context length is (\d+) tokens.{0,80}?(\d+)(?: input)? tokens", re.IGNORECASE | re.DOTALL)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def body(status: int, message: str, error_type: str, code: str) -> dict[str, object]:
    """The error object for a refusal of ours, or for another provider's that is told in OpenAI's tongue."""
    kind, usual_code = WORDS.get(error_type or refusal_kind(status), OTHERWISE)
    if kind == "invalid_request_error" and _too_long.search(message[:1000]):
        usual_code = TOO_LONG_CODE
    return {"message": message, "type": kind, "param": None, "code": code or usual_code}


def said(body: bytes) -> StreamError | None:
    """(its code, or else its type; its message) as a provider's refusal says them; None for anything else."""
    try:
        return said_in(_decode(body))
    except UNREADABLE:
        return None


def said_in(told: object) -> StreamError | None:
    """The same, of a body or an event that is decoded already."""
    if isinstance(told, list) and told:
        told = told[0]  # Google's
    if not isinstance(told, dict):
        return None
    error = told.get("error")
    if isinstance(error, dict):
        return _named(error)
    if error:
        return StreamError(_word(told.get("code")) or _word(told.get("error_type")), _text(error))
    # Azure's front door, vLLM of old, and validators
    if told.get("object") == "error" or "statusCode" in told or ("message" in told and "choices" not in told and "data" not in told):
        return _named(told)
    if "detail" in told:
        return StreamError("", _text(told["detail"]))
    return None


def _named(error: dict[str, object]) -> StreamError:
    word = _word(error.get("code"))
    if not word or word.isdigit():  # Azure and others repeat the status
        word = _word(error.get("type"))
    return StreamError(word, _text(error.get("message") or error.get("detail") or ""))


def _text(message: object) -> str:
    """Validators put a list where others put a sentence."""
    return (message if isinstance(message, str) else _encode(message).decode())[:1000]


def _word(value: object) -> str:
    return str(value)[:60] if isinstance(value, str | int) and not isinstance(value, bool) else ""


def told(status: int, headers: Fields, body: bytes) -> Told:
    """A provider's refusal in Anthropic's words, for a caller that speaks another tongue."""
    error = said(body) or StreamError()
    code, message = error.type, error.message
    if status in {400, 413, 422} and (code == TOO_LONG_CODE or _too_long.search(message)):
        return Told(400, "invalid_request_error", _anthropics_words(message), TOO_LONG_CODE)
    if status == 503:
        return Told(529, "overloaded_error", message, code, _retry_after_s(headers))
    return Told(status, refusal_kind(status), message, code, _retry_after_s(headers))


def _anthropics_words(message: str) -> str:
    """Claude Code makes its conversation shorter by itself when it reads these words."""
    lengths = _lengths.search(message)
    if lengths:
        return f"prompt is too long: {lengths[2]} tokens > {lengths[1]} maximum"
    return message if message.startswith("prompt is too long") else f"prompt is too long: {message}"


def _retry_after_s(headers: Fields) -> int | None:
    found = {name: value for name, value in headers if name in {b"retry-after", b"retry-after-ms"}}
    if (seconds := found.get(b"retry-after", b"")).isdigit():
        return int(seconds[:9])
    if (thousandths := found.get(b"retry-after-ms", b"")).isdigit():
        return -(-int(thousandths[:12]) // 1000)
    return None
