"""Calls and people for the tests of the Live page, and sockets to look at it."""

import time
from datetime import UTC, datetime
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from audit.models import RequestRecord
from console.live.board import Call, Try
from console.live.door import websocket_application
from keys.models import User
from tests.console.rows import served

HOST = "127.0.0.1:4000"
OWN = f"http://{HOST}"


def ended(ago_s: float, **values: Any) -> RequestRecord:
    """A request that ended so long ago."""
    duration_ms = values.setdefault("duration_ms", 2000.0)
    return served(at=datetime.fromtimestamp(time.time() - ago_s - duration_ms / 1000, UTC), **values)


def call(ended_s: float, *, side: str = "", first_ms: float | None = 600.0, total_ms: float = 2000.0, **values: Any) -> Call:
    """As the tail reads one."""
    chosen: dict[str, Any] = {
        "id": f"req_{ended_s}_{total_ms}",
        "status": 200,
        "code": "",
        "team_id": "",
        "user_id": "",
        "tries": (),
    } | values
    return Call(ended_s=ended_s, side=side, first_ms=first_ms, total_ms=total_ms, **chosen)


def tried(deployment: str, *, is_bad: bool = False) -> Try:
    return Try(deployment, is_bad, None if is_bad else 500.0)


def signed_in(person: User) -> str:
    """The cookie of a session of theirs."""
    client = Client()
    client.force_login(person)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def socket(cookie: str = "", *, origin: str = OWN, host: str = HOST, query: str = "", path: str = "/live/socket/") -> WebsocketCommunicator:
    fields = [("host", host), ("origin", origin), ("cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}")]
    headers = [(name.encode(), value.encode()) for name, value in fields if value]
    return WebsocketCommunicator(websocket_application, f"{path}?{query}", headers=headers)
