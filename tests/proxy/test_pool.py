"""What is asked of the system for each connection to a provider."""

import asyncio
import socket

import pytest

from proxy.pool import GONE_AFTER_S, IDLE_S, MAX_AGE_S, TCP_OPTIONS, Pool, place


async def options_of(port: int, *options: tuple[int, int]) -> list[int]:
    """As they are in force on a fresh connection."""
    connection = await Pool().connect(place(f"http://127.0.0.1:{port}", is_trusted=True).origin, 5)
    try:
        sock = connection._transport.get_extra_info("socket")
        return [sock.getsockopt(level, option) for level, option in options]
    finally:
        connection.close()


@pytest.mark.skipif(not all(hasattr(socket, name) for name in TCP_OPTIONS), reason="this system knows other options")
def test_provider_whose_machine_is_gone_is_found_out_within_a_minute() -> None:
    """R58: nothing else would tell a call that waits for an answer, or writes a request to nobody."""
    wanted = [(socket.IPPROTO_TCP, getattr(socket, name)) for name in TCP_OPTIONS]
    with socket.create_server(("127.0.0.1", 0)) as server:
        alive, *found = asyncio.run(options_of(server.getsockname()[1], (socket.SOL_SOCKET, socket.SO_KEEPALIVE), *wanted))
    assert alive
    idle_s, interval_s, count, unheard_ms = found
    assert idle_s + interval_s * count == unheard_ms // 1000 == GONE_AFTER_S


def test_system_without_these_options_connects_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TCP_OPTIONS, "TCP_OF_ANOTHER_SYSTEM", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert asyncio.run(options_of(server.getsockname()[1], (socket.SOL_SOCKET, socket.SO_KEEPALIVE)))


async def is_kept(port: int, age_s: float, idle_s: float) -> tuple[bool, bool]:
    """Whether a connection of that age, idle for so long, is there for the next call; and whether one in use outlives the sweep."""
    pool, origin = Pool(), place(f"http://127.0.0.1:{port}", is_trusted=True).origin
    idle, used = await pool.connect(origin, 5), await pool.connect(origin, 5)
    idle.opened_at -= age_s
    pool.give_back(origin, idle)
    idle.idle_since -= idle_s
    used.idle_since -= idle_s
    pool._sweep()
    try:
        return pool.take(origin) is idle, used.is_reusable
    finally:
        pool.close()
        idle.close()
        used.close()


@pytest.mark.parametrize(("age_s", "idle_s", "kept"), [(0, 0, True), (MAX_AGE_S + 1, 0, False), (0, IDLE_S + 1, False)])
def test_connection_that_is_old_or_was_idle_for_long_is_not_used_again(age_s: float, idle_s: float, kept: bool) -> None:
    """R65: and none is closed under the call that has it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert asyncio.run(is_kept(server.getsockname()[1], age_s, idle_s)) == (kept, True)
