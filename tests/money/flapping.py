"""Two deployments of one model, one of them behind a proxy that does it harm before the first byte, and calls that shall not notice."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.answers import Part
from tests.chaos.load import Call
from tests.chaos.scopes import Cast, Key
from tests.chaos.town import ALONE, Town, provider, town
from tests.fakes.bill import BillRow, read_bill
from tests.fakes.fault_proxy import Fault, FaultProxy, Flap, fault_proxy
from tests.fakes.provider import DEFAULT_KEY
from tests.gateway_project.running import Serving

AT_ONCE = 16
SEED = 4
# Of what the proxy gets to see. What breaks off after the provider was at work does so after the first byte of its head: a kept connection
# that breaks without any is taken for one that the provider had hung up.
SHARE = 0.35
FAULTS = (
    Fault(act="reset", place="request"),
    Fault(act="eof", place="request"),
    Fault(act="reset", place="head", after=1),
    Fault(act="reset", place="head", after=60),
    Fault(act="eof", place="head", after=60),
    Fault(status=429),
    Fault(status=500),
    Fault(status=529),
)
MODEL = "flapping"
BOB = Key("bob", "blue")
PARTS = (Part(MODEL, 1, is_stream=True), Part(MODEL, 1, is_stream=False), Part(MODEL, 1, is_stream=False))
CONFIG = """
model_list:
  - {{model_name: {model}, litellm_params: {{model: anthropic/chaos-quick, api_base: "{steady}", api_key: {key}}}}}
  - {{model_name: {model}, litellm_params: {{model: anthropic/chaos-quick, api_base: "{flapping}", api_key: {key}}}}}
router_settings: {{cooldown_time: 0.02}}
"""
HEAD = (
    f"POST /v1/messages HTTP/1.1\r\nhost: gateway\r\nx-api-key: {BOB.token}\r\nanthropic-version: 2023-06-01\r\n"
    "content-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
HEAD_END, LAST_CHUNK = b"\r\n\r\n", b"\r\n0\r\n\r\n"
_length = re.compile(rb"\r\ncontent-length: *([0-9]+)")
_code = re.compile(rb"\r\nx-tallygate-error-code: *([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Pair:
    """The town and the proxy before the second of its two providers."""

    place: Town
    proxy: FaultProxy

    @contextmanager
    def serving(self, *words: str) -> Iterator[Serving]:
        config = self.place.home.parent / "config.yaml"
        config.write_text(CONFIG.format(model=MODEL, steady=self.place.upstream, flapping=self.proxy.url, key=DEFAULT_KEY))
        with self.place.serving(ALONE, "--config", str(config), *words) as (server,):
            yield server

    def billed(self) -> list[BillRow]:
        return self.place.billed() + read_bill(_second_bill(self.place))


def _second_bill(place: Town) -> Path:
    return place.bill.with_name("flapping.jsonl")


@contextmanager
def pair(kind: str) -> Iterator[Pair]:
    with town(kind, Cast((BOB,))) as place, provider(_second_bill(place)) as upstream, fault_proxy(upstream) as proxy:
        proxy.flap(Flap(FAULTS, SHARE, SEED))
        yield Pair(place, proxy)


def calls(count: int) -> list[Call]:
    return [Call(number, BOB, PARTS[number % len(PARTS)], 0) for number in range(count)]


@dataclass(slots=True)
class Traffic:
    """Calls to one gateway, so many at once, each caller on a connection that it keeps. `outcomes` counts how they ended.

    Without an HTTP library, which takes longer for a call than the gateway does.
    """

    port: int
    proxy: FaultProxy
    outcomes: Counter[str] = field(default_factory=Counter)

    def run(self, calls: Sequence[Call]) -> None:
        """While the middle tenth is made nobody listens where the proxy is."""
        first, second = len(calls) * 4 // 10, len(calls) * 5 // 10
        self._go_through(calls[:first])
        with self.proxy.shut():
            self._go_through(calls[first:second])
        self._go_through(calls[second:])

    def _go_through(self, calls: Sequence[Call]) -> None:
        asyncio.run(self._share_out(iter(calls)))

    async def _share_out(self, waiting: Iterator[Call]) -> None:
        await asyncio.gather(*(self._caller(waiting) for _ in range(AT_ONCE)))

    async def _caller(self, waiting: Iterator[Call]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for call in waiting:
            body = call.body()
            writer.write((HEAD % len(body)).encode() + body)
            self.outcomes[await _outcome(call, reader)] += 1
        writer.close()
        await writer.wait_closed()


async def _outcome(call: Call, reader: asyncio.StreamReader) -> str:
    head = await reader.readuntil(HEAD_END)
    length = _length.search(head)
    content = await (reader.readexactly(int(length[1])) if length else reader.readuntil(LAST_CHUNK))
    if not head.startswith(b"HTTP/1.1 200 "):
        code = _code.search(head)
        return code[1].decode() if code else head[:20].decode()
    return "served" if (b"event: message_stop" if call.part.is_stream else b'"stop_reason"') in content else "cut"
