"""Callers leave at every moment: it is noticed, settled once and never for nothing; the server's own stop likewise."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from billing.bank import Bank
from billing.catalogue import catalogue
from billing.journal import Entry, Journal
from billing.snapshot import PriceBook
from proxy.app import DataPlane
from proxy.asgi import Fields, Message, Scope
from proxy.limits import Limits
from proxy.plane import Plane
from proxy.snapshot import Snapshot
from proxy.upstream import Response, Upstream
from routing.providers.base import UpstreamRequest
from routing.providers.registry import PROVIDERS
from routing.snapshot import DeploymentSnapshot
from tests.fakes.messages import plain_usage
from tests.fakes.script import Answer, Gate
from tests.fakes.serving import serve_in_thread
from tests.proxy.house import House
from tests.proxy.rig import ALICE, Gateway, Rig, caller
from tests.proxy.talk import MODEL, PATIENCE_S, WHOLE, Player, ask, call, dial, openings, playing, read_until, request, reroute, until_left
from tests.proxy.treasury import MemoryTreasury

LONG_TOKENS = 200
# Twenty deltas of 40 characters: ten tokens each, as the bill counts them.
LONG = Answer(
    blocks=({"type": "text", "text": "ten tokens of a text of forty letters.. " * 20},), deltas=20, usage=plain_usage(30, LONG_TOKENS)
)


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@pytest.fixture
def bills_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model at a provider that charges an abandoned call to its end."""
    monkeypatch.setitem(PROVIDERS, "stubborn", replace(PROVIDERS["anthropic"], name="stubborn", cancel_stops_billing=False))
    return reroute(rig, replace(rig.deployment, provider="stubborn"))


def only_closing(rig: Rig) -> Entry:
    (entry,) = rig.gateway.closings()
    return entry


# R8
@pytest.mark.parametrize(
    ("place", "mark"),
    [(0, b"\r\n\r\n"), (1, b"message_start"), (3, b"content_block_start"), (12, b"ten tokens"), (24, b"content_block_stop")],
    ids=["after headers", "after message_start", "before text", "mid text", "before message_delta"],
)
def test_leaving_a_silent_stream_cancels_it_and_settles(rig: Rig, place: int, mark: bytes) -> None:
    rig.fake.script(replace(LONG, fault="stall", fault_after=place))
    with call(rig, stream=True, max_tokens=300) as client:
        read_until(client, mark)
    assert rig.fake.seen[-1].finished.wait(PATIENCE_S)
    summary = only_closing(rig).summary
    assert (rig.fake.seen[-1].aborted, summary.outcome, summary.error_source, summary.error_code) == (
        True,
        "client_left",
        "client",
        "client_left",
    )
    assert summary.is_estimated and summary.cost_nano and summary.attempts[-1].outcome == "client_left"
    bill = rig.fake.bill.rows[-1].usage["output_tokens"]
    assert max(1, bill) <= summary.output_tokens <= 2 * bill + 100


# R10
def test_leaving_with_the_last_event_in_hand_is_no_complaint(rig: Rig) -> None:
    player = Player(WHOLE, lingers=True)
    with playing(rig, player) as model:
        with call(rig, model=model, stream=True) as client:
            read_until(client, b"message_stop")
        summary = only_closing(rig).summary
    assert (summary.outcome, summary.status, summary.error_code, summary.is_estimated) == ("ok", 200, "", False)
    assert summary.attempts[-1].outcome == "ok"


# R8
@pytest.mark.parametrize("is_stream", [False, True])
def test_leaving_before_the_answer_starts_cancels_and_is_charged_at_the_estimate(rig: Rig, is_stream: bool) -> None:
    rig.fake.script(Answer(fault="stall", fault_after=-1))
    with call(rig, stream=is_stream):
        seen = rig.fake.wait_for_call()
    assert seen.finished.wait(PATIENCE_S) and seen.aborted
    summary = only_closing(rig).summary
    assert (summary.outcome, summary.status, summary.is_estimated) == ("client_left", 499, True)
    assert summary.cost_nano


def test_leaving_inside_a_whole_answer_cancels(rig: Rig) -> None:
    rig.fake.script(Answer(fault="stall", fault_after=1))
    with call(rig):
        seen = rig.fake.wait_for_call()
    assert seen.finished.wait(PATIENCE_S) and seen.aborted
    assert only_closing(rig).summary.outcome == "client_left"


# R12
def test_leaving_before_the_body_is_whole_costs_nothing(rig: Rig) -> None:
    with dial(rig) as client:
        client.sendall(request(b'{"model":', length=1000))
    entry = only_closing(rig)
    assert (entry.summary.outcome, entry.summary.status, entry.postings, entry.summary.cost_nano) == ("client_left", 499, [], 0)
    assert not rig.fake.seen


