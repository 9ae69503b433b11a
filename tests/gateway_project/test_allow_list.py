"""The list of addresses that may call here at all: who is refused, how they are told, and what stays open."""

import asyncio
import json
from ipaddress import ip_network
from typing import Any

import pytest

from gateway_project.allow_list import AllowList
from routing.dialects.litellm_errors import CLASSIC

OFFICE, PROXY = (ip_network("10.0.0.0/8"),), (ip_network("172.16.0.0/12"),)


async def _inside(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "inside", "status": 200, "headers": []})


def call(path: str = "/v1/messages", peer: str = "203.0.113.9", forwarded: str = "", kind: str = "http") -> list[dict[str, Any]]:
    """What was sent to a caller from `peer`."""
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = {"type": kind, "path": path, "headers": headers, "client": (peer, 1) if peer else None}
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    asyncio.run(AllowList(_inside, OFFICE, PROXY, CLASSIC)(scope, receive, send))
    return sent


def is_in(**asked: str) -> bool:
    return bool(call(**asked)[0]["type"] == "inside")


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3"])
def test_listed_address_is_let_in(peer: str) -> None:
    assert is_in(peer=peer)


@pytest.mark.parametrize("peer", ["203.0.113.9", "", "11.0.0.1", "::1"])
def test_other_address_is_kept_out(peer: str) -> None:
    assert not is_in(peer=peer)


def test_address_behind_a_trusted_proxy_counts_and_nobody_elses_word_does() -> None:
    assert is_in(peer="172.16.0.1", forwarded="203.0.113.9, 10.1.2.3")
    assert not is_in(peer="172.16.0.1", forwarded="10.1.2.3, 203.0.113.9")
    assert not is_in(peer="203.0.113.9", forwarded="10.1.2.3")
    assert not is_in(peer="172.16.0.1")


@pytest.mark.parametrize("path", ["/health/liveliness", "/health/liveness", "/health/readiness", "/health/readiness/"])
def test_probes_stay_open(path: str) -> None:
    assert is_in(path=path)


@pytest.mark.parametrize("path", ["/health", "/health/readiness/x", "/key/info", "/", "/admin/", "/v1/models", "/api/hello"])
def test_everything_else_is_closed(path: str) -> None:
    assert not is_in(path=path)


@pytest.mark.parametrize(
    ("path", "shape"),
    [("/v1/messages", "permission_error"), ("/v1/chat/completions", "auth_error"), ("/key/info", "auth_error"), ("/", "auth_error")],
)
def test_refusal_is_told_in_the_callers_tongue(path: str, shape: str) -> None:
    start, body = call(path)
    headers = dict(start["headers"])
    assert (start["status"], headers[b"x-tallygate-error-code"]) == (403, b"ip_not_allowed")
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    error = json.loads(body["body"])["error"]
    assert error["type"] == shape
    assert "may not be used from 203.0.113.9" in error["message"]


def test_what_is_no_address_is_not_repeated() -> None:
    _, body = call(peer="172.16.0.1", forwarded="<script>" * 20)
    assert b"script" not in body["body"]


def test_live_page_is_refused_before_it_opens() -> None:
    assert call("/live", kind="websocket")[0]["type"] == "websocket.http.response.start"
