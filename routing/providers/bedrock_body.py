"""What Bedrock wants changed in a body of Anthropic's Messages: the API version, the betas it knows, the fields it refuses.

A caller that speaks Bedrock's own wrapping is taken at its word; only a version that the model does not know is replaced.
"""

import re

import msgspec

from routing.dialects.base import UNREADABLE
from routing.dialects.invoke import betas_in
from routing.providers.base import Call, Headers
from routing.providers.bedrock_models import NATIVE_FROM

VERSION, BETAS = "anthropic_version", "anthropic_beta"
VERSION_HEADER, BETA_HEADER = b"anthropic-version", b"anthropic-beta"
BEDROCK_VERSION, FIRST_DATE = "bedrock-2023-05-31", "2023-06-01"
# An unknown beta is a 400 there, and Claude Code names many: these are known, every other is left out.
KNOWN_BETAS = frozenset({
    "compact-2026-01-12", "computer-use-2024-10-22", "computer-use-2025-01-24", "computer-use-2025-11-24", "context-1m-2025-08-07",
    "dev-full-thinking-2025-05-14", "effort-2025-11-24", "fine-grained-tool-streaming-2025-05-14", "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19", "thinking-binding-controls-2026-08-01", "thinking-token-count-2026-05-13", "token-efficient-tools-2025-02-19",
    "tool-examples-2025-10-29", "tool-search-tool-2025-10-19",
})  # fmt: skip
RENAMED_BETAS = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}
# What Bedrock refuses and an answer is as good without; context_management goes with its beta. The rest it refuses in its own words.
REFUSED = frozenset({"service_tier", "speed", "context_management", "cache_control", "diagnostics", "tags"})
# Effort and deferred tools came with 4.5: for older models their betas and their fields are left out together.
EFFORT_FROM = (4, 5)
EFFORT_BETAS = frozenset({"effort-2025-11-24", "tool-search-tool-2025-10-19", "tool-examples-2025-10-29"})
COUNTED_OUTPUT = 4096

Raws = dict[str, msgspec.Raw]
Generation = tuple[int, int] | None
_object = msgspec.json.Decoder(Raws)
_objects = msgspec.json.Decoder(list[Raws])
_string = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode
_is_date = re.compile(r"20\d\d-\d\d-\d\d").fullmatch


class _Thinking(msgspec.Struct):
    budget_tokens: int = 0


_thinking = msgspec.json.Decoder(_Thinking)


def wrapped(call: Call, generation: Generation) -> Raws:
    """The body of an InvokeModel. What the header said of betas stands in it then."""
    fields = _object.decode(bytes(call.body))
    version = _version(call)
    if not speaks_bedrock(call):
        fields = fitted(fields, generation)
        betas = known(_header_betas(call.headers), generation)
        if betas:
            fields[BETAS] = msgspec.Raw(_encode(betas))
        # Accept names the model's output there, and only JSON is any.
        call.headers[:] = without(call.headers, BETA_HEADER, b"accept")
    is_bedrocks = version.startswith("bedrock-") or (is_later(version) and takes_later(generation))
    fields[VERSION] = msgspec.Raw(_encode(version if is_bedrocks else BEDROCK_VERSION))
    return fields


def native(call: Call, generation: Generation) -> Raws:
    """The body for Anthropic's own API on Bedrock; version and betas stand in headers then."""
    fields = _object.decode(bytes(call.body))
    if not speaks_bedrock(call):
        fields = fitted(fields, generation)
    betas = known([*_header_betas(call.headers), *betas_in(call.ask)], generation)
    version = _version(call)
    call.headers[:] = without(call.headers, BETA_HEADER, VERSION_HEADER)
    is_kept = is_later(version) and takes_later(generation)
    call.headers.append((VERSION_HEADER, version.encode() if is_kept else FIRST_DATE.encode()))
    if betas:
        call.headers.append((BETA_HEADER, ",".join(betas).encode()))
    return fields


def speaks_bedrock(call: Call) -> bool:
    """Whether the caller wrote its body for Bedrock."""
    return BETAS in call.ask.fields or _text(call.ask.fields.get(VERSION)).startswith("bedrock-")


def fitted(fields: Raws, generation: Generation) -> Raws:
    """The fields without those that Bedrock refuses."""
    fields = {name: value for name, value in fields.items() if name not in REFUSED}
    if generation is not None and generation < EFFORT_FROM:
        fields.pop("output_config", None)
        if "tools" in fields:
            fields["tools"] = _undeferred(fields["tools"])
    return fields


def _undeferred(raw: msgspec.Raw) -> msgspec.Raw:
    if b'"defer_loading"' not in bytes(raw):
        return raw
    try:
        tools = _objects.decode(raw)
    except UNREADABLE:
        return raw
    return msgspec.Raw(_encode([{name: value for name, value in tool.items() if name != "defer_loading"} for tool in tools]))


def known(betas: list[str], generation: Generation) -> list[str]:
    """The betas that Bedrock knows, under its names, each once."""
    named = dict.fromkeys(RENAMED_BETAS.get(beta, beta) for beta in betas)
    refused = EFFORT_BETAS if generation is not None and generation < EFFORT_FROM else frozenset()
    return [beta for beta in named if beta in KNOWN_BETAS and beta not in refused]


def with_a_cap(fields: Raws) -> Raws:
    """Counting wants the cap that an InvokeModel would have; it has no effect on the count."""
    if "max_tokens" in fields:
        return fields
    try:
        budget = _thinking.decode(fields.get("thinking", b"{}")).budget_tokens
    except UNREADABLE:
        budget = 0
    return {**fields, "max_tokens": msgspec.Raw(b"%d" % (budget + COUNTED_OUTPUT))}


def is_later(version: str) -> bool:
    """A version of Anthropic's API after the first."""
    return bool(_is_date(version)) and version != FIRST_DATE


def takes_later(generation: Generation) -> bool:
    return generation is None or generation >= NATIVE_FROM


def _version(call: Call) -> str:
    """What the caller's body says, else its header."""
    header = next((value.decode("latin-1") for name, value in call.headers if name == VERSION_HEADER), "")
    return _text(call.ask.fields.get(VERSION)) or header


def _text(raw: msgspec.Raw | None) -> str:
    try:
        return _string.decode(raw)[:40] if raw is not None else ""
    except UNREADABLE:
        return ""


def _header_betas(headers: Headers) -> list[str]:
    values = b",".join(value for name, value in headers if name == BETA_HEADER).decode("latin-1")
    return [beta.strip() for beta in values.split(",")]


def without(headers: Headers, *dropped: bytes) -> Headers:
    return [field for field in headers if field[0] not in dropped]
