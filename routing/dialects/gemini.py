"""Gemini's own wire, the same at Vertex AI and at the Gemini API: the model in the path, no word of the stream in the body.

Google reads every name in two spellings (maxOutputTokens, max_output_tokens) and numbers also as strings; so do we, where it decides.
"""

import re
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from routing.dialects import google_errors
from routing.dialects.base import ARRAY, NOTHING, UNCAPPED_OUTPUT, UNREADABLE, Ask, BadBody, Dialect, Fields, PathAsk, Told
from routing.dialects.body import Raws, raw_fields
from routing.dialects.gemini_reader import GeminiReader
from routing.dialects.messages import checked_model
from routing.dialects.pieces import Body, object_of

MAX_TOKENS_LIMIT = 10_000_000
MAX_CANDIDATES = 100
CONFIG, CAP, COUNT = "generationConfig", "maxOutputTokens", "candidateCount"
THINKING, BUDGET, TIER = "thinkingConfig", "thinkingBudget", "serviceTier"
MODEL, INNER, REQUESTS = "model", "generateContentRequest", "requests"

_raws = msgspec.json.Decoder(Raws)
_lists = msgspec.json.Decoder(list[Raws])
_number = msgspec.json.Decoder(int | float | str | None)
_string = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode
_capital = re.compile(r"[A-Z]")


def _snake(name: str) -> str:
    return _capital.sub(lambda found: "_" + found[0].lower(), name)


def _spellings(*names: str) -> Mapping[str, str]:
    return {spelling: name for name in names for spelling in (name, _snake(name))}


