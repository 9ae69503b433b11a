"""The data plane behind our own server, which lends it the caller's connection: leaving is told at once, and a stalled reader is cut."""

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway_project.server import GatewayProtocol, ServerLimits
from proxy.cork import Cork
from proxy.limits import Limits
from tests.fakes.script import Answer, Gate
from tests.proxy.rig import ALICE, Rig, running
from tests.proxy.talk import read_until

ASK = b'{"model":"claude-opus-5-5","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"Hello"}]}'


HUGE = 64 * 1024 * 1024
CALLERS = 40


class LendingProtocol(GatewayProtocol):
    """Our server's protocol under a plain uvicorn configuration."""

    def __init__(self, config: Any, *arguments: Any, **options: Any) -> None:
        config.limits = ServerLimits()
        if not hasattr(config, "cork"):  # one for all connections of a server, as in the product
            config.cork = Cork()
        super().__init__(config, *arguments, **options)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path, Limits(sweep_s=0.02, write_stall_s=0.3), http=LendingProtocol) as started:
        yield started


def dial(rig: Rig) -> socket.socket:
    parts = urlsplit(rig.url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=20)
    head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: {ALICE}\r\nContent-Length: {len(ASK)}\r\n\r\n"
    connection.sendall(head.encode() + ASK)
    return connection


def until_closed(connection: socket.socket) -> bytes:
    """What is still to be had before the connection ends, in whichever way."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1024 * 1024):
            received += piece
    return bytes(received)


def test_calls_are_served_one_after_another_on_one_connection(rig: Rig) -> None:
    with httpx.Client(base_url=rig.url, headers={"x-api-key": ALICE}) as client:
        assert [client.post("/v1/messages", content=ASK).status_code for _ in range(3)] == [200, 200, 200]
    assert [entry.summary.outcome for entry in rig.gateway.closings(3)] == ["ok", "ok", "ok"]


def test_answers_that_come_all_at_once_reach_each_its_own_caller_whole(rig: Rig) -> None:
    gate = Gate()
    rig.fake.script(*[Answer(fault="stall", fault_after=3, gate=gate)] * CALLERS)
    with contextlib.ExitStack() as stack:
        callers = [stack.enter_context(dial(rig)) for _ in range(CALLERS)]
        rig.fake.wait_for_call(CALLERS)
        gate.open()
        answers = [read_until(caller, b"0\r\n\r\n") for caller in callers]
    told = [re.findall(rb"\r\nrequest-id: (\S+)\r\n", answer) for answer in answers]
    assert sorted(told) == sorted([entry.summary.id.encode()] for entry in rig.gateway.closings(CALLERS))
    assert {(answer.count(b"event: message_start"), answer.count(b"event: message_stop")) for answer in answers} == {(1, 1)}


def test_leaving_a_silent_stream_is_noticed_and_ends_the_provider_call(rig: Rig) -> None:
    rig.fake.script(Answer(fault="stall", fault_after=3))
    with dial(rig) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert rig.gateway.closings()[0].summary.outcome == "client_left"
    assert rig.fake.seen[-1].finished.wait(10)
    assert rig.fake.seen[-1].aborted


def test_reader_that_takes_nothing_is_cut(rig: Rig) -> None:
    rig.fake.script(Answer(huge_bytes=HUGE))
    with dial(rig) as connection:
        entry = rig.gateway.closings()[0]
        assert entry.summary.error_code == "client_stalled"
        assert len(until_closed(connection)) < HUGE // 2
    assert rig.fake.seen[-1].aborted
