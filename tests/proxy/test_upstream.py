"""The provider's end: what its failures before an answer become, and how its connections are used again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from proxy.limits import Limits
from tests.fakes.provider import FakeProvider
from tests.fakes.script import Answer
from tests.fakes.serving import serve_in_thread
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import PATIENCE_S, Player, playing, post, reroute, streaming

BODY = b'{"type":"message","usage":{"input_tokens":3,"output_tokens":4}}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@contextmanager
def saying(*raw: bytes) -> Iterator[str]:
    """A server that answers each connection's one request with the next of these bytes, then closes."""

    def serve() -> None:
        for answer in raw:
            client, _ = listener.accept()
            with client:
                client.settimeout(PATIENCE_S)
                client.recv(65536)
                client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(PATIENCE_S)


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("fault", ["reset", "eof"])
def test_connection_lost_before_the_answer_is_told(rig: Rig, fault: str, is_stream: bool) -> None:
    rig.fake.script(Answer(fault=fault, fault_after=-1))  # type: ignore[arg-type]  # parametrised names of faults
    answer = post(rig, stream=is_stream)
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (502, "provider_connection_lost")
    entry = rig.gateway.closings()[0]
    assert (entry.summary.outcome, entry.summary.error_source, entry.summary.is_estimated) == ("failed", "provider", True)
    assert entry.summary.cost_nano
    assert len(rig.fake.seen) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\n" + b"a: " + b"x" * 100_000 + b"\r\n\r\n",
        ANSWER[:-9],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\r\n",
    ],
    ids=["nothing", "garbage", "bad length", "half a head", "huge head", "short body", "bad chunk"],
)
def test_answer_that_is_no_http_is_told(rig: Rig, raw: bytes) -> None:
    with saying(raw) as url:
        answer = post(rig, model=reroute(rig, replace(rig.deployment, base_url=url)))
    assert (answer.status_code, answer.headers["x-tallygate-error-source"]) == (502, "provider")
    assert rig.gateway.closings()[0].summary.outcome == "failed"


@pytest.mark.parametrize("url", ["http://[::bad", "http://", "http://127.0.0.1:99999", "nonsense"])
def test_address_that_is_none_is_told(rig: Rig, url: str) -> None:
    answer = post(rig, model=reroute(rig, replace(rig.deployment, base_url=url)))
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (502, "provider_unreachable")
    assert rig.gateway.closings()[0].postings == []


def test_redirect_is_not_followed(rig: Rig) -> None:
    with playing(rig, Player([b"{}"], status=307, content_type="application/json", headers=(("location", rig.url),))) as model:
        assert post(rig, model=model).status_code == 307


def test_connection_is_used_again_after_a_whole_answer_and_a_whole_stream(rig: Rig) -> None:
    peers = set()

    class Watched(FakeProvider):
        async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # as the base declares it
            peers.add(scope["client"])
            await super().__call__(scope, receive, send)

    with serve_in_thread(Watched()) as url:
        model = reroute(rig, replace(rig.deployment, base_url=url))
        for is_stream in (False, True, True, False):
            assert post(rig, model=model, stream=is_stream).status_code == 200
    assert len(peers) == 1


def test_provider_that_hangs_up_between_calls_is_not_noticed(rig: Rig) -> None:
    with saying(ANSWER, ANSWER, ANSWER) as url:
        model = reroute(rig, replace(rig.deployment, base_url=url))
        assert [post(rig, model=model).status_code for _ in range(3)] == [200] * 3


def test_header_in_any_script_passes(rig: Rig) -> None:
    raw = ANSWER.replace(b"\r\n\r\n", "\r\nx-note: 日本 é\r\n\r\n".encode())
    with saying(raw) as url, streaming(rig, model=reroute(rig, replace(rig.deployment, base_url=url)), stream=False) as answer:
        assert answer.status_code == 200
        assert dict(answer.headers.raw)[b"x-note"].decode() == "日本 é"
