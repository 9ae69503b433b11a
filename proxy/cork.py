"""A cork on the connections: under load, what is written in one turn of the event loop leaves together when the turn is over.

A lone call waits for nothing. uvloop sends each write at once. With many calls under way every single one then wakes the other side,
which has gone back to sleep while the next call was worked on: of 70 us that the kernel took per call, more than half went into waking
(docs/decisions/004).

What must be on record before it leaves always waits for the end of the turn: one write of the journal does for all of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from routing.dialects.pieces import Piece

# More than this is sent without waiting, so that a transport says in time that its reader is slow.
MOST_BYTES = 1024 * 1024


def all_is_on_record() -> None:
    """Where nothing has to be."""


class Cork:
    """One event loop's turns, and the transports that hold something back in the present one.

    `commit` puts on record what is not yet, and raises OSError where it cannot.
    """

    def __init__(self, commit: Callable[[], None] = all_is_on_record) -> None:
        self._commit = commit
        self._first: CorkedTransport | None = None
        self._holding: deque[CorkedTransport] = deque()

    def is_first(self, transport: "CorkedTransport") -> bool:
        """Whether no other transport has written in this turn before."""
        if self._first is None:
            self._first = transport
            asyncio.get_running_loop().call_soon(self._end_turn)
        return self._first is transport

    def hold(self, transport: "CorkedTransport") -> None:
        self._holding.append(transport)

    def is_on_record(self) -> bool:
        try:
            self._commit()
        except OSError:
            return False
        return True

    def _end_turn(self) -> None:
        self._first = None
        try:
            while self._holding:
                self._holding.popleft().send()
        finally:  # what befalls one connection is not the others'
            if self._holding:
                asyncio.get_running_loop().call_soon(self._end_turn)


class CorkedTransport:
    """An asyncio.Transport that holds back what is written until the turn is over. Nothing overtakes it, and no close loses it.

    `is_recorded`: what is written must be on record before it leaves, and always waits, so that a turn makes one record of all its calls.
    Where that cannot be, nothing leaves, the connection is broken off, and `is_refused` says why.
    """

    def __init__(self, transport: asyncio.Transport, cork: Cork) -> None:
        self._transport = transport
        self._cork = cork
        self._pieces: list[Piece] = []
        self._size = 0
        self.is_recorded = self.is_refused = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self.writelines((data,))

    def writelines(self, pieces: tuple[Piece, ...]) -> None:
        if not self._pieces:
            if self._cork.is_first(self) and not self.is_recorded:
                self._hand_over(pieces)
                return
            self._cork.hold(self)
        self._pieces += pieces
        self._size += sum(map(len, pieces))
        if self._size > MOST_BYTES:
            self.send()

    def send(self) -> None:
        """Hands over what was held back; to a connection that is gone it is lost, as any write is."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        if pieces and not self._transport.is_closing():
            self._hand_over(pieces)

    def _hand_over(self, pieces: Sequence[Piece]) -> None:
        if self.is_recorded and not self._cork.is_on_record():
            self.is_refused = True
            self._transport.abort()
        else:
            self._transport.writelines(pieces)

    def get_write_buffer_size(self) -> int:
        return self._size + self._transport.get_write_buffer_size()

    def write_eof(self) -> None:
        self.send()
        self._transport.write_eof()

    def close(self) -> None:
        self.send()
        self._transport.close()

    def abort(self) -> None:
        self._pieces, self._size = [], 0
        self._transport.abort()
