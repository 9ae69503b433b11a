"""Anthropic's Messages: read what we act on, keep the rest as it came, render refusals.

The body is never rebuilt: its top level becomes name → raw value, what we decide on is decoded, and the object is written back from
those raw values. Nested bytes stay identical, and duplicate top-level names collapse to the one that was checked.
"""

from dataclasses import dataclass

import msgspec

MAX_TOKENS_LIMIT = 10_000_000
MAX_MODEL_LENGTH = 200
DECIDING = frozenset({"model", "stream", "max_tokens"})

_top_level = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string = msgspec.json.Decoder(str)
_boolean = msgspec.json.Decoder(bool | None)
_integer = msgspec.json.Decoder(int)
_encoder = msgspec.json.Encoder()
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class BadBody(ValueError):
    """A body that cannot be served; the text is for the caller."""


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _ClaudeCodeUser(msgspec.Struct):
    session_id: str = ""


_metadata = msgspec.json.Decoder(_Metadata)
_claude_code_user = msgspec.json.Decoder(_ClaudeCodeUser)


@dataclass(slots=True)
class Ask:
    """What a caller asks for. `max_tokens` 0 means that none was given (count_tokens)."""

    fields: dict[str, msgspec.Raw]
    model: str
    is_stream: bool
    max_tokens: int
    size: int


def read(body: bytes, *, counts_only: bool = False) -> Ask:
    """The call in `body`; raises BadBody with the words the vendor's API uses."""
    try:
        if not body.isascii():
            body.decode()  # what stays raw is not decoded, so nobody else would notice bad UTF-8
        fields = _top_level.decode(body)
    except RecursionError:
        raise BadBody("The request body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBody(f"The request body is not valid JSON: {error}") from None
    for name in fields:
        # casefold: JSON readers that ignore case also take the old long s for an s
        if name not in DECIDING and name.casefold() in DECIDING:
            raise BadBody(f"{name}: Extra inputs are not permitted (did you mean {name.casefold()}?)")
    return Ask(fields, _model(fields), _is_stream(fields), 0 if counts_only else _max_tokens(fields), len(body))


def _model(fields: dict[str, msgspec.Raw]) -> str:
    if "messages" not in fields:
        raise BadBody("messages: Field required")
    if "model" not in fields:
        raise BadBody("model: Field required")
    try:
        model = _string.decode(fields["model"])
    except msgspec.DecodeError:
        raise BadBody("model: Input should be a valid string") from None
    if not model or len(model) > MAX_MODEL_LENGTH or not model.isprintable():
        raise BadBody(f"model: a name of 1 to {MAX_MODEL_LENGTH} printable characters is needed")
    return model


def _is_stream(fields: dict[str, msgspec.Raw]) -> bool:
    if "stream" not in fields:
        return False
    try:
        return bool(_boolean.decode(fields["stream"]))
    except msgspec.DecodeError:
        raise BadBody("stream: Input should be a valid boolean") from None


def _max_tokens(fields: dict[str, msgspec.Raw]) -> int:
    if "max_tokens" not in fields:
        raise BadBody("max_tokens: Field required")
    try:
        count = _integer.decode(fields["max_tokens"])
    except msgspec.DecodeError:
        raise BadBody("max_tokens: Input should be a valid integer") from None
    if not 0 <= count <= MAX_TOKENS_LIMIT:
        raise BadBody(f"max_tokens: a number from 0 to {MAX_TOKENS_LIMIT} is needed")
    return count


def write(ask: Ask, model: str) -> bytes:
    """The body to send: every value as it came, but the model's name."""
    if model != ask.model:
        ask = Ask({**ask.fields, "model": msgspec.Raw(_encoder.encode(model))}, model, ask.is_stream, ask.max_tokens, ask.size)
    return _encoder.encode(ask.fields)


def pricing_hints(ask: Ask) -> dict[str, str]:
    """What of the request moves its price: `speed`, `tier` and `geo`, where it names them."""
    found = {}
    for name, field in (("speed", "speed"), ("tier", "service_tier"), ("geo", "inference_geo")):
        raw = ask.fields.get(field)
        if raw is not None and (value := _text(raw)):
            found[name] = value
    return found


def _text(raw: msgspec.Raw) -> str:
    try:
        return _string.decode(raw)[:40]
    except UNREADABLE:
        return ""


class _Thinking(msgspec.Struct):
    type: str = ""
    display: str | None = None
    budget_tokens: int = 0


_thinking = msgspec.json.Decoder(_Thinking)
ESTIMATES = b"thinking-token-count-"


def shows_its_length(ask: Ask, betas: bytes) -> bool:
    """Whether a stream's length can be told from its bytes: thinking is off, or hidden thinking tells its length on the way.

    Thinking that is shown is a summary of what is billed.
    """
    thinking = _thinking_of(ask)
    return thinking.type in {"", "disabled"} or (thinking.display == "omitted" and ESTIMATES in betas)


def lower_max_tokens(ask: Ask, tokens: int) -> bool:
    """Lowers the cap on output; False where that leaves no room for the thinking that was asked for."""
    if tokens <= _thinking_of(ask).budget_tokens:
        return False
    ask.max_tokens = tokens
    ask.fields = {**ask.fields, "max_tokens": msgspec.Raw(b"%d" % tokens)}
    return True


def _thinking_of(ask: Ask) -> _Thinking:
    raw = ask.fields.get("thinking")
    if raw is None:
        return _Thinking()
    try:
        return _thinking.decode(raw)
    except UNREADABLE:
        return _Thinking(type="unreadable")


def user_and_session(ask: Ask) -> tuple[str, str]:
    """(end user, session id) from `metadata.user_id`, which Claude Code fills with JSON that names its session."""
    raw = ask.fields.get("metadata")
    if raw is None:
        return "", ""
    try:
        user = _metadata.decode(raw).user_id or ""
    except UNREADABLE:
        return "", ""
    if not user.startswith("{"):
        return user[:200], ""
    try:
        return "", _claude_code_user.decode(user).session_id[:100]
    except UNREADABLE:
        return user[:200], ""


ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(status: int, message: str, request_id: str, *, error_type: str = "") -> bytes:
    """A refusal as the vendor's clients read it."""
    kind = error_type or ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return _encoder.encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id})


class _Refusal(msgspec.Struct):
    type: str = ""
    message: str = ""


class _RefusalBody(msgspec.Struct):
    error: _Refusal | None = None


_refusal_body = msgspec.json.Decoder(_RefusalBody)


def read_error(body: bytes) -> tuple[str, str]:
    """(type, message) of a vendor's refusal; empty where it says nothing we can read."""
    try:
        error = _refusal_body.decode(body).error
    except UNREADABLE:
        return "", ""
    return (error.type[:60], error.message[:1000]) if error else ("", "")
