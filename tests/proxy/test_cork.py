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
