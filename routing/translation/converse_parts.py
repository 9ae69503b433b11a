"""What both files of the pair Messages → Converse stand on: an object taken apart field by field, and the errors of what cannot be said."""

import hashlib
import re
from collections.abc import Iterator

import msgspec

from routing.dialects.base import UNREADABLE, BadBody

NULL, TRUE, FALSE = msgspec.Raw(b"null"), msgspec.Raw(b"true"), msgspec.Raw(b"false")
_string = msgspec.json.Decoder(str)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])


class Unsayable(BadBody):
    """Something for which Converse has no words; a deployment that is asked in another way may serve it."""


def as_text(raw: msgspec.Raw, place: str) -> str:
    try:
        return _string.decode(raw)
    except UNREADABLE:
        raise BadBody(f"{place}: Input should be a valid string") from None


def as_list(raw: msgspec.Raw, place: str) -> list[msgspec.Raw]:
    try:
        return _list.decode(raw)
    except UNREADABLE:
        raise BadBody(f"{place}: Input should be a valid list") from None


class Parts:
    """An object of the request. Each field is taken once; what nobody took is what was not understood."""

    __slots__ = ("fields", "place")

    def __init__(self, raw: msgspec.Raw, place: str) -> None:
        try:
            self.fields = _object.decode(raw)
        except UNREADABLE:
            raise BadBody(f"{place}: Input should be a valid object") from None
        self.place = place

    @classmethod
    def of(cls, fields: dict[str, msgspec.Raw], place: str) -> "Parts":
        parts = cls(msgspec.Raw(b"{}"), place)
        parts.fields = dict(fields)
        return parts

    def raw(self, name: str) -> msgspec.Raw | None:
        """A field as it came; null says the same as nothing."""
        value = self.fields.pop(name, None)
        return None if value is None or value == NULL else value

    def need(self, name: str) -> msgspec.Raw:
        value = self.raw(name)
        if value is None:
            raise BadBody(f"{self.place}.{name}: Field required")
        return value

    def text(self, name: str) -> str:
        value = self.raw(name)
        return "" if value is None else as_text(value, f"{self.place}.{name}")

    def flag(self, name: str) -> bool:
        value = self.raw(name)
        if value is not None and value not in (TRUE, FALSE):
            raise BadBody(f"{self.place}.{name}: Input should be a valid boolean")
        return value == TRUE

    def parts(self, name: str) -> "Parts":
        return Parts(self.need(name), f"{self.place}.{name}")

    def rest(self) -> Iterator[tuple[str, msgspec.Raw]]:
        return ((name, value) for name, value in self.fields.items() if value != NULL)


def shortened(name: str, allowed: re.Pattern[str]) -> str:
    """A name as Converse takes it (64 characters of a small set): the same one wherever that can be, else one that stays as unique."""
    if allowed.fullmatch(name):
        return name
    kept = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:51]
    return f"{kept}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"


TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")


def tool_name(name: str) -> str:
    return shortened(name, TOOL_NAME)


def tool_use_id(name: str) -> str:
    return shortened(name, TOOL_USE_ID)
