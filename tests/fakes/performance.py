"""Plays one `Answer` to one client and puts on the bill what was really generated."""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from tests.fakes.bill import BillRow
from tests.fakes.line import Line
from tests.fakes.messages import CALL_ID_PLACE, Piece, Reply, event
from tests.fakes.script import BEFORE_HEADERS, Answer

_OVERLOADED = event("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})


class ConnectionBroken(Exception):
    """The script broke the connection: not the client's doing."""


class _EndedEarly(Exception):
    """The script ended the answer before its last piece."""


class Meter:
    """Charges a call once: all of it when it was generated to its end, else what was generated so far."""

    def __init__(self, call_id: str, reply: Reply, charge: Callable[[BillRow], None], marker: str = "") -> None:
        self._call_id, self._reply, self._charge, self._marker = call_id, reply, charge, marker
        self._tokens = 0
        self._is_charged = False

    def pass_piece(self, piece: Piece) -> None:
        self._tokens = piece.tokens
        # Before the last bytes leave, so that a reader of the whole answer finds the row.
        if piece.is_last:
            self._post(is_complete=True)

    def stop(self) -> None:
        self._post(is_complete=False)

    def _post(self, *, is_complete: bool) -> None:
        if self._is_charged:
            return
        self._is_charged = True
        usage = {**self._reply.usage, "output_tokens": self._tokens}
        if not is_complete:
            usage.pop("iterations", None)
        self._charge(BillRow(self._call_id, self._reply.model, usage, is_complete, self._marker))


class Performance:
    def __init__(self, line: Line, answer: Answer, meter: Meter, call_id: str) -> None:
        self._line, self._answer, self._meter, self._call_id = line, answer, meter, call_id
        self._rest: Iterator[Piece] = iter(())

    async def play(self, headers: list[tuple[str, str]], pieces: Iterable[Piece]) -> None:
        self._rest = iter(pieces)
        try:
            await self._open(headers)
            await self._speak()
        except _EndedEarly:
            await self._line.finish()
        finally:
            self._settle()

    def _settle(self) -> None:
        """Charges from the headers on; `bills_on` charges the rest of an abandoned answer too."""
        if self._answer.bills_on:
            for piece in self._rest:
                self._meter.pass_piece(piece)
        if self._line.is_started:
            self._meter.stop()

    async def _open(self, headers: list[tuple[str, str]]) -> None:
        answer = self._answer
        if answer.fault is not None and answer.fault_after == BEFORE_HEADERS:
            await self._strike()
        await self._line.pause(answer.delay_s)
        await self._line.start(answer.status, headers, gzip=answer.gzip, chunk_size=answer.chunk_size)

    async def _speak(self) -> None:
        answer = self._answer
        for number, piece in enumerate(self._rest):
            if answer.fault is not None and number == answer.fault_after:
                await self._strike()
            self._meter.pass_piece(piece)
            await self._line.write(self._dress(piece.data))
            if not piece.is_last:
                await self._line.pause(answer.gap_s)
        await self._line.finish()

    def _dress(self, data: bytes) -> bytes:
        data = data.replace(CALL_ID_PLACE, self._call_id.encode())
        if self._answer.comments:
            data = b": keep-alive\n\n" + data
        return data.replace(b"\n", b"\r\n") if self._answer.crlf else data

    async def _strike(self) -> None:
        if self._answer.fault == "stall":
            await self._stall()
            return
        self._settle()
        match self._answer.fault:
            case "reset" | "eof" as fault:
                await self._line.break_off(reset=fault == "reset")
                raise ConnectionBroken
            case "error":
                await self._line.write(self._dress(_OVERLOADED))
                raise _EndedEarly
            case _:
                raise _EndedEarly

    async def _stall(self) -> None:
        if self._answer.gate is None:
            await self._line.wait_until_gone()
            return
        opened = asyncio.ensure_future(self._answer.gate.wait())
        left = asyncio.ensure_future(self._line.wait_until_gone())
        done, pending = await asyncio.wait({opened, left}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        for task in done:
            task.result()
