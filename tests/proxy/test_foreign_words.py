"""R151: what a transport says about itself reaches neither the caller nor the log, what a fault of ours says not the caller."""

from typing import Any, NoReturn

import pytest

from proxy import flow
from proxy.connection import Connection, ConnectionBroken
from proxy.limits import Limits
from proxy.pool import Pool
from tests.proxy.house import House
from tests.proxy.rig import Rig
from tests.proxy.talk import post

WORDS = "10.20.30.40 authorization: Bearer canary-7731"
LOST, AWAY = "provider_connection_lost", "provider_unreachable"


@pytest.fixture
def rig(house: House, limits: Limits) -> Rig:
    return house.rig(limits)


def raising(error: Exception) -> Any:
    async def fail(*_args: object, **_options: object) -> NoReturn:
        raise error

    return fail


FAILURES = {
    "away": (Pool, "connect", OSError(WORDS), AWAY),
    "slow": (Pool, "connect", TimeoutError(WORDS), AWAY),
    "odd": (Pool, "connect", ValueError(WORDS), AWAY),
    "before the answer": (Connection, "answered", ConnectionBroken(WORDS), LOST),
    "in the answer": (Connection, "read", ConnectionBroken(WORDS), LOST),
}


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("failure", FAILURES)
def test_words_of_a_transport_stay_here(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failure: str, is_stream: bool
) -> None:
    owner, method, error, code = FAILURES[failure]
    monkeypatch.setattr(owner, method, raising(error))
    answer = post(rig, stream=is_stream)
    (entry,) = rig.gateway.closings()
    assert entry.summary.error_code == code
    told = f"{answer.headers} {answer.text} {entry} {caplog.text}"
    assert [word for word in WORDS.split() if word in told] == []


def test_words_of_a_fault_of_ours_are_not_the_callers(rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(flow, "admit", raising(RuntimeError(WORDS)))
    answer = post(rig)
    assert (answer.status_code, answer.headers["x-tallygate-error-code"]) == (500, "internal_error")
    assert "canary-7731" not in f"{answer.headers} {answer.text}"
    (logged,) = [record for record in caplog.records if record.name == "proxy.app"]
    assert logged.__dict__["fields"] == {"request_id": answer.headers["request-id"]}
