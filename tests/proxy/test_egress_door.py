"""R133: where a name leads is looked up once, checked, and connected to; R134: private networks and metadata services stay closed."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from proxy import pool
from proxy.limits import Limits
from proxy.pool import Pool, place
from routing.egress import EgressRefused
from tests.fakes.serving import serve_in_thread
from tests.proxy.rig import Rig, running
from tests.proxy.talk import post, reroute

NAME = "provider.example"
AddressInfo = tuple[int, int, int, str, tuple[str, int]]


@dataclass
class Names:
    """A resolver that gives other addresses each time it is asked; the last of them stay."""

    answers: list[list[str]]
    port: int = 0
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[AddressInfo]:
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(_family(one), socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (one, self.port or port)) for one in addresses]


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@contextlib.contextmanager
def listening(address: str = "127.0.0.2") -> Iterator[socket.socket]:
    with socket.create_server((address, 0)) as listener:
        listener.settimeout(5)
        yield listener


def peers(names: Names, times: int, *, allowed: Sequence[str] = ("127.0.0.2/32",), is_trusted: bool = False) -> list[str]:
    """Where connections to the name end."""

    async def connect() -> list[str]:
        opened = Pool(allowed, names)
        origin = place(f"http://{NAME}:{names.port}/v1", is_trusted=is_trusted).origin
        found = []
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(times):
                connection = await opened.connect(origin, 5)
                stack.callback(connection.close)
                found.append(connection._transport.get_extra_info("peername")[0])
        return found

    return asyncio.run(connect())


def test_connection_goes_to_the_address_that_was_checked_without_a_second_look() -> None:
    with listening() as server:
        names = Names([["127.0.0.2"], ["127.0.0.1"]], server.getsockname()[1])
        assert peers(names, 2) == ["127.0.0.2", "127.0.0.2"]
    assert names.asked == [NAME]


def test_name_that_has_moved_into_a_private_network_is_refused_at_the_next_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "NAMES_S", 0)
    with listening() as server:
        names = Names([["127.0.0.2"], ["127.0.0.1"]], server.getsockname()[1])
        with pytest.raises(EgressRefused, match=r"127\.0\.0\.1"):
            peers(names, 2)


@pytest.mark.parametrize("second", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1"])
def test_one_closed_address_among_open_ones_closes_the_name(second: str) -> None:
    with listening() as server, pytest.raises(EgressRefused):
        peers(Names([["127.0.0.2", second]], server.getsockname()[1]), 1)


def test_operators_address_may_be_private_but_never_a_metadata_service() -> None:
    with listening() as server:
        port = server.getsockname()[1]
        assert peers(Names([["127.0.0.2"]], port), 1, allowed=(), is_trusted=True) == ["127.0.0.2"]
        with pytest.raises(EgressRefused, match="metadata"):
            peers(Names([["127.0.0.2", "169.254.169.254"]], port), 1, allowed=("0.0.0.0/0",), is_trusted=True)


# ── through the public door ───────────────────────────────────────────────────
@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A gateway of its own, for its names are its own."""
    with running(tmp_path, Limits(sweep_s=0.02)) as started:
        yield started


def name_it(rig: Rig, *answers: list[str], port: int = 0) -> Names:
    assert rig.gateway.plane is not None
    names = Names(list(answers), port)
    rig.gateway.plane.upstream._pool = Pool((), names)
    return names


def named(rig: Rig) -> str:
    """The fake provider's address under the name."""
    return f"http://{NAME}:{urlsplit(rig.deployment.base_url).port}"


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254"])
def test_refusal_is_told_to_the_administrator_and_to_callers_as_unreachable(rig: Rig, address: str) -> None:
    name_it(rig, [address])
    answer = post(rig, model=reroute(rig, replace(rig.deployment, base_url=named(rig))))
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (502, "provider_unreachable")
    assert address not in answer.text
    entry = rig.gateway.closings()[0]
    note = entry.summary.attempts[0]
    assert (note.error_code, address in note.error_message, entry.postings) == ("address_refused", True, [])
    assert not rig.fake.seen


def test_operators_deployment_passes_and_its_connection_serves_no_other(rig: Rig) -> None:
    names = name_it(rig, ["127.0.0.1"])
    operators = replace(rig.deployment, base_url=named(rig), is_operators=True)
    assert [post(rig, model=reroute(rig, operators)).status_code for _ in range(2)] == [200, 200]
    assert names.asked == [NAME]
    assert post(rig, model=reroute(rig, replace(operators, is_operators=False))).status_code == 502
    assert len(rig.fake.seen) == 2


def test_address_that_is_built_into_a_provider_may_be_private(rig: Rig) -> None:
    with listening("127.0.0.1") as closed:
        port = closed.getsockname()[1]
    name_it(rig, ["127.0.0.1"], port=port)
    post(rig, model=reroute(rig, replace(rig.deployment, base_url="")))
    assert rig.gateway.closings()[0].summary.attempts[0].error_code == "provider_unreachable"


def test_refused_deployment_gives_way_to_the_next_one(rig: Rig) -> None:
    name_it(rig, ["10.0.0.1"])
    refused = replace(rig.deployment, id="refused", base_url=named(rig))
    with serve_in_thread(rig.fake) as url:
        fit = replace(rig.deployment, id="fit", base_url=url, is_operators=True)
        rig.gateway.plane.upstream._pool._look_up = pool._by_the_system  # type: ignore[union-attr]  # a running rig has its plane
        rig.gateway.route("claude-two", replace(refused, base_url="http://10.0.0.1:9"), fit)
        assert post(rig, model="claude-two").status_code == 200
    assert [note.error_code for note in rig.gateway.closings()[0].summary.attempts] == ["address_refused", ""]