# R34
@pytest.mark.parametrize("place", [-1, 0, 1, 5, 24])
def test_abandoned_stream_that_is_billed_on_is_drained_for_exact_usage(rig: Rig, bills_on: str, place: int) -> None:
    gate = Gate()
    rig.fake.script(replace(LONG, fault="stall", fault_after=place, gate=gate, bills_on=True))
    with call(rig, model=bills_on, stream=True, max_tokens=300):
        rig.fake.wait_for_call()
    until_left(rig)
    gate.open()
    summary = only_closing(rig).summary
    bill = rig.fake.bill.rows[-1].usage
    assert not rig.fake.seen[-1].aborted
    assert (summary.outcome, summary.is_estimated, summary.error_code) == ("client_left", False, "client_left")
    assert (summary.input_tokens, summary.output_tokens) == (bill["input_tokens"], bill["output_tokens"])


def test_abandoned_whole_answer_that_is_billed_on_is_read_for_exact_usage(rig: Rig, bills_on: str) -> None:
    gate = Gate()
    rig.fake.script(replace(LONG, fault="stall", fault_after=1, gate=gate, bills_on=True))
    with call(rig, model=bills_on):
        rig.fake.wait_for_call()
    until_left(rig)
    gate.open()
    summary = only_closing(rig).summary
    assert (summary.outcome, summary.is_estimated, summary.output_tokens) == ("client_left", False, LONG_TOKENS)


# R13
@pytest.mark.parametrize("limits", [Limits(sweep_s=0.005, drain_s=0.05)])
@pytest.mark.parametrize("place", [-1, 0, 5])
def test_drain_of_a_silent_provider_ends_and_is_never_under_the_bill(rig: Rig, bills_on: str, place: int) -> None:
    rig.fake.script(replace(LONG, fault="stall", fault_after=place))
    with call(rig, model=bills_on, stream=True, max_tokens=300):
        rig.fake.wait_for_call()
    assert rig.fake.seen[-1].finished.wait(PATIENCE_S)
    summary = only_closing(rig).summary
    assert (summary.outcome, summary.is_estimated) == ("client_left", True)
    assert summary.output_tokens >= LONG_TOKENS


@pytest.mark.parametrize("limits", [Limits(sweep_s=0.005, drain_s=0.3)])
def test_drain_has_its_limit_also_when_the_headers_come_later(rig: Rig, bills_on: str) -> None:
    gate = Gate()
    player = Player(WHOLE[:2], lingers=True, hold=gate, hold_after=-1)
    with playing(rig, player, provider="stubborn") as model:
        with call(rig, model=model, stream=True):
            player.arrived.wait(PATIENCE_S)
        until_left(rig)
        gate.open()
        assert only_closing(rig).summary.outcome == "client_left"


def test_nobody_is_tried_next_for_a_caller_who_left(rig: Rig, bills_on: str) -> None:
    gate = Gate()
    player = Player([b"{}"], status=529, hold=gate, hold_after=-1)
    with serve_in_thread(player) as url:
        model = reroute(rig, replace(rig.deployment, provider="stubborn", base_url=url), rig.deployment)
        with call(rig, model=model):
            player.arrived.wait(PATIENCE_S)
        until_left(rig)
        gate.open()
        assert len(only_closing(rig).summary.attempts) == 1
    assert not rig.fake.seen


class Points:
    """Everything a handler awaits passes here; the task is cancelled at one of the points."""

    def __init__(self, cancel_at: int) -> None:
        self._numbers = itertools.count()
        self._cancel_at = cancel_at
        self.was_hit = False

    async def pass_one(self) -> None:
        if next(self._numbers) == self._cancel_at:
            self.was_hit = True
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await asyncio.sleep(0)


class ScriptedResponse:
    def __init__(self, points: Points, pieces: Iterator[bytes], content_type: str) -> None:
        self.status = 200
        self.headers: Fields = [(b"content-type", content_type.encode())]
        self._points, self._pieces = points, pieces

    async def read(self) -> bytes:
        await self._points.pass_one()
        return next(self._pieces, b"")

    def close(self) -> None:
        self._pieces = iter(())


class ScriptedUpstream(Upstream):
    """Plays an answer without a socket."""

    def __init__(self, points: Points, *, is_stream: bool) -> None:
        self._points, self._is_stream = points, is_stream

    async def send(self, request: UpstreamRequest, *, in_process: bool, is_recorded: bool, fresh: bool = False) -> Response:
        await self._points.pass_one()
        pieces = WHOLE if self._is_stream else (b'{"usage":', b'{"output_tokens":12}}')
        return ScriptedResponse(self._points, iter(pieces), "text/event-stream" if self._is_stream else "application/json")

    def close(self) -> None:
        pass


