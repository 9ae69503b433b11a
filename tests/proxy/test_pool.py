"""What is asked of the system for each connection to a provider."""

import asyncio
import socket

import pytest

from proxy.pool import GONE_AFTER_S, TCP_OPTIONS, Pool, place


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
