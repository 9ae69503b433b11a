"""The fault proxy does what it is told, at the byte it is told, and nothing else."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.fakes.fault_proxy import Fault, FaultProxy, Flap, fault_proxy
from tests.fakes.provider import DEFAULT_KEY, FakeProvider
from tests.fakes.script import Answer
from tests.fakes.serving import serve_in_thread

HEADERS = {"x-api-key": DEFAULT_KEY, "anthropic-version": "2023-06-01"}
ASK = {"model": "claude-opus-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
PATIENCE_S = 20.0
HEAD_END = b"\r\n\r\n"


@pytest.fixture
def fake() -> Iterator[tuple[FakeProvider, str]]:
    provider = FakeProvider()
    with serve_in_thread(provider) as url:
        yield provider, url


@pytest.fixture
def proxy(fake: tuple[FakeProvider, str]) -> Iterator[FaultProxy]:
    with fault_proxy(fake[1]) as running:
        yield running


def ask(proxy: FaultProxy, **fields: object) -> httpx.Response:
    return httpx.post(f"{proxy.url}/v1/messages", json=ASK | fields, headers=HEADERS, timeout=PATIENCE_S)


@contextmanager
def asked(proxy: FaultProxy) -> Iterator[socket.socket]:
    """A bare connection on which one call was sent."""
    call = httpx.Request("POST", f"{proxy.url}/v1/messages", json=ASK, headers=HEADERS)
    lines = [b"POST /v1/messages HTTP/1.1", *[b"%b: %b" % field for field in call.headers.raw], b"", b""]
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as client:
        client.sendall(b"\r\n".join(lines) + call.read())
        yield client


def read_to_end(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def test_without_faults_everything_passes_on_one_connection(proxy: FaultProxy) -> None:
    with httpx.Client(headers=HEADERS) as client:
        answers = [client.post(f"{proxy.url}/v1/messages", json=ASK | {"stream": is_stream}) for is_stream in (False, True, False)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert b"message_stop" in answers[1].content
    assert (proxy.connections, proxy.requests, proxy.struck) == (1, 3, [])


@pytest.mark.parametrize("place", ["accept", "request", "head", "body"])
def test_reset_is_felt_as_one(proxy: FaultProxy, fake: tuple[FakeProvider, str], place: str) -> None:
    proxy.script(Fault(act="reset", place=place))  # type: ignore[arg-type]  # parametrised names of places
    with pytest.raises(ConnectionResetError), asked(proxy) as client:
        read_to_end(client)
    assert len(fake[0].seen) == (place in {"head", "body"})


@pytest.mark.parametrize("after", [0, 1, 40])
def test_head_ends_after_so_many_bytes(proxy: FaultProxy, after: int) -> None:
    proxy.script(Fault(act="eof", place="head", after=after))
    with asked(proxy) as client:
        assert len(read_to_end(client)) == after


@pytest.mark.parametrize("after", [0, 1, 40])
def test_body_ends_after_so_many_bytes(proxy: FaultProxy, after: int) -> None:
    proxy.script(Fault(act="eof", place="body", after=after))
    with asked(proxy) as client:
        assert len(read_to_end(client).partition(HEAD_END)[2]) == after


@pytest.mark.parametrize("place", ["accept", "request", "head", "body"])
def test_stall_says_nothing_and_ends_with_its_client(proxy: FaultProxy, fake: tuple[FakeProvider, str], place: str) -> None:
    proxy.script(Fault(act="stall", place=place))  # type: ignore[arg-type]  # parametrised names of places
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{proxy.url}/v1/messages", json=ASK, headers=HEADERS, timeout=0.2)
    assert len(fake[0].seen) == (place in {"head", "body"})
    assert ask(proxy).status_code == 200


def test_provider_notices_that_the_client_left(proxy: FaultProxy, fake: tuple[FakeProvider, str]) -> None:
    fake[0].script(Answer(fault="stall", fault_after=-1))
    with asked(proxy):
        seen = fake[0].wait_for_call(1)
    assert seen.finished.wait(PATIENCE_S)
    assert seen.aborted


def test_refusing_is_a_refusal_and_ends(proxy: FaultProxy) -> None:
    with httpx.Client(headers=HEADERS) as client:
        assert client.post(f"{proxy.url}/v1/messages", json=ASK).status_code == 200
        with proxy.refusing(), pytest.raises(httpx.ConnectError):
            ask(proxy)
    assert ask(proxy).status_code == 200


def test_shut_refuses_new_connections_and_cuts_no_answer(proxy: FaultProxy) -> None:
    with httpx.Client(headers=HEADERS) as client:
        assert client.post(f"{proxy.url}/v1/messages", json=ASK).status_code == 200
        with proxy.shut():
            assert client.post(f"{proxy.url}/v1/messages", json=ASK).status_code == 200
            with pytest.raises(httpx.ConnectError):
                ask(proxy)
    assert ask(proxy).status_code == 200
    assert proxy.connections == 2


def test_refusal_comes_from_the_proxy_and_keeps_the_connection(proxy: FaultProxy, fake: tuple[FakeProvider, str]) -> None:
    proxy.script(Fault(status=529))
    with httpx.Client(headers=HEADERS) as client:
        answers = [client.post(f"{proxy.url}/v1/messages", json=ASK) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [529, 200]
    assert answers[0].json()["error"]["type"] == "overloaded_error"
    assert (len(fake[0].seen), proxy.connections) == (1, 1)


def test_coding_is_a_lie(proxy: FaultProxy) -> None:
    proxy.script(Fault(coding="gzip"))
    with asked(proxy) as client:
        head, _, body = read_until(client, lambda seen: seen.endswith(b"}")).partition(HEAD_END)
    assert b"\r\ncontent-encoding: gzip" in head
    assert body.startswith(b"{")


def read_until(client: socket.socket, is_enough: Callable[[bytes], bool]) -> bytes:
    seen = b""
    while not is_enough(seen):
        seen += client.recv(65536)
    return seen


@pytest.mark.parametrize(("wrong_by", "error"), [(5, httpx.RemoteProtocolError), (-5, httpx.RemoteProtocolError)])
def test_length_is_a_lie(proxy: FaultProxy, wrong_by: int, error: type[Exception]) -> None:
    proxy.script(Fault(length=wrong_by))
    with asked(proxy) as client:
        head, _, body = read_to_end(client).partition(HEAD_END)
    assert int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) == len(body) + wrong_by


def test_idle_connection_is_closed(fake: tuple[FakeProvider, str]) -> None:
    with fault_proxy(fake[1], idle_s=0.05) as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE_S) as client:
        assert client.recv(1) == b""


def test_script_is_followed_in_order_and_ends(proxy: FaultProxy) -> None:
    faults = [Fault(), Fault(act="eof", place="head")]
    proxy.script(*faults)
    assert ask(proxy).status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        ask(proxy)
    assert ask(proxy).status_code == 200
    assert proxy.struck == faults[1:]


def test_one_seed_is_one_story_within_its_bounds() -> None:
    faults = (Fault(act="reset"), Fault(act="eof"))
    stories = []
    for _ in range(2):
        proxy = FaultProxy("http://127.0.0.1:1")
        proxy.flap(Flap(faults, share=0.5, seed=7, most=20))
        stories.append([proxy.next_fault() for _ in range(200)])
    assert stories[0] == stories[1]
    assert sum(fault in faults for fault in stories[0]) == 20