def scope_of(body: bytes) -> Scope:
    headers = [(b"x-api-key", ALICE.encode()), (b"content-length", b"%d" % len(body))]
    plain = {"type": "http", "method": "POST", "path": "/v1/messages", "raw_path": b"/v1/messages", "query_string": b""}
    return {**plain, "headers": headers, "client": ("127.0.0.1", 1), "http_version": "1.1"}


def bare_gateway(home: Path, points: Points, *, is_stream: bool) -> tuple[Gateway, Plane]:
    """A gateway that serves nobody, to be called by hand."""
    gateway = Gateway(home)
    upstream = ScriptedUpstream(points, is_stream=is_stream)
    snapshot = Snapshot(prices=PriceBook(catalogue=catalogue))
    gateway.plane = plane = Plane(Journal(home / "journal"), upstream, Bank(MemoryTreasury()), snapshot)
    gateway.know(ALICE, caller("alice"))
    gateway.route("claude-*", DeploymentSnapshot("dep-1", "fake", "anthropic", "*", base_url="http://fake"))
    return gateway, plane


async def cancelled_call(home: Path, points: Points, *, is_stream: bool) -> tuple[Gateway, list[Message]]:
    """One call straight to the application, cancelled where `points` says."""
    gateway, plane = bare_gateway(home, points, is_stream=is_stream)
    sent: list[Message] = []
    body = json.dumps(ask(MODEL, stream=is_stream)).encode()
    asked: Iterator[Message] = iter(
        [{"type": "http.request", "body": body[:20], "more_body": True}, {"type": "http.request", "body": body[20:]}]
    )

    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    async def receive() -> Message:
        message = next(asked, None)
        if message is None:
            return await never
        await points.pass_one()
        return message

    async def send(message: Message) -> None:
        await points.pass_one()
        sent.append(message)

    with suppress(asyncio.CancelledError):
        await asyncio.create_task(DataPlane(plane)(scope_of(body), receive, send))
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await asyncio.wait_for(asyncio.gather(*left, return_exceptions=True), PATIENCE_S)
    assert not plane.live
    await plane.stop()
    return gateway, sent


# R9
@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("place", range(17))
def test_stopped_server_settles_once_wherever_the_call_stands(tmp_path: Path, place: int, is_stream: bool) -> None:
    gateway, sent = asyncio.run(cancelled_call(tmp_path, Points(place), is_stream=is_stream))
    (entry,) = gateway.closings()
    contacted = bool(openings(gateway))
    assert bool(entry.summary.cost_nano) is contacted
    assert sent[0]["type"] == "http.response.start"
    assert not sent[-1].get("more_body")


def test_stopped_server_tells_the_reader_of_a_stream(tmp_path: Path) -> None:
    gateway, sent = asyncio.run(cancelled_call(tmp_path, Points(7), is_stream=True))
    assert gateway.closings()[0].summary.outcome == "truncated"
    assert b'event: error\ndata: {"type":"error","error":{"type":"api_error"' in sent[-1]["body"]


def test_stopped_server_refuses_what_it_had_not_answered(tmp_path: Path) -> None:
    gateway, sent = asyncio.run(cancelled_call(tmp_path, Points(2), is_stream=True))
    assert (sent[0]["status"], gateway.closings()[0].summary.error_code) == (503, "shutting_down")


async def stop_with_a_stuck_reader(home: Path) -> Gateway:
    gateway, plane = bare_gateway(home, Points(-1), is_stream=True)
    body, stuck, never = json.dumps(ask(stream=True)).encode(), asyncio.Event(), asyncio.Event()
    asked: Iterator[Message] = iter([{"type": "http.request", "body": body}])

    async def receive() -> Message:
        message = next(asked, None)
        await never.wait() if message is None else None
        return message or {}

    async def send(message: Message) -> None:
        stuck.set()
        await never.wait()

    handler = asyncio.create_task(DataPlane(plane)(scope_of(body), receive, send))
    await stuck.wait()
    handler.cancel()
    await asyncio.sleep(0)
    await plane.stop()
    handler.cancel()
    await asyncio.gather(handler, return_exceptions=True)
    return gateway


def test_stuck_reader_does_not_keep_a_stopped_server_from_settling(tmp_path: Path) -> None:
    (entry,) = asyncio.run(stop_with_a_stuck_reader(tmp_path)).closings()
    assert entry.summary.cost_nano
