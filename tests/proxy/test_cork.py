"""Writes of one turn of the event loop: the first connection's at once, the others' together at its end, in order."""

import asyncio
from collections.abc import Iterable

import pytest

from proxy.cork import MOST_BYTES, Cork, CorkedTransport


class Recorder(asyncio.Transport):
    """What a transport was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bytes | str] = []
        self.is_gone = self.is_broken = False

    def writelines(self, list_of_data: Iterable[bytes]) -> None:  # type: ignore[override]
        if self.is_broken:
            raise RuntimeError("the handle is closed")
        self.told.append(b"".join(list_of_data))

    def write_eof(self) -> None:
        self.told.append("eof")

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")

    def is_closing(self) -> bool:
        return self.is_gone

    def get_write_buffer_size(self) -> int:
        return 7


def pair() -> tuple[Recorder, CorkedTransport, Recorder, CorkedTransport]:
    cork, first, second = Cork(), Recorder(), Recorder()
    return first, CorkedTransport(first, cork), second, CorkedTransport(second, cork)


def test_lone_write_waits_for_nothing() -> None:
    async def turns() -> None:
        plain, transport, *_ = pair()
        for number in range(3):
            transport.write(b"head %d" % number)
            transport.write(b"body %d" % number)
            assert plain.told[-2:] == [b"head %d" % number, b"body %d" % number]
            await asyncio.sleep(0)
        assert len(plain.told) == 6

    asyncio.run(turns())


def test_what_follows_in_a_turn_leaves_together_at_its_end() -> None:
    async def turns() -> None:
        first, one, second, other = pair()
        one.write(b"a")
        other.write(b"b")
        other.writelines((b"c", b"d"))
        one.write(b"e")
        assert (first.told, second.told) == ([b"a", b"e"], [])
        await asyncio.sleep(0)
        assert (first.told, second.told) == ([b"a", b"e"], [b"bcd"])
        other.write(b"f")
        one.write(b"g")
        assert (first.told, second.told) == ([b"a", b"e"], [b"bcd", b"f"])

    asyncio.run(turns())


@pytest.mark.parametrize("end", ["close", "write_eof"])
def test_end_of_a_connection_comes_after_what_was_held_back(end: str) -> None:
    async def turns() -> None:
        _, one, second, other = pair()
        one.write(b"a")
        other.write(b"last words")
        getattr(other, end)()
        assert second.told == [b"last words", end.removeprefix("write_")]
        await asyncio.sleep(0)
        assert len(second.told) == 2

    asyncio.run(turns())


def test_aborted_connection_takes_what_was_held_back_with_it() -> None:
    async def turns() -> None:
        _, one, second, other = pair()
        one.write(b"a")
        other.write(b"b")
        other.abort()
        await asyncio.sleep(0)
        assert second.told == ["abort"]

    asyncio.run(turns())


def test_what_is_held_back_counts_as_unwritten() -> None:
    async def turns() -> None:
        _, one, _, other = pair()
        one.write(b"a")
        other.write(b"four")
        assert (one.get_write_buffer_size(), other.get_write_buffer_size()) == (7, 11)
        await asyncio.sleep(0)
        assert other.get_write_buffer_size() == 7

    asyncio.run(turns())


def test_nothing_is_written_to_a_connection_that_went_meanwhile() -> None:
    async def turns() -> None:
        _, one, second, other = pair()
        one.write(b"a")
        other.write(b"b")
        second.is_gone = True
        await asyncio.sleep(0)
        assert second.told == []

    asyncio.run(turns())


def test_much_is_not_held_back() -> None:
    async def turns() -> None:
        _, one, second, other = pair()
        one.write(b"a")
        other.write(bytes(MOST_BYTES))
        assert second.told == []
        other.write(b"!")
        assert second.told == [bytes(MOST_BYTES) + b"!"]

    asyncio.run(turns())


def test_connection_that_fails_keeps_nothing_from_the_others() -> None:
    async def turns() -> None:
        heard: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["exception"]))
        cork = Cork()
        plains = [Recorder() for _ in range(4)]
        transports = [CorkedTransport(plain, cork) for plain in plains]
        for transport in transports:
            transport.write(b"a")
        plains[1].is_broken = plains[2].is_broken = True
        for _ in range(3):
            await asyncio.sleep(0)
        assert [plain.told for plain in plains] == [[b"a"], [], [], [b"a"]]
        assert [type(error) for error in heard] == [RuntimeError, RuntimeError]

    asyncio.run(turns())


class Record:
    """What must be on record: `asked` how often, and whether it can be."""

    def __init__(self) -> None:
        self.asked, self.is_full = 0, False

    def commit(self) -> None:
        self.asked += 1
        if self.is_full:
            raise OSError("no space left")


def recorded() -> tuple[Record, list[Recorder], list[CorkedTransport]]:
    """Three connections in a turn; what the first two write has to be on record."""
    record, plains = Record(), [Recorder() for _ in range(3)]
    cork = Cork(record.commit)
    transports = [CorkedTransport(plain, cork) for plain in plains]
    for transport in transports[:2]:
        transport.is_recorded = True
    return record, plains, transports


@pytest.mark.parametrize("is_first", [True, False])
def test_what_must_be_on_record_leaves_when_it_is(is_first: bool) -> None:
    async def turns() -> None:
        record, plains, transports = recorded()
        if not is_first:
            transports[2].write(b"free")
        for transport in transports[:2]:
            transport.write(b"a")
        assert (record.asked, [plain.told for plain in plains[:2]]) == (0, [[], []])
        await asyncio.sleep(0)
        assert (record.asked, [plain.told for plain in plains[:2]]) == (2, [[b"a"], [b"a"]])

    asyncio.run(turns())


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("size", [1, MOST_BYTES + 1])
def test_what_cannot_be_put_on_record_does_not_leave_and_the_rest_does(is_first: bool, size: int) -> None:
    async def turns() -> None:
        record, plains, transports = recorded()
        record.is_full = True
        for transport in transports if is_first else transports[::-1]:
            transport.write(bytes(size))
        await asyncio.sleep(0)
        assert [plain.told for plain in plains] == [["abort"], ["abort"], [bytes(size)]]
        assert [transport.is_refused for transport in transports] == [True, True, False]

    asyncio.run(turns())
