"""Anthropic's Messages: read what we act on, keep the rest as it came, render refusals.

The body is never rebuilt: its top level becomes name → raw value, what we decide on is decoded, and the object is written back from
those raw values. Nested bytes stay identical, and duplicate top-level names collapse to the one that was checked.
"""

import msgspec

from routing.dialects.base import NOTHING, UNREADABLE, Ask, BadBody, Dialect, Fields, PathAsk, Told
from routing.dialects.body import Raws, look_alike, raw_fields
from routing.dialects.messages_reader import MessagesReader
from routing.dialects.pieces import Body, object_of

MAX_TOKENS_LIMIT = 10_000_000
MAX_MODEL_LENGTH = 200
DECIDING = frozenset({"model", "stream", "max_tokens"})

_string = msgspec.json.Decoder(str)
_boolean = msgspec.json.Decoder(bool | None)
_integer = msgspec.json.Decoder(int)
_encoder = msgspec.json.Encoder()


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _ClaudeCodeUser(msgspec.Struct):
    session_id: str = ""


_metadata = msgspec.json.Decoder(_Metadata)
_claude_code_user = msgspec.json.Decoder(_ClaudeCodeUser)


def top_level(body: bytes) -> Raws:
    """The body's top level, its values raw; raises BadBody. What decides must not come under a name that only differs in case."""
    fields = raw_fields(body, "The request body is not valid JSON:")
    if name := look_alike(fields, DECIDING):
        raise BadBody(f"{name}: Extra inputs are not permitted (did you mean {name.casefold()}?)")
    return fields


def checked_model(model: str) -> str:
    """A model's name as it may enter; raises BadBody."""
    if not model or len(model) > MAX_MODEL_LENGTH or not model.isprintable():
        raise BadBody(f"model: a name of 1 to {MAX_MODEL_LENGTH} printable characters is needed")
    return model


def _model(fields: dict[str, msgspec.Raw]) -> str:
    if "messages" not in fields:
        raise BadBody("messages: Field required")
    if "model" not in fields:
        raise BadBody("model: Field required")
    try:
        model = _string.decode(fields["model"])
    except msgspec.DecodeError:
        raise BadBody("model: Input should be a valid string") from None
    return checked_model(model)


def _is_stream(fields: dict[str, msgspec.Raw]) -> bool:
    if "stream" not in fields:
        return False
    try:
        return bool(_boolean.decode(fields["stream"]))
    except msgspec.DecodeError:
        raise BadBody("stream: Input should be a valid boolean") from None


def max_tokens_in(fields: dict[str, msgspec.Raw]) -> int:
    if "max_tokens" not in fields:
        raise BadBody("max_tokens: Field required")
    try:
        count = _integer.decode(fields["max_tokens"])
    except msgspec.DecodeError:
        raise BadBody("max_tokens: Input should be a valid integer") from None
    if not 0 <= count <= MAX_TOKENS_LIMIT:
        raise BadBody(f"max_tokens: a number from 0 to {MAX_TOKENS_LIMIT} is needed")
    return count


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


def _thinking_of(ask: Ask) -> _Thinking:
    raw = ask.fields.get("thinking")
    if raw is None:
        return _Thinking()
    try:
        return _thinking.decode(raw)
    except UNREADABLE:
        return _Thinking(type="unreadable")


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


class _Refusal(msgspec.Struct):
    type: str = ""
    message: str = ""


class _RefusalBody(msgspec.Struct):
    error: _Refusal | None = None


_refusal_body = msgspec.json.Decoder(_RefusalBody)


def refusal_kind(status: int) -> str:
    """The error type that goes with a status."""
    return ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def unwrapped(ask: Ask, model: str) -> dict[str, msgspec.Raw]:
    """The fields of a call that came in a cloud's wrapping, with the model in its path, as Anthropic's own API wants them."""
    fields = {"model": msgspec.Raw(_encoder.encode(model)), **ask.fields}
    fields.pop("anthropic_version", None)
    fields.pop("anthropic_beta", None)
    if ask.is_stream:
        fields["stream"] = msgspec.Raw(b"true")
    return fields


class Messages(Dialect):
    name = family = "messages"
    errors = "anthropic"
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = top_level(body)
        return Ask(fields, _model(fields), _is_stream(fields), 0 if counts_only else max_tokens_in(fields), len(body))

    def write(self, ask: Ask, model: str) -> Body:
        fields = ask.fields
        if "model" not in fields:
            fields = unwrapped(ask, model)
        elif model != ask.model:
            fields = {**fields, "model": msgspec.Raw(_encoder.encode(model))}
        return object_of(fields, ask.size)

    def reader(self) -> MessagesReader:
        return MessagesReader()

    def error_body(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        kind = error_type or refusal_kind(status)
        return _encoder.encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id})

    def error_event(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        return b"event: error\ndata: " + self.error_body(status, message, request_id, error_type=error_type) + b"\n\n"

    def read_error(self, status: int, headers: Fields, body: bytes) -> Told:
        try:
            error = _refusal_body.decode(body).error or _Refusal()
        except UNREADABLE:
            error = _Refusal()
        return Told(status, error.type[:60], error.message[:1000])

    def pricing_hints(self, ask: Ask) -> dict[str, str]:
        found = {}
        for name, field in (("speed", "speed"), ("tier", "service_tier"), ("geo", "inference_geo")):
            raw = ask.fields.get(field)
            if raw is not None and (value := _text(raw)):
                found[name] = value
        return found

    def shows_its_length(self, ask: Ask, betas: bytes) -> bool:
        """Thinking is off, or hidden thinking tells its length on the way. Thinking that is shown is a summary of what is billed."""
        thinking = _thinking_of(ask)
        return thinking.type in {"", "disabled"} or (thinking.display == "omitted" and ESTIMATES in betas)

    def lower_max_tokens(self, ask: Ask, tokens: int) -> bool:
        """False where that leaves no room for the thinking that was asked for."""
        if tokens <= _thinking_of(ask).budget_tokens:
            return False
        ask.max_tokens = tokens
        ask.fields = {**ask.fields, "max_tokens": msgspec.Raw(b"%d" % tokens)}
        return True

    def user_and_session(self, ask: Ask) -> tuple[str, str]:
        """From `metadata.user_id`, which Claude Code fills with JSON that names its session."""
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


MESSAGES = Messages()
