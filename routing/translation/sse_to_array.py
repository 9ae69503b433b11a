"""Gemini's chunks for callers that want one JSON array instead of server-sent events: each chunk's own bytes, with others between.

Chunks may hold pictures, so they may be long; one that is longer than any is left out, so that garbage cannot fill memory.
"""

from routing.wire.sse import events

MAX_CHUNK_BYTES = 64 * 1024 * 1024


class ToArray:
    def __init__(self) -> None:
        self._tail = bytearray()
        self._has_begun = False

    def feed(self, chunk: bytes) -> bytes:
        seen = max(0, len(self._tail) - 2)
        self._tail += chunk
        end = max(self._tail.rfind(b"\n\n", seen) + 2, self._tail.rfind(b"\n\r\n", seen) + 3)
        if end < 3:
            if len(self._tail) > MAX_CHUNK_BYTES:
                self._tail.clear()
            return b""
        whole = bytes(self._tail[:end]).replace(b"\r\n", b"\n")
        del self._tail[:end]
        elements = [data for _, data in events(whole)]
        if not elements:
            return b""
        opening = b",\r\n" if self._has_begun else b"["
        self._has_begun = True
        return opening + b",\r\n".join(elements)

    def end(self) -> bytes:
        return b"]" if self._has_begun else b"[]"

    def whole(self, body: bytes) -> bytes:
        return body
