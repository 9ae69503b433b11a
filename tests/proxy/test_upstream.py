"""The provider's end: what its failures before an answer become, and how its connections are used again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from proxy import connection
from proxy.limits import Limits
from tests.fakes.provider import FakeProvider
from tests.fakes.script import Answer
from tests.fakes.serving import serve_in_thread
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import PATIENCE_S, Player, call, playing, post, read_until, reroute, streaming

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


def test_proxy_and_password_of_the_environment_are_left_alone(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R135."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with call(rig) as client:
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert rig.fake.seen[-1].header("authorization") is None


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


@contextmanager
def fickle() -> Iterator[tuple[str, list[bytes]]]:
    """A server that answers the first call of each connection and hangs up without a word on the second."""
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(PATIENCE_S)
                heard.append(client.recv(65536))
                client.sendall(ANSWER)
                heard.append(client.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE_S)


def test_kept_connection_that_was_gone_is_tried_once_more_and_costs_nothing(rig: Rig) -> None:
    """R63: nobody sees it, and only the call that was answered is paid for."""
    with fickle() as (url, heard):
        model = reroute(rig, replace(rig.deployment, base_url=url))
        assert [post(rig, model=model).status_code for _ in range(2)] == [200, 200]
    entry = rig.gateway.closings(2)[1]
    assert [note.error_code for note in entry.summary.attempts] == ["provider_connection_lost", ""]
    assert [(posting.attempt_id, posting.is_estimated) for posting in entry.postings] == [(f"{entry.summary.id}.2", False)]
    assert all(heard[:3]), "the server heard the call that it hung up on"


def test_kept_connection_that_breaks_later_may_have_been_heard_and_is_paid_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """R63, R64: who had hung up says so at once."""
    monkeypatch.setattr(connection, "STALE_WITHIN_S", 0.0)
    with fickle() as (url, heard):
        model = reroute(rig, replace(rig.deployment, base_url=url))
        assert [post(rig, model=model).status_code for _ in range(2)] == [200, 502]
    entry = rig.gateway.closings(2)[1]
    assert [posting.is_estimated for posting in entry.postings] == [True]
    assert len(heard) == 2


def test_server_that_hangs_up_at_any_moment_is_never_noticed(rig: Rig) -> None:
    """R63: idle connections closed after a few milliseconds, calls in between; no errors, one bill each."""
    with serve_in_thread(rig.fake, timeout_keep_alive=0) as url:
        model = reroute(rig, replace(rig.deployment, base_url=url))
        for number in range(60):
            assert post(rig, model=model).status_code == 200
            threading.Event().wait((number % 7) / 1000)
    assert len(rig.fake.seen) == 60
    assert sum(len(entry.postings) for entry in rig.gateway.closings(60)) == 60


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + ANSWER],
    ids=["100", "103"],
)
def test_interim_answer_is_passed_over(rig: Rig, raw: bytes) -> None:
    with saying(raw) as url:
        answer = post(rig, model=reroute(rig, replace(rig.deployment, base_url=url)))
    assert (answer.status_code, answer.content, "link" in answer.headers) == (200, BODY, False)


def test_answer_that_ends_with_its_connection_is_whole(rig: Rig) -> None:
    raw = b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n" + BODY
    with saying(raw) as url:
        answer = post(rig, model=reroute(rig, replace(rig.deployment, base_url=url)))
    assert (answer.status_code, answer.content) == (200, BODY)


@pytest.mark.parametrize("raw", [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", ANSWER + ANSWER])
def test_what_nobody_asked_for_ends_the_connection(rig: Rig, raw: bytes) -> None:
    with saying(raw, ANSWER) as url:
        model = reroute(rig, replace(rig.deployment, base_url=url))
        first = post(rig, model=model)
        assert first.status_code == (200 if raw.startswith(ANSWER) else 502)
        assert post(rig, model=model).content == BODY


def test_header_in_any_script_passes(rig: Rig) -> None:
    raw = ANSWER.replace(b"\r\n\r\n", "\r\nx-note: 日本 é\r\n\r\n".encode())
    with saying(raw) as url, streaming(rig, model=reroute(rig, replace(rig.deployment, base_url=url)), stream=False) as answer:
        assert answer.status_code == 200
        assert dict(answer.headers.raw)[b"x-note"].decode() == "日本 é"
