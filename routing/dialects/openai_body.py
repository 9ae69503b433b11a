"""What the bodies of OpenAI's APIs have in common: values that stay raw, what decides decoded, OpenAI's words for what is wrong."""

from collections.abc import Set

import msgspec

from routing.dialects.base import UNREADABLE, BadBody
from routing.dialects.body import Raws, look_alike, raw_fields

MAX_TOKENS_LIMIT = 10_000_000
# More answers than anybody gives to one call.
MAX_ANSWERS = 1_000

_raws = msgspec.json.Decoder(Raws)
_string = msgspec.json.Decoder(str)
_boolean = msgspec.json.Decoder(bool | None)
_integer = msgspec.json.Decoder(int | None)
encode = msgspec.json.Encoder().encode


def top_level(body: bytes, deciding: Set[str]) -> Raws:
    """The fields of a body; raises BadBody. What decides must not come under a name that only differs in case."""
    fields = raw_fields(body, "We could not parse the JSON body of your request:")
    if name := look_alike(fields, deciding):
        raise BadBody(f"Unknown parameter: '{name}'. Did you mean '{name.casefold()}'?")
    return fields


def require(fields: Raws, *names: str) -> None:
    for name in names:
        if name not in fields:
            raise BadBody(f"Missing required parameter: '{name}'.")


def model_of(fields: Raws) -> str:
    require(fields, "model")
    try:
        return _string.decode(fields["model"])
    except msgspec.DecodeError:
        raise BadBody("Invalid type for 'model': expected a string.") from None


def flag(fields: Raws, name: str) -> bool:
    raw = fields.get(name)
    try:
        return raw is not None and bool(_boolean.decode(raw))
    except msgspec.DecodeError:
        raise BadBody(f"Invalid type for '{name}': expected a boolean.") from None


def whole_number(fields: Raws, name: str, least: int, most: int) -> int | None:
    """A number among the fields; None where it is not given, or null."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        number: int | None = _integer.decode(raw)
    except msgspec.DecodeError:
        raise BadBody(f"Invalid type for '{name}': expected an integer.") from None
    if number is not None and not least <= number <= most:
        raise BadBody(f"Invalid '{name}': expected a value from {least} to {most}.")
    return number


def inner(fields: Raws, name: str) -> Raws:
    """An object among the fields; empty where it is not given, or null."""
    raw = fields.get(name)
    if raw is None or bytes(raw) == b"null":
        return {}
    try:
        return _raws.decode(raw)
    except UNREADABLE:
        raise BadBody(f"Invalid type for '{name}': expected an object.") from None


def text(fields: Raws, name: str, most: int) -> str:
    """A text that decides nothing: empty where there is none."""
    raw = fields.get(name)
    try:
        return "" if raw is None else _string.decode(raw)[:most]
    except UNREADABLE:
        return ""
