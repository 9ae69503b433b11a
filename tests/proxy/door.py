"""What the tests at the public door send, and what they expect of every refusal."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from audit.requests import RequestSummary
from keys.snapshot import Caller
from proxy.plane import Plane
from tests.proxy.rig import Rig, caller
from tests.proxy.talk import HEADERS, PATIENCE_S, ask

# Without authorities: loading them for every client takes longer than a call.
TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def send(
    rig: Rig,
    body: bytes | None = None,
    *,
    method: str = "POST",
    path: str = "/v1/messages",
    headers: Mapping[str, str] | list[tuple[str, str]] = HEADERS,
    **fields: Any,
) -> httpx.Response:
    """One call on a connection of its own; `fields` go into a plain ask."""
    content = json.dumps(ask(**fields)).encode() if body is None else body
    with httpx.Client(verify=TRUST, timeout=PATIENCE_S) as client:
        return client.request(method, rig.url + path, content=content if method == "POST" else None, headers=headers)


def get(rig: Rig, path: str, headers: Mapping[str, str] = HEADERS) -> httpx.Response:
    return send(rig, method="GET", path=path, headers=headers)


def plane(rig: Rig) -> Plane:
    assert rig.gateway.plane is not None
    return rig.gateway.plane


def know(rig: Rig, name: str, **changes: object) -> dict[str, str]:
    """Makes a caller known; returns the headers it calls with."""
    who: Caller = caller(name, **changes)
    rig.gateway.know(f"sk-{name}", who)
    return {**HEADERS, "x-api-key": f"sk-{name}"}


def summary(rig: Rig) -> RequestSummary:
    """The record of the test's only call."""
    (entry,) = rig.gateway.closings()
    return entry.summary


def alias(rig: Rig, **changes: Any) -> str:
    """The name of a model at the usual deployment with changes."""
    rig.gateway.route("claude-alias", replace(rig.deployment, **changes))
    return "claude-alias"


def dead_route(rig: Rig) -> str:
    """The name of a model whose deployment nobody answers for."""
    rig.gateway.route("claude-dead", replace(rig.deployment, base_url="http://127.0.0.1:1"))
    return "claude-dead"


def check_refusal(answer: httpx.Response, status: int, code: str, source: str = "client") -> dict[str, Any]:
    """The error contract, less what differs from case to case; returns the error object."""
    assert (answer.status_code, answer.headers.get("x-tallygate-error-code")) == (status, code), answer.text
    assert answer.headers["x-tallygate-error-source"] == source
    assert answer.headers["x-should-retry"] in {"true", "false"}
    body = answer.json()
    assert body["type"] == "error"
    assert body["request_id"] == answer.headers["request-id"]
    assert body["error"]["message"]
    return dict(body["error"])
