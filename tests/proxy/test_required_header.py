"""Runners without a fixed address at the public door: the header opens, stays here, and is on no record."""

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from gateway_project.allow_list import AllowList
from keys.required_headers import header_line, required_header
from proxy.limits import Limits
from routing.dialects.litellm_errors import TABLES
from tests.proxy.door import check_refusal, get, know, plane, send
from tests.proxy.house import House
from tests.proxy.rig import Rig

SECRET = "a-secret-of-the-runners"
HEADER = required_header("X-Runner-Secret", SECRET)
AWAY = (ip_network("192.0.2.0/24"),)


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@pytest.mark.parametrize("networks", [(), AWAY])
def test_header_opens_the_key_and_goes_no_further(rig: Rig, networks: tuple[object, ...]) -> None:
    headers = know(rig, "ci", networks=networks, required_header=HEADER)
    check_refusal(send(rig, headers=headers), 403, "header_required")
    check_refusal(send(rig, headers={**headers, "x-runner-secret": "another value"}), 403, "header_required")
    assert send(rig, headers={**headers, "X-Runner-Secret": SECRET}).status_code == 200
    (seen,) = rig.fake.seen
    assert seen.header("x-runner-secret") is None
    assert len(rig.gateway.closings(3)) == 3
    written = b"".join(path.read_bytes() for path in plane(rig).journal.folder.glob("*.log"))
    assert SECRET not in repr((seen.headers, seen.body, written)) and HEADER.digest.encode() not in written


def test_address_opens_without_the_header(rig: Rig) -> None:
    headers = know(rig, "ci", networks=(ip_network("127.0.0.0/8"),), required_header=HEADER)
    assert send(rig, headers=headers).status_code == 200


def test_listings_need_the_header_too(rig: Rig) -> None:
    """R108."""
    headers = know(rig, "ci", required_header=HEADER)
    check_refusal(get(rig, "/v1/models", headers=headers), 403, "header_required")
    assert get(rig, "/v1/models", headers={**headers, "x-runner-secret": SECRET}).status_code == 200


@pytest.mark.parametrize(("allowed", "sent", "status"), [
    ((), {}, 403), ((), {"X-Runner-Secret": SECRET}, 200), (AWAY, {"X-Runner-Secret": SECRET}, 200), (AWAY, {"X-Runner-Secret": "no"}, 403),
    ((ip_network("127.0.0.0/8"),), {}, 200),
])  # fmt: skip
def test_whole_gateway_opens_by_address_or_header(allowed: tuple[Any, ...], sent: dict[str, str], status: int) -> None:
    header = header_line(f"X-Runner-Secret: {SECRET}")
    scope: dict[str, Any] = {"type": "http", "path": "/v1/messages", "client": ("127.0.0.1", 1)}
    scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
    said: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(AllowList(app, allowed, (), TABLES["classic"], header)(scope, receive, send))
    assert said[0]["status"] == status
    assert SECRET not in repr(said)
