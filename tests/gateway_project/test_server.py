"""The server over real sockets: limits, timers, broken HTTP and the graceful end, before any application sees a call."""

import json
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway_project.server import ServerLimits
from tests.gateway_project.running import until
from tests.proxy.raw_http import (
    PATIENCE_S,
    Chatty,
    Deaf,
    Recorder,
    dial,
    exchange,
    get,
    is_cut_while_dribbling,
    read_to_end,
    serving,
    status_of,
    websocket_upgrade,
)

MASKED_HI = b"\x81\x82\0\0\0\0hi"
ROOT = Path(__file__).parents[2]
CHUNKED = get("/", "Transfer-Encoding: chunked").replace(b"GET", b"POST")


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def port(recorder: Recorder) -> Iterator[int]:
    with serving(recorder) as port:
        yield port


@pytest.fixture(scope="module")
def hasty_port() -> Iterator[int]:
    with serving(Recorder(), ServerLimits(head_timeout_s=0.3, drain_s=5)) as port:
        yield port


@pytest.fixture(autouse=True)
def nothing_seen(recorder: Recorder) -> None:
    recorder.seen.clear()


def post(*fields: str, body: bytes = b"") -> bytes:
    return get("/", *fields).replace(b"GET", b"POST") + body


BROKEN = {
    "length and chunked": post("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunked and length": post("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"),
    "two lengths": post("Content-Length: 2", "Content-Length: 2", body=b"ab"),
    "list of lengths": post("Content-Length: 2,2", body=b"ab"),
    "signed length": post("Content-Length: +2", body=b"ab"),
    "absurd length": post("Content-Length: 99999999999999999999999", body=b"ab"),
    "chunked twice": post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "coding after chunked": post("Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"),
    "vertical tab before chunked": post("Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "folded field": get("/", "X: a\r\n b"),
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare line feed in a field": get("/", "X: a\nY: b"),
    "bare carriage return": get("/", "X: a\rY: b"),
    "space before colon": get("/", "X : a"),
    "null in a value": get("/", "X: a\x00b"),
    "control character in a value": get("/", "X: a\x01b"),
    "empty field name": get("/", ": a"),
    "bytes in the path": get("/\xff"),
    "control character in the path": get("/\x01"),
    "absolute target": get("http://evil/x"),
    "asterisk target": get("*").replace(b"GET", b"OPTIONS"),
    "fragment": get("/a#b?c"),
    "unknown method": get().replace(b"GET", b"FOO"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_broken_request_is_refused_and_cut(port: int, recorder: Recorder, raw: bytes) -> None:
    assert status_of(exchange(port, raw)) == 400
    assert recorder.seen == []


@pytest.mark.parametrize("raw", [CHUNKED + b"-2\r\nhi\r\n", post("Transfer-Encoding: gzip", body=b"ab")], ids=["chunk size", "coding"])
def test_body_without_a_readable_end_ends_the_call(raw: bytes) -> None:
    app = Recorder()
    with serving(app) as port:
        assert status_of(exchange(port, raw)) == 400
    assert [call["body"] for call in app.seen] == [b""]


def test_refused_body_silences_the_answer_of_its_call(caplog: pytest.LogCaptureFixture) -> None:
    with serving(Recorder()) as port:
        response = exchange(port, CHUNKED.replace(b"/", b"/unread", 1) + b"-2\r\n")
    assert response.count(b"HTTP/1.1 ") == 1
    assert "Exception" not in caplog.text


OVERSIZED = {
    "one field of a megabyte": (431, get("/", "X: " + "a" * 1_000_000)),
    "one field without an end": (431, get()[:-2] + b"X: " + b"a" * 400_000),
    "ten thousand fields": (431, get("/", *["x: y"] * 10_000)),
    "hundred and one fields": (431, get("/", *["x: y"] * 99)),
    "fields without an end": (431, get()[:-2] + b"x: y\r\n" * 60_000),
    "fields just over the sum": (431, get("/", *["x: " + "a" * 8_000] * 9)),
    "url of nine kilobytes": (414, get("/" + "a" * 9_000)),
    "url without an end": (414, b"GET /" + b"a" * 20_000),
}


@pytest.mark.parametrize(("status", "raw"), OVERSIZED.values(), ids=OVERSIZED.keys())
def test_oversized_head_is_refused_before_the_application(port: int, recorder: Recorder, status: int, raw: bytes) -> None:
    response = exchange(port, raw)
    assert status_of(response) == status
    assert recorder.seen == []


def test_refusal_is_json_with_a_request_id_and_closes(port: int) -> None:
    head, body = exchange(port, OVERSIZED["ten thousand fields"][1]).split(b"\r\n\r\n", 1)
    error = json.loads(body)
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    assert error["error"]["message"].startswith("The request has more than 100 header fields.")
    assert f"request-id: {error['request_id']}".encode() in head
    assert b"connection: close" in head


def test_head_at_the_limits_passes(port: int, recorder: Recorder) -> None:
    fields = ["x: " + "a" * 500] * 98
    assert status_of(exchange(port, get("/" + "u" * 8_000, *fields))) == 200
    assert len(recorder.seen[0]["headers"]) == 100


def test_large_body_in_one_write_with_its_head_passes(port: int, recorder: Recorder) -> None:
    body = b"b" * 3_000_000
    assert status_of(exchange(port, post(f"Content-Length: {len(body)}", body=body))) == 200
    assert recorder.seen[0]["body"] == body


@pytest.mark.parametrize("size", [1, 7, 1000, 70_000])
def test_body_in_pieces_arrives_whole_and_in_order(port: int, recorder: Recorder, size: int) -> None:
    body = b"".join(b"%d," % number for number in range(30_000))
    pieces = [body[start : start + size] for start in range(0, min(len(body), 20_000 * size), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    assert status_of(exchange(port, CHUNKED + chunks + b"0\r\n\r\n")) == 200
    assert recorder.seen[0]["body"] == b"".join(pieces)


@pytest.mark.parametrize("head", [CHUNKED + b"%x\r\n" % (1 << 40), post("Content-Length: 1099511627776")], ids=["chunked", "announced"])
def test_body_that_nobody_reads_is_not_taken_in(head: bytes) -> None:
    app, piece = Deaf(), bytes(1024 * 1024)
    with serving(app) as port, dial(port) as client:
        client.settimeout(0.5)
        client.sendall(head)
        with pytest.raises(TimeoutError):
            for _ in range(64):
                client.sendall(piece)
        app.over.set()


def test_connect_is_not_allowed(port: int) -> None:
    assert status_of(exchange(port, get("evil:443").replace(b"GET", b"CONNECT"))) == 405


def test_trailers_never_become_header_fields(port: int, recorder: Recorder) -> None:
    assert status_of(exchange(port, CHUNKED + b"2\r\nhi\r\n0\r\nHost: evil\r\nX-Api-Key: stolen\r\n\r\n")) == 200
    assert recorder.seen[0]["body"] == b"hi"
    assert [name for name, _ in recorder.seen[0]["headers"]] == [b"host", b"connection", b"transfer-encoding"]


@pytest.mark.parametrize("flood", [b"0\r\n" + b"x: y\r\n" * 60_000, b"0\r\nx: " + b"y" * 400_000, b"2;" + b"e" * 400_000])
def test_endless_framing_after_the_head_is_cut(port: int, flood: bytes) -> None:
    assert status_of(exchange(port, CHUNKED + flood)) == 431


def test_answer_has_a_date_and_names_no_server(port: int) -> None:
    head = exchange(port, get()).split(b"\r\n\r\n")[0].lower()
    assert b"\r\ndate: " in head
    assert b"\r\nserver:" not in head


def test_unread_expectation_is_never_answered_with_continue(port: int) -> None:
    with dial(port) as client:
        client.sendall(get("/unread", "Expect: 100-continue", "Content-Length: 5").replace(b"GET", b"POST"))
        response = read_to_end(client)
    assert status_of(response) == 200
    assert b"100 Continue" not in response


def test_expectation_is_answered_once_the_body_is_wanted(port: int, recorder: Recorder) -> None:
    with dial(port) as client:
        client.sendall(post("Expect: 100-continue", "Content-Length: 5"))
        assert status_of(client.recv(65536)) == 100
        client.sendall(b"hello")
        assert status_of(read_to_end(client)) == 200
    assert recorder.seen[0]["body"] == b"hello"


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    open_ended = b"GET /%d HTTP/1.1\r\nHost: gw\r\n\r\n"
    response = exchange(port, open_ended % 1 + open_ended % 2 + get("/3"))
    assert re.findall(rb"\r\n\r\n(/\d)", response) == [b"/1", b"/2", b"/3"]


def test_slow_head_is_cut_while_others_are_served(hasty_port: int) -> None:
    with dial(hasty_port) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: gw\r\nX: ")
        statuses = [status_of(exchange(hasty_port, get())) for _ in range(5)]
        assert read_to_end(slow) == b""
    assert statuses == [200] * 5


def test_silent_connection_is_cut(hasty_port: int) -> None:
    with dial(hasty_port) as client:
        assert read_to_end(client) == b""


def test_dribbled_head_is_cut(hasty_port: int) -> None:
    with dial(hasty_port) as client:
        client.sendall(b"GET /")
        assert is_cut_while_dribbling(client, b"a")


@pytest.mark.parametrize(("start", "piece"), [(b"GET /", b"a"), (b"", b"\r\n")], ids=["bytes", "empty lines"])
def test_dribbled_head_on_a_kept_alive_connection_is_cut(hasty_port: int, start: bytes, piece: bytes) -> None:
    with dial(hasty_port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n")
        assert status_of(client.recv(65536)) == 200
        client.sendall(start)
        assert is_cut_while_dribbling(client, piece)


def test_dribbled_body_of_an_answered_call_is_cut(hasty_port: int) -> None:
    with dial(hasty_port) as client:
        client.sendall(b"POST /unread HTTP/1.1\r\nHost: gw\r\nContent-Length: 100000\r\n\r\n")
        assert status_of(client.recv(65536)) == 200
        assert is_cut_while_dribbling(client, b"b")


def test_call_under_way_outlives_the_head_timeout() -> None:
    with serving(Chatty(), ServerLimits(head_timeout_s=0.05, drain_s=5)) as port, dial(port) as client, dial(port) as idle:
        client.sendall(CHUNKED + b"1\r\na\r\n")
        assert read_to_end(idle) == b""
        client.sendall(b"0\r\n\r\n")
        assert read_to_end(client).endswith(b"3\r\nend\r\n0\r\n\r\n")


def test_part_of_a_next_head_does_not_cut_the_call_before_it() -> None:
    with serving(Chatty(), ServerLimits(head_timeout_s=0.05, drain_s=5)) as port, dial(port) as client, dial(port) as idle:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: gw\r\n\r\nGET /next")
        assert read_to_end(idle) == b""
        received = [client.recv(65536) for _ in range(100)]
    assert all(received)


def test_garbage_behind_a_started_answer_cuts_it_without_a_second_answer() -> None:
    app = Chatty()
    with serving(app) as port, dial(port) as client:
        client.sendall(CHUNKED + b"1\r\na\r\n")
        begun = client.recv(65536)
        client.sendall(b"-1\r\n")
        assert (begun + read_to_end(client)).count(b"HTTP/1.1") == 1
        assert app.left.wait(PATIENCE_S)


def test_client_that_left_with_a_request_in_the_queue_is_noticed() -> None:
    app = Chatty()
    with serving(app) as port:
        with dial(port) as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: gw\r\n\r\n" + get("/queued"))
            client.recv(65536)
        assert app.left.wait(PATIENCE_S)


def test_websocket_on_a_kept_alive_connection_outlives_the_head_timeout(hasty_port: int) -> None:
    with dial(hasty_port) as client, dial(hasty_port) as idle:
        client.sendall(b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n")
        client.recv(65536)
        client.sendall(websocket_upgrade("/echo"))
        assert status_of(client.recv(65536)) == 101
        assert read_to_end(idle) == b""
        client.sendall(MASKED_HI)
        assert client.recv(65536) == b"\x81\x02hi"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gw")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, start.replace(year=2120))
    files = (tmp_path / "cert.pem", tmp_path / "key.pem")
    files[0].write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


@pytest.mark.parametrize(("status", "raw"), [(200, get()), (431, OVERSIZED["fields without an end"][1])], ids=["plain", "oversized"])
def test_limits_hold_over_tls(certificate: tuple[Path, Path], status: int, raw: bytes) -> None:
    context = ssl.create_default_context(cafile=certificate[0])
    context.check_hostname = False
    with serving(Recorder(), tls=certificate) as port, context.wrap_socket(dial(port)) as client:
        client.sendall(raw)
        assert status_of(read_to_end(client)) == status


def test_switch_interval_is_lowered_when_the_server_starts(port: int) -> None:
    assert status_of(exchange(port, get())) == 200
    assert sys.getswitchinterval() == pytest.approx(0.001)


DRAINING = """
import asyncio, socket, sys
sys.path.insert(0, sys.argv[1])
from gateway_project.server import ServerLimits, build_server
from tests.proxy.raw_http import Chatty

listener = socket.create_server(("127.0.0.1", 0))
server = build_server(Chatty(), host="127.0.0.1", port=0, limits=ServerLimits(drain_s=int(sys.argv[2]), grace_s=int(sys.argv[3])))
print(listener.getsockname()[1], flush=True)
server.run(sockets=[listener])
"""


@pytest.fixture
def draining(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], int]]:
    drain_s, grace_s = request.param
    command = [sys.executable, "-c", DRAINING, str(ROOT), str(drain_s), str(grace_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield server, int(server.stdout.readline())
        server.kill()


def wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with pytest.raises(ConnectionError):
        while time.monotonic() < deadline:
            dial(port).close()


@pytest.mark.parametrize("draining", [(60, 0)], indirect=True)
def test_terminated_server_refuses_newcomers_and_lets_a_stream_end(draining: tuple[subprocess.Popen[str], int]) -> None:
    server, port = draining
    with dial(port) as client:
        client.sendall(CHUNKED + b"1\r\na\r\n")
        begun = client.recv(65536)
        server.send_signal(signal.SIGTERM)
        wait_until_refused(port)
        client.sendall(b"1\r\nb\r\n")
        middle = client.recv(65536)
        client.sendall(b"0\r\n\r\n")
        stream = begun + middle + read_to_end(client)
    assert stream.endswith(b"1\r\na\r\n1\r\nb\r\n3\r\nend\r\n0\r\n\r\n")
    assert server.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("draining", [(1, 0)], indirect=True)
def test_drain_that_takes_too_long_is_cut_and_still_exits_cleanly(draining: tuple[subprocess.Popen[str], int]) -> None:
    server, port = draining
    with dial(port) as client:
        client.sendall(CHUNKED + b"1\r\na\r\n")
        client.recv(65536)
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("draining", [(60, 60)], indirect=True)
def test_newcomers_in_the_grace_are_served_and_asked_to_come_by_another_connection_next_time(
    draining: tuple[subprocess.Popen[str], int],
) -> None:
    server, port = draining
    assert "connection" not in httpx.get(f"http://127.0.0.1:{port}").headers
    server.send_signal(signal.SIGTERM)
    until(lambda: httpx.get(f"http://127.0.0.1:{port}").headers.get("connection") == "close")
    server.send_signal(signal.SIGTERM)
    wait_until_refused(port)
    assert server.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("draining", [(60, 0)], indirect=True)
def test_second_signal_breaks_off_what_is_left(draining: tuple[subprocess.Popen[str], int]) -> None:
    server, port = draining
    with dial(port) as client:
        client.sendall(CHUNKED + b"1\r\na\r\n")
        client.recv(65536)
        server.send_signal(signal.SIGTERM)
        wait_until_refused(port)
        server.send_signal(signal.SIGTERM)
        read_to_end(client)
    assert server.wait(PATIENCE_S) == 0
