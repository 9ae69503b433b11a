"""The chunk with the usage at the end of an OpenAI stream: asked for on every call, taken out where the caller did not ask."""

import re

import msgspec

from routing.dialects.base import UNREADABLE
from routing.dialects.body import Raws
from routing.dialects.openai_body import encode, flag, inner
from routing.wire.sse import events

# No usage chunk is longer; what is, is passed on before its end has come.
MAX_HELD_BYTES = 16 * 1024
OPTIONS, WANTED = "stream_options", "include_usage"
# A blank line, whose two ends may each be LF, CRLF or CR. One that a chunk cuts in two counts as whole.
_blank_line = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_usage = re.compile(rb'"usage"\s*:\s*\{')
_line_end = re.compile(rb"\r\n?")
_decode = msgspec.json.Decoder().decode


def asks_for_usage(fields: Raws) -> bool:
    return flag(inner(fields, OPTIONS), WANTED)


def with_usage(fields: Raws) -> Raws:
    """The fields of a streamed call so that the provider tells the usage; the caller's other options stay."""
    options = {**inner(fields, OPTIONS), WANTED: msgspec.Raw(b"true")}
    return {**fields, OPTIONS: msgspec.Raw(encode(options))}


def without_usage(fields: Raws) -> Raws:
    """The fields without that question."""
    options = inner(fields, OPTIONS)
    if WANTED not in options:
        return fields
    rest = {name: value for name, value in options.items() if name != WANTED}
    kept = {name: value for name, value in fields.items() if name != OPTIONS}
    return {**kept, OPTIONS: msgspec.Raw(encode(rest))} if rest else kept


class UsageChunkFilter:
    """Takes out the events that tell the usage beside no choice. Every other byte passes as it came, event by event."""

    __slots__ = ("_held", "_is_passing", "_line_feed")

    def __init__(self) -> None:
        self._held = b""
        # within an event that is too long to be held
        self._is_passing = False
        # what becomes of an LF that still belongs to the last event, which ended with a CR at the very end of its chunk
        self._line_feed: bytes | None = None

    def feed(self, chunk: bytes) -> bytes:
        if not self._held and not self._is_passing and chunk.endswith(b"\n\n") and not _usage.search(chunk):
            return chunk
        kept = []
        if self._line_feed is not None and chunk:
            if chunk.startswith(b"\n"):
                kept.append(self._line_feed)
                chunk = chunk[1:]
            self._line_feed = None
        buffer, start = self._held + chunk, 0
        for end in _blank_line.finditer(buffer):
            event = buffer[start : end.end()]
            start = end.end()
            is_kept = self._is_passing or not is_usage_alone(event)
            if is_kept:
                kept.append(event)
            if start == len(buffer) and event.endswith(b"\r"):
                self._line_feed = b"\n" if is_kept else b""
            self._is_passing = False
        kept.append(self._pass_or_hold(buffer[start:]))
        return b"".join(kept)

    def _pass_or_hold(self, rest: bytes) -> bytes:
        """What of an unfinished event may go on. The line end that its blank line may begin with is held in any case."""
        self._is_passing = self._is_passing or len(rest) > MAX_HELD_BYTES
        end = len(rest.rstrip(b"\r\n")) if self._is_passing else 0
        self._held = rest[end:]
        return rest[:end]

    def end(self) -> bytes:
        """What is left of a stream that ends within an event."""
        rest, self._held = self._held, b""
        return b"" if not self._is_passing and is_usage_alone(rest) else rest


def is_usage_alone(event: bytes) -> bool:
    if not _usage.search(event):
        return False
    try:
        chunks = [_decode(data) for _, data in events(_line_end.sub(b"\n", event))]
    except UNREADABLE:
        return False
    return bool(chunks) and all(isinstance(one, dict) and one.get("choices") == [] and isinstance(one.get("usage"), dict) for one in chunks)