def _deciding(fields: Raws, names: Mapping[str, str]) -> Raws:
    """The fields with those of `names` under their usual spelling; raises BadBody for one that is there twice, or all but there."""
    found: Raws = {}
    folded = {name.casefold() for name in names.values()}
    for name, value in fields.items():
        known = names.get(name)
        if known is None and name.casefold().replace("_", "") in folded:
            raise BadBody(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
        if (known or name) in found:
            raise BadBody(f'Invalid value: the field "{name}" is given twice.')
        found[known or name] = value
    return found


_TOP = _spellings(CONFIG, TIER, MODEL, INNER)
_IN_CONFIG = _spellings(CAP, COUNT, THINKING)
_IN_THINKING = _spellings(BUDGET)


def _top_level(body: bytes) -> Raws:
    return _deciding(raw_fields(body, "Invalid JSON payload received."), _TOP)


def _object(fields: Raws, name: str, names: Mapping[str, str]) -> Raws:
    """An object among the fields; empty where there is none."""
    raw = fields.get(name)
    if raw is None or bytes(raw) == b"null":
        return {}
    try:
        return _deciding(_raws.decode(raw), names)
    except UNREADABLE:
        raise BadBody(f'Invalid value at "{name}": an object is needed.') from None


def _whole(fields: Raws, name: str, most: int) -> int | None:
    """A whole number from 1 to `most` in any of the ways in which Google takes one; None where it is not given."""
    try:
        value = _number.decode(fields.get(name, b"null"))
        number = value if value is None or isinstance(value, int) else float(value)
    except (*UNREADABLE, ValueError):
        number = 0.5
    if number is None:
        return None
    if not 1 <= number <= most or number != int(number):
        raise BadBody(f'Invalid value at "{name}": a whole number from 1 to {most} is needed.')
    return int(number)


class Gemini(Dialect):
    """generateContent and streamGenerateContent with alt=sse."""

    name = family = "gemini"
    errors = "google"
    longest_event = 32 * 1024 * 1024  # a picture comes in one
    statuses: ClassVar[dict[int, int]] = {529: 503}

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = _top_level(body)
        fields.pop(MODEL, None)  # the path decides
        if "contents" not in fields:
            raise BadBody("* GenerateContentRequest.contents: contents is not specified")
        return Ask(fields, checked_model(path.model), bool(path.is_stream), _cap(fields), len(body))

    def write(self, ask: Ask, model: str) -> Body:
        return object_of(ask.fields, ask.size)

    def reader(self) -> GeminiReader:
        return GeminiReader()

    def error_body(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        return google_errors.body(self.statuses.get(status, status), message, request_id, code=code)

    def error_event(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        return b"data: " + self.error_body(status, message, request_id, code=code) + b"\n\n"

    def read_error(self, status: int, headers: Fields, body: bytes) -> Told:
        return google_errors.told(status, body) or Told(status, "", "")

    def pricing_hints(self, ask: Ask) -> dict[str, str]:
        try:
            tier = _string.decode(ask.fields.get(TIER, b'""')).lower()[:40]
        except UNREADABLE:
            return {}
        return {"tier": tier} if tier else {}

    def shows_its_length(self, ask: Ask, betas: bytes) -> bool:
        """Only where thinking is off: thoughts are billed and not shown."""
        return _thinking_budget(ask) == 0

    def lower_max_tokens(self, ask: Ask, tokens: int) -> bool:
        """The cap is for each candidate, and thoughts count under it."""
        config = _object(ask.fields, CONFIG, _IN_CONFIG)
        each = tokens // (_whole(config, COUNT, MAX_CANDIDATES) or 1)
        if each <= (_thinking_budget(ask) or 0):
            return False
        ask.max_tokens = tokens
        ask.fields = {**ask.fields, CONFIG: msgspec.Raw(_encode({**config, CAP: each}))}
        return True


def _cap(fields: Raws) -> int:
    """The output that all candidates together may have. The object that names it is written anew, so that it holds no name twice."""
    config = _object(fields, CONFIG, _IN_CONFIG)
    if config:
        fields[CONFIG] = msgspec.Raw(_encode(config))
    return (_whole(config, CAP, MAX_TOKENS_LIMIT) or UNCAPPED_OUTPUT) * (_whole(config, COUNT, MAX_CANDIDATES) or 1)


def _thinking_budget(ask: Ask) -> int | None:
    """The thinking that was asked for; None where the model decides."""
    try:
        thinking = _object(_object(ask.fields, CONFIG, _IN_CONFIG), THINKING, _IN_THINKING)
        value = _number.decode(thinking.get(BUDGET, b"null"))
        return None if value is None else int(float(value))
    except (BadBody, ValueError, OverflowError):
        return None


class GeminiArray(Gemini):
    """streamGenerateContent without alt=sse: the same chunks as the elements of one JSON array. Providers are always asked for events."""

    name = "gemini_array"
    framing = ARRAY
    stream_type = b"application/json; charset=UTF-8"

    def error_event(self, status: int, message: str, request_id: str, *, error_type: str = "", code: str = "") -> bytes:
        """The array's last element; one came before it."""
        return b",\r\n" + self.error_body(status, message, request_id, code=code) + b"]"


class GeminiCount(Gemini):
    """countTokens. The call to be counted may lie inside with the model's name of its own."""

    name = "gemini_count"

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = _top_level(body)
        fields.pop(MODEL, None)
        return Ask(fields, checked_model(path.model), False, 0, len(body))

    def write(self, ask: Ask, model: str) -> bytes:
        inner = _object(ask.fields, INNER, _spellings(MODEL))
        if not inner:
            return _encode(ask.fields)
        return _encode({**ask.fields, INNER: {**inner, MODEL: f"models/{model}"}})


class GeminiEmbed(Gemini):
    """embedContent."""

    name = "gemini_embed"

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = _top_level(body)
        fields.pop(MODEL, None)
        if "content" not in fields:
            raise BadBody("* EmbedContentRequest.content: content is not specified")
        return Ask(fields, checked_model(path.model), False, 0, len(body))


class GeminiEmbeds(Gemini):
    """batchEmbedContents: many at once, each with the model's name again."""

    name = "gemini_embeds"

    def read(self, body: bytes, path: PathAsk = NOTHING, *, counts_only: bool = False) -> Ask:
        fields = _top_level(body)
        fields.pop(MODEL, None)
        _requests(fields)
        return Ask(fields, checked_model(path.model), False, 0, len(body))

    def write(self, ask: Ask, model: str) -> bytes:
        return _encode({**ask.fields, REQUESTS: [{**one, MODEL: f"models/{model}"} for one in _requests(ask.fields)]})


def _requests(fields: Raws) -> list[Raws]:
    try:
        return _lists.decode(fields.get(REQUESTS, b"null"))
    except UNREADABLE:
        raise BadBody(f'Invalid value at "{REQUESTS}": a list of objects is needed.') from None


GEMINI, GEMINI_ARRAY, GEMINI_COUNT, GEMINI_EMBED, GEMINI_EMBEDS = Gemini(), GeminiArray(), GeminiCount(), GeminiEmbed(), GeminiEmbeds()
