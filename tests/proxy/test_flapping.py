"""Two deployments of which one comes and goes: callers notice nothing, and the providers' bills are the journal."""

import asyncio
import itertools
from collections.abc import Iterator

import httpx
import pytest

from proxy.limits import Limits
from tests.fakes.provider import FakeProvider
from tests.fakes.script import Answer, refusal
from tests.fakes.serving import serve_in_thread
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.routes import deployment, put, route
from tests.proxy.talk import HEADERS, ask

CALLS, AT_ONCE = 400, 16
MOODS = [refusal(500), refusal(529), Answer(), refusal(429, headers=(("retry-after", "0"),)), Answer(), refusal(503), refusal(401)]


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


@pytest.fixture
def flapping() -> Iterator[tuple[FakeProvider, str]]:
    fake = FakeProvider()
    fake.script(*itertools.islice(itertools.cycle(MOODS), CALLS * 2))
    with serve_in_thread(fake) as url:
        yield fake, url


async def calls(url: str, model: str) -> list[int]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> int:
        async with gate:
            return (await client.post(f"{url}/v1/messages", json=ask(model, stream=number % 2 == 0), headers=HEADERS)).status_code

    async with httpx.AsyncClient(timeout=30) as client:
        return await asyncio.gather(*(one(number) for number in range(CALLS)))


def test_no_caller_sees_that_one_deployment_flaps_and_every_token_billed_is_on_record(rig: Rig, flapping: tuple[FakeProvider, str]) -> None:
    fake, url = flapping
    line = route("claude-two", deployment(rig, "steady"), deployment(rig, "flapping", base_url=url, secret=rig.deployment.secret))
    model = put(rig, route("claude-two", *reversed([target.deployment for target in line.targets]), retries=1))
    assert set(asyncio.run(calls(rig.url, model))) == {200}
    entries = rig.gateway.closings(CALLS)
    billed = [rig.fake.bill.total(kind) + fake.bill.total(kind) for kind in ("input_tokens", "output_tokens")]
    journal = [sum(getattr(entry.summary, kind) for entry in entries) for kind in ("input_tokens", "output_tokens")]
    assert journal == billed
    assert sum(len(entry.postings) for entry in entries) == CALLS == len(rig.fake.bill.rows) + len(fake.bill.rows)
    assert len(fake.bill.rows) > 0
