"""Server-sent events: bytes ↔ events, nothing else. Cutting is done on copies; the relay never waits for it."""

from collections.abc import Iterator

MAX_EVENT_BYTES = 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Cutter:
    """Cuts a byte stream at blank lines. An event longer than `max_bytes` is skipped to its end, so garbage cannot fill memory."""

    __slots__ = ("_after_cr", "_max_bytes", "_skipping", "_tail")

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._tail = b""
        self._skipping = False
        self._after_cr = False

    @property
    def at_boundary(self) -> bool:
        return not self._tail and not self._skipping

    def feed(self, chunk: bytes) -> bytes:
        """The whole events that `chunk` completes, as one run of bytes (possibly empty). CR and CRLF ends are turned into LF."""
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        buffer = self._tail + chunk if self._tail else chunk
        end = buffer.rfind(b"\n\n")
        if end < 0:
            self._keep(buffer)
            return b""
        whole = buffer[: end + 2]
        if self._skipping:
            self._skipping = False
            whole = whole[whole.find(b"\n\n") + 2 :]
        self._keep(buffer[end + 2 :])
        return whole

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        """A CR ends its line at once; an LF that follows it, even in the next chunk, is its second half."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        self._after_cr = self._after_cr or chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _keep(self, rest: bytes) -> None:
        if self._skipping or len(rest) > self._max_bytes:
            self._skipping = True
            rest = rest[-1:]
        self._tail = rest


def events(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """(event name, data) of each event in a run of whole events. Comments are passed over; data lines are joined by newlines."""
    for block in whole.removeprefix(BYTE_ORDER_MARK).split(b"\n\n"):
        name = ""
        data: list[bytes] = []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ").decode("utf-8", "replace")
        if data:
            yield name, b"\n".join(data)


def event(name: str, data: bytes) -> bytes:
    """One event as it goes on the wire."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
