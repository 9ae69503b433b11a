"""The shapes of ASGI that the data plane speaks."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Fields = list[tuple[bytes, bytes]]


def field(headers: Fields, name: bytes) -> str:
    """The first value under `name`, "" where there is none."""
    return next((value.decode("latin-1") for own, value in headers if own == name), "")


def lines_of(fields: Fields) -> bytes | None:
    """A head's lines without the end of the last; None where a line end inside a field would begin another one."""
    head = b"\r\n".join(map(b": ".join, fields))
    is_plain = head.count(b"\n") == head.count(b"\r") == len(fields) - 1 and b"\0" not in head
    return head if is_plain else None
