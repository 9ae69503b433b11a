"""Server-sent events: bytes ↔ events, nothing else. Cutting is done on copies; the relay never waits for it."""

from collections.abc import Iterator

MAX_EVENT_BYTES = 1024 * 1024


class Cutter:
    """Cuts a byte stream at blank lines. An event longer than MAX_EVENT_BYTES is skipped to its end, so garbage cannot fill memory."""

    __slots__ = ("_skipping", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._skipping = False

    @property
    def at_boundary(self) -> bool:
        return not self._tail and not self._skipping

    def feed(self, chunk: bytes) -> bytes:
        """The whole events that `chunk` completes, as one run of bytes (possibly empty). CR and CRLF ends are turned into LF."""
        if b"\r" in chunk or self._tail[-1:] == b"\r":
            return self._feed_any_newline(chunk)
        buffer = self._tail + chunk if self._tail else chunk
        end = buffer.rfind(b"\n\n")
        if end < 0:
            self._keep(buffer)
            return b""
        self._keep(buffer[end + 2 :])
        whole = buffer[: end + 2]
        return self._drop_skipped(whole) if self._skipping else whole

    def _feed_any_newline(self, chunk: bytes) -> bytes:
        held = b"\r" if chunk.endswith(b"\r") else b""
        joined = (self._tail + chunk)[: -1 if held else None]
        text = joined.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._tail = b""
        whole = self.feed(text)
        self._tail += held
        return whole

    def _keep(self, rest: bytes) -> None:
        if len(rest) > MAX_EVENT_BYTES:
            self._skipping = True
            rest = rest[-1:]
        self._tail = rest

    def _drop_skipped(self, whole: bytes) -> bytes:
        self._skipping = False
        return whole[whole.find(b"\n\n") + 2 :]


def events(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """(event name, data) of each event in a run of whole events. Comments are passed over; data lines are joined by newlines."""
    for block in whole.split(b"\n\n"):
        name = ""
        data: list[bytes] = []
        for line in block.split(b"\n"):
            if line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line.startswith(b"event:"):
                name = line[6:].strip().decode("utf-8", "replace")
        if data:
            yield name, b"\n".join(data)


def event(name: str, data: bytes) -> bytes:
    """One event as it goes on the wire."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
