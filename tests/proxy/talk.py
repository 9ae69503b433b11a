"""What the streaming tests say and to whom: bare sockets to the gateway, and an upstream that plays given bytes."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from billing.journal import Opened
from proxy.plane import Plane
from routing.snapshot import DeploymentSnapshot
from tests.fakes.line import ClientLeft, Line, Seen, read_body
from tests.fakes.messages import event, plain_usage
from tests.fakes.script import Gate
from tests.fakes.serving import Receive, Scope, Send, serve_in_thread
from tests.lines import whole_lines
from tests.proxy.rig import ALICE, Gateway, Rig

PATIENCE_S = 20.0
MODEL = "claude-opus-5-5"
HEADERS = {"x-api-key": ALICE, "anthropic-version": "2023-06-01"}

START = event("message_start", {"message": {"id": "msg_1", "model": MODEL, "content": [], "usage": plain_usage(9, 1)}})
OPEN = event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
TEXT = event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Grüße, 世界 🙂"}})
CLOSE = event("content_block_stop", {"index": 0})
DELTA = event("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 12}})
STOP = event("message_stop", {})
WHOLE = (START, OPEN, TEXT, CLOSE, DELTA, STOP)


def ask(model: str = MODEL, **fields: object) -> dict[str, object]:
    return {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}], **fields}


def post(rig: Rig, **fields: Any) -> httpx.Response:
    return httpx.post(f"{rig.url}/v1/messages", json=ask(**fields), headers=HEADERS, timeout=PATIENCE_S)


@contextmanager
def streaming(rig: Rig, **fields: Any) -> Iterator[httpx.Response]:
    """A stream under way, read as it comes."""
    body = ask(**{"stream": True, **fields})
    with httpx.stream("POST", f"{rig.url}/v1/messages", json=body, headers=HEADERS, timeout=PATIENCE_S) as answer:
        yield answer


def dial(rig: Rig) -> socket.socket:
    address = urlsplit(rig.url)
    return socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=PATIENCE_S)


def request(body: bytes, *fields: str, length: int | None = None) -> bytes:
    """A call as it goes on the wire; `length` may lie."""
    announced = [] if any("chunked" in field for field in fields) else [f"content-length: {len(body) if length is None else length}"]
    head = ["POST /v1/messages HTTP/1.1", "host: gw", "content-type: application/json", *announced, *fields]
    known = [] if any("x-api-key" in field for field in fields) else [f"x-api-key: {ALICE}"]
    return "\r\n".join([*head, *known, "", ""]).encode() + body


def call(rig: Rig, **fields: Any) -> socket.socket:
    """A bare connection on which a call was just sent."""
    client = dial(rig)
    client.sendall(request(json.dumps(ask(**fields)).encode()))
    return client


def read_until(client: socket.socket, mark: bytes) -> bytes:
    """What came up to and with `mark`; fails when the connection ends first."""
    seen = b""
    while mark not in seen:
        piece = client.recv(65536)
        assert piece, f"the connection ended before {mark!r}: {seen[-300:]!r}"
        seen += piece
    return seen


def read_to_end(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < end:
        Event().wait(0.005)
    assert condition()


@dataclass
class Player:
    """An upstream that plays pieces of bytes; waits for `hold` before one of them (-1: the headers), at the end for the client to go."""

    pieces: Sequence[bytes]
    content_type: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()
    status: int = 200
    hold: Gate | None = None
    hold_after: int = 1000
    lingers: bool = False
    seen: Seen | None = None
    arrived: Event = field(default_factory=Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen = Seen("1", "POST", scope["raw_path"], b"", list(scope["headers"]), await read_body(receive))
        self.arrived.set()
        try:
            async with Line(scope, receive, send, self.seen) as line:
                await self._play(line)
        except ClientLeft:
            self.seen.aborted = True
        finally:
            self.seen.finished.set()

    async def _play(self, line: Line) -> None:
        if self.hold is not None and self.hold_after == -1:
            await self.hold.wait()
        await line.start(self.status, [("content-type", self.content_type), *self.headers])
        for number, piece in enumerate(self.pieces):
            if self.hold is not None and number == self.hold_after:
                await self.hold.wait()
            await line.write(piece)
        if self.lingers:
            await line.wait_until_gone()
        await line.finish()


@contextmanager
def playing(rig: Rig, player: Player, **changes: Any) -> Iterator[str]:
    """The name of a model that `player` serves."""
    with serve_in_thread(player) as url:
        yield reroute(rig, replace(rig.deployment, base_url=url, **changes))


def reroute(rig: Rig, *deployments: DeploymentSnapshot) -> str:
    """The name of a model with these deployments, in this order; all serve the one that has a price."""
    rig.gateway.route("claude-rerouted", *(replace(one, model=MODEL) for one in deployments))
    return "claude-rerouted"


def sse(stream: bytes) -> list[str]:
    """The names of the events of a whole stream."""
    return [line.removeprefix("event: ") for line in stream.decode().splitlines() if line.startswith("event: ")]


def wait_until(claim: Callable[[], bool]) -> None:
    """For state that announces itself to nobody."""
    end = time.monotonic() + PATIENCE_S
    while not claim() and time.monotonic() < end:
        Event().wait(0.005)
    assert claim()


def plane_of(rig: Rig) -> Plane:
    assert rig.gateway.plane is not None
    return rig.gateway.plane


def until_left(rig: Rig) -> None:
    """Waits until the gateway knows that its one caller is gone."""
    wait_until(lambda: all(exchange.client.has_left for exchange in plane_of(rig).live))


def openings(gateway: Gateway) -> list[tuple[str, Opened]]:
    """The attempts on record before they were sent: (attempt id, what is known of it)."""
    assert gateway.plane is not None
    lines = [line for path in sorted(gateway.plane.journal.folder.glob("*.log")) for line in whole_lines(path)]
    found = [line.split(b" ", 2) for line in lines if line.startswith(b"o ")]
    return [(attempt_id.decode(), msgspec.json.decode(text, type=Opened)) for _, attempt_id, text in found]


def sent_bytes(rig: Rig) -> int:
    """How much the fake's newest answer came to, once it is over."""
    assert rig.fake.seen[-1].finished.wait(PATIENCE_S)
    return rig.fake.seen[-1].sent_bytes
