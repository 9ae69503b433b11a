"""The guard over real sockets: what the parser lets through never reaches the application."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from proxy.asgi import Message, Scope
from proxy.guard import Guard, is_plain_path
from tests.proxy.raw_http import Recorder, dial, exchange, get, serving, status_of, websocket_upgrade


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def port(recorder: Recorder) -> Iterator[int]:
    with serving(Guard(recorder)) as port:
        yield port


@pytest.fixture(autouse=True)
def nothing_seen(recorder: Recorder) -> None:
    recorder.seen.clear()


def request(line: str, *fields: str) -> bytes:
    return "\r\n".join([line, *fields, "", ""]).encode("latin-1")


REFUSED = {
    "no host": request("GET / HTTP/1.1"),
    "no host in 1.0": request("GET / HTTP/1.0"),
    "two hosts": request("GET / HTTP/1.1", "Host: a", "Host: a"),
    "host with path": request("GET / HTTP/1.1", "Host: a/b?x#y"),
    "host with query": request("GET / HTTP/1.1", "Host: x?admin"),
    "host with user": request("GET / HTTP/1.1", "Host: user@evil"),
    "host with space": request("GET / HTTP/1.1", "Host: a b"),
    "host with comma": request("GET / HTTP/1.1", "Host: a,b"),
    "empty host": request("GET / HTTP/1.1", "Host:"),
    "host with two ports": request("GET / HTTP/1.1", "Host: a:1:2"),
    "host with letters as port": request("GET / HTTP/1.1", "Host: a:http"),
    "coding before chunked": request("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "chunked in 1.0": request("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "version 2.0 in words": request("GET / HTTP/2.0", "Host: a"),
    "version 0.9 in words": request("GET / HTTP/0.9", "Host: a"),
    "websocket on a call": request("GET /v1/messages HTTP/1.1", "Host: a", "Upgrade: websocket"),
    "websocket on a call with a slash": request("GET /v1/messages/ HTTP/1.1", "Host: a", "Upgrade: websocket"),
    "h2c on a call": request("POST /v1/messages HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: h2c", "Content-Length: 0"),
    "dot segments": request("GET /v1/x/../messages HTTP/1.1", "Host: a"),
    "single dot": request("GET /v1/./messages HTTP/1.1", "Host: a"),
    "double slash": request("GET //v1//messages HTTP/1.1", "Host: a"),
    "backslash": request("GET /v1\\messages HTTP/1.1", "Host: a"),
    "encoded slash": request("GET /v1%2Fmessages HTTP/1.1", "Host: a"),
    "encoded backslash": request("GET /v1%5cmessages HTTP/1.1", "Host: a"),
    "encoded dots": request("GET /x/%2e%2E/v1/messages HTTP/1.1", "Host: a"),
    "encoded null": request("GET /v1/messages%00 HTTP/1.1", "Host: a"),
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_hostile_request_is_refused_and_cut(port: int, recorder: Recorder, raw: bytes) -> None:
    response = exchange(port, raw)
    assert status_of(response) == 400
    assert recorder.seen == []


def test_refusal_speaks_the_error_shape_with_a_request_id(port: int) -> None:
    head, body = exchange(port, REFUSED["two hosts"]).split(b"\r\n\r\n", 1)
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    error = json.loads(body)
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    assert fields[b"request-id"].decode() == error["request_id"]
    assert fields[b"x-tallygate-error-source"] == b"client"
    assert fields[b"x-tallygate-error-code"] == b"bad_request"
    assert fields[b"connection"] == b"close"


@pytest.mark.parametrize("line", ["TRACE / HTTP/1.1", "TRACE /v1/messages HTTP/1.1", "CONNECT /v1/messages HTTP/1.1"])
def test_trace_and_connect_are_not_allowed(port: int, recorder: Recorder, line: str) -> None:
    response = exchange(port, request(line, "Host: a"))
    assert status_of(response) == 405
    assert b"\r\nallow: GET, " in response
    assert recorder.seen == []


@pytest.mark.parametrize("host", ["a", "gw.example.com", "gw:4000", "my_gateway:8080", "127.0.0.1:1", "[::1]", "[::ffff:10.0.0.1]:443"])
def test_plain_host_passes(port: int, recorder: Recorder, host: str) -> None:
    response = exchange(port, request("GET /v1/messages HTTP/1.1", f"Host: {host}", "Connection: close"))
    assert response.endswith(b"\r\n\r\n/v1/messages")
    assert len(recorder.seen) == 1


@pytest.mark.parametrize("path", ["/admin/a%2Fb", "/static/x..y", "/v1/models/a%2Fb", "/v1/messages?next=//x/../%00"])
def test_odd_path_that_is_no_second_spelling_of_a_call_passes(port: int, path: str) -> None:
    assert status_of(exchange(port, get(path))) == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE"])
def test_other_methods_are_the_endpoint_tables_business(port: int, recorder: Recorder, method: str) -> None:
    exchange(port, get("/v1/messages").replace(b"GET", method.encode()))
    assert [call["method"] for call in recorder.seen] == [method]


def test_names_with_an_underscore_are_dropped(port: int, recorder: Recorder) -> None:
    exchange(port, get("/v1/messages", "x_api_key: forged", "X-Api-Key: real"))
    assert [value for name, value in recorder.seen[0]["headers"] if b"api" in name] == [b"real"]


def test_websocket_upgrade_of_a_call_gets_the_error_as_http(port: int, recorder: Recorder) -> None:
    response = exchange(port, websocket_upgrade("/v1/messages"))
    assert status_of(response) == 400
    assert b'"invalid_request_error"' in response
    assert recorder.seen == []


def test_websocket_elsewhere_reaches_the_application(port: int, recorder: Recorder) -> None:
    with dial(port) as client:
        client.sendall(websocket_upgrade("/live"))
        assert status_of(client.recv(65536)) == 101
    assert [call["type"] for call in recorder.seen] == ["websocket"]


@pytest.mark.parametrize(
    "coding", [[b"gzip, chunked"], [b"chunked", b"chunked"], [b"gzip"], [b"chunked", b"identity"]], ids=["list", "twice", "gzip", "mixed"]
)
def test_guard_does_not_rely_on_the_parser_for_transfer_codings(coding: list[bytes]) -> None:
    assert status_without_server([(b"host", b"a"), *((b"transfer-encoding", value) for value in coding)]) == 400


def test_guard_does_not_rely_on_the_parser_for_length_beside_chunked() -> None:
    assert status_without_server([(b"host", b"a"), (b"content-length", b"5"), (b"transfer-encoding", b"chunked")]) == 400


def test_chunked_alone_passes() -> None:
    assert status_without_server([(b"host", b"a"), (b"transfer-encoding", b"Chunked")]) == 200


@pytest.mark.parametrize("path", [b"/v1/messages", b"/model/arn%3Aaws/invoke", b"/a.b/..c/d...", b"/%41"])
def test_plain_paths(path: bytes) -> None:
    assert is_plain_path(path)


@pytest.mark.parametrize("path", [b"//a", b"/a//b", b"/..", b"/a/.", b"/a/../b", b"/a\\b", b"/%2E", b"/a%2fb", b"/%5C", b"/%00"])
def test_paths_with_a_second_reading(path: bytes) -> None:
    assert not is_plain_path(path)


def status_without_server(fields: list[tuple[bytes, bytes]]) -> int:
    sent: list[Message] = []
    scope: Scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/", "raw_path": b"/", "headers": fields}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Guard(Recorder())(scope, receive, send))
    return int(sent[0]["status"])
