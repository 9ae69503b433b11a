"""Claude on Vertex AI: Messages with the model in the path and the API's version in the body. Its answers are Messages as they are."""

import re
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from billing.usage import Usage
from routing.dialects import google_errors
from routing.dialects.base import NOTHING, UNREADABLE, Ask, BadBody, Fields, PathAsk, Told
from routing.dialects.messages import Messages, checked_model, max_tokens_in, top_level
from routing.dialects.messages_reader import MessagesReader

VERSION = "anthropic_version"
# Vertex's own name for the version of this date; later ones go by their date.
VERTEX_VERSION, VERTEX_DATE = "vertex-2023-10-16", "2023-06-01"
# What stands in the path or in a header here.
ELSEWHERE = frozenset({"model", "anthropic_beta"})
YES, NO = msgspec.Raw(b"true"), msgspec.Raw(b"false")

_string = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode
_date = re.compile(r"20\d\d-\d\d-\d\d")
_version = re.compile(rf"(?:vertex-)?{_date.pattern}")


@dataclass(slots=True)
class LocatedReader(MessagesReader):
    """Google asks more where a call is kept in one place, and does not say so in its answers."""

    location: str = ""

    def usage(self) -> Usage:
        usage = MessagesReader.usage(self)
        return msgspec.structs.replace(usage, inference_geo=self.location) if self.location else usage


class RawPredict(Messages):
    """rawPredict and streamRawPredict. The path says which, and the body is made to agree. `location` is where it is spoken."""

    name = "raw_predict"
    # Faults of the platform come in Google's shape, those of the model in Anthropic's: no caller can be sure of either.
    errors = "vertex"

    def __init__(self, location: str = "") -> None:
        self.location = location

    def reader(self) -> LocatedReader:
        return LocatedReader(location=self.location)

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = _checked(top_level(body))
        if "model" in fields:
            raise BadBody("model: Extra inputs are not permitted")
        is_stream = bool(path.is_stream)
        if is_stream or "stream" in fields:
            fields["stream"] = YES if is_stream else NO
        return Ask(fields, checked_model(path.model), is_stream, 0 if counts_only else max_tokens_in(fields), len(body))

    def write(self, ask: Ask, model: str) -> bytes:
        return _encode(wrapped(ask))

    def read_error(self, status: int, headers: Fields, body: bytes) -> Told:
        return google_errors.told(status, body) or super().read_error(status, headers, body)


class RawCount(RawPredict):
    """count-tokens, the one call of the family whose model stands in the body."""

    name = "raw_count"

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = _checked(top_level(body))
        try:
            model = _string.decode(fields.pop("model", b"null"))
        except UNREADABLE:
            raise BadBody("model: Input should be a valid string") from None
        return Ask(fields, checked_model(model), False, 0, len(body))

    def write(self, ask: Ask, model: str) -> bytes:
        return _encode({"model": model, **wrapped(ask)})


def _checked(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if "messages" not in fields:
        raise BadBody("messages: Field required")
    return fields


def wrapped(ask: Ask) -> dict[str, msgspec.Raw]:
    """The fields as Vertex takes them. A version that it does not know is left out: `versioned` finds another."""
    dropped = ELSEWHERE if version_in(ask) else ELSEWHERE | {VERSION}
    fields = {name: value for name, value in ask.fields.items() if name not in dropped}
    if ask.is_stream:
        fields["stream"] = YES
    return fields


def version_in(ask: Ask) -> str:
    """The API's version that a caller's body names in a way that Vertex knows; Bedrock's it does not."""
    try:
        version = _string.decode(ask.fields.get(VERSION, b'""'))
    except UNREADABLE:
        return ""
    return version if _version.fullmatch(version) else ""


def versioned(body: bytes, ask: Ask, header: str) -> bytes:
    """A written body with a version; for a caller of another wrapping the one that its `anthropic-version` header asks for."""
    if version_in(ask):
        return body
    version = header if _date.fullmatch(header) and header > VERTEX_DATE else VERTEX_VERSION
    return b'{"%s":"%s",%s' % (VERSION.encode(), version.encode(), body[1:])


RAW_PREDICT, RAW_COUNT = RawPredict(), RawCount()


@lru_cache(maxsize=100)
def spoken_at(location: str) -> RawPredict:
    return RawPredict(location)
