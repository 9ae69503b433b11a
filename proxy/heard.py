"""A provider's refusal, read before it is decided whether the caller gets to see it, and still there to be passed on as it came."""

from typing import Self

from proxy.asgi import Fields
from proxy.upstream import Response

# More than any provider's error; what is longer is passed on without being read to its end.
MOST = 64 * 1024


class Heard:
    """A Response whose first bytes have been read."""

    __slots__ = ("_read", "_rest", "body", "headers", "status")

    def __init__(self, response: Response, body: bytes, *, is_whole: bool) -> None:
        self.status = response.status
        self.headers: Fields = response.headers
        self.body = body
        self._read = not body
        self._rest = None if is_whole else response

    @classmethod
    async def of(cls, response: Response) -> Self:
        """Raises ProviderError. The connection is free again when all of it was read."""
        pieces, size = [], 0
        while size < MOST and (piece := await response.read()):
            pieces.append(piece)
            size += len(piece)
        is_whole = size < MOST
        if is_whole:
            response.close()
        return cls(response, b"".join(pieces), is_whole=is_whole)

    async def read(self) -> bytes:
        if not self._read:
            self._read = True
            return self.body
        return b"" if self._rest is None else await self._rest.read()

    def close(self) -> None:
        if self._rest is not None:
            self._rest.close()
