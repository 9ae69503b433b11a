"""Several instances on one PostgreSQL and Redis: replaced, killed, restarted and changed under load, seen from outside."""

import itertools
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anthropic
import httpx
import pytest

from tests.gateway_project.running import ASK, BOUND_S, MASTER, MODEL, Callers, Serving, Site, balanced, until

pytestmark = pytest.mark.services

STREAMS = 50
CHANGES = 20
# What R77 and R96 promise.
IN_FORCE_S = 5.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("instances") / "home") as site:
        yield site


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    yield shared
    shared.kill_all()


@pytest.fixture
def pair(site: Site) -> tuple[Serving, Serving]:
    return site.serve("--no-background"), site.serve("--no-background")


def streamed(instance: Serving) -> bool:
    """Whether a stream of some seconds came to its proper end."""
    question = [{"role": "user", "content": "Write a long essay about the history of rivers"}]
    body = {"model": "demo-opus", "max_tokens": 2000, "stream": True, "messages": question}
    with httpx.stream("POST", f"{instance.url}/v1/messages", json=body, headers={"x-api-key": MASTER}, timeout=BOUND_S) as answer:
        return list(answer.iter_lines())[-3] == "event: message_stop"


def is_answered(instance: Serving, token: str, status: int) -> None:
    """Within the time in which a change reaches every process."""
    until(lambda: instance.ask(token) == status, IN_FORCE_S)


# ── changes ───────────────────────────────────────────────────────────────────
def test_revoked_key_is_refused_by_every_process_in_time(site: Site, pair: tuple[Serving, Serving]) -> None:
    token = pair[0].post("/key/generate", {"key_alias": "to-be-revoked"}).json()["key"]
    is_answered(pair[0], token, 200)
    is_answered(pair[1], token, 200)
    site.tallygate("keys", "revoke", "to-be-revoked")
    is_answered(pair[0], token, 401)
    is_answered(pair[1], token, 401)


def test_streams_go_on_while_the_configuration_changes_and_every_change_arrives(pair: tuple[Serving, Serving]) -> None:
    turns = itertools.cycle(pair)
    with Callers(lambda: streamed(next(turns)), STREAMS) as streams:
        for number in range(CHANGES):
            token = pair[0].post("/key/generate", {"key_alias": f"change {number}"}).json()["key"]
            is_answered(pair[0], token, 200)
        is_answered(pair[1], token, 200)
    assert (streams.errors, set(streams.statuses)) == ([], {True})
    assert len(streams.statuses) >= STREAMS


# ── replacement ───────────────────────────────────────────────────────────────
def test_no_call_is_lost_when_an_instance_behind_a_balancer_is_replaced(site: Site) -> None:
    old = site.serve("--no-background", TALLYGATE_DRAIN_GRACE_S="2")
    instances = [old]
    with Callers(lambda: balanced(*instances)) as callers:
        callers.more(10)
        instances.append(site.serve("--no-background", TALLYGATE_DRAIN_GRACE_S="2"))
        callers.more(10)
        assert old.stop()[0] == 0
        callers.more(10)
    assert (callers.errors, set(callers.statuses)) == ([], {200})


def test_no_call_is_lost_when_an_instance_is_replaced_on_its_own_port(site: Site) -> None:
    old = site.serve("--reuse-port", "--no-background")

    def call() -> int:
        with anthropic.Anthropic(base_url=old.url, api_key=MASTER) as client:
            messages = client.messages.with_raw_response
            return messages.create(model=MODEL, max_tokens=8, messages=[{"role": "user", "content": "hello"}]).http_response.status_code

    with Callers(call) as callers:
        callers.more(10)
        new = site.serve("--reuse-port", "--no-background", port=old.port)
        callers.more(10)
        assert old.stop()[0] == 0
        callers.more(10)
    assert (callers.errors, set(callers.statuses), new.process.poll()) == ([], {200}, None)


# ── death ─────────────────────────────────────────────────────────────────────
def test_restart_on_the_same_port_after_kill_9_posts_what_was_open(site: Site) -> None:
    first = site.serve("--no-background")
    before = site.count("SELECT count(*) FROM billing_ledgerentry WHERE kind = 'reap'")
    body = ASK | {"model": "demo-stall", "stream": True}
    with httpx.stream("POST", f"{first.url}/v1/messages", json=body, headers={"x-api-key": MASTER}, timeout=BOUND_S):
        first.kill()
    second = site.serve("--no-background", port=first.port)
    assert second.ask() == 200
    assert until(lambda: site.count("SELECT count(*) FROM billing_ledgerentry WHERE kind = 'reap'") - before) == 1


def test_background_work_goes_to_another_instance_when_its_own_dies(site: Site) -> None:
    first = site.serve()
    first.hear("background work started")
    second = site.serve()
    assert second.ask() == 200
    assert "background work started" not in second.told()
    first.kill()
    second.hear("background work started")


# ── without Redis ─────────────────────────────────────────────────────────────
def test_second_instance_without_redis_waits_for_the_first_to_end(site: Site) -> None:
    first = site.serve("--no-background", REDIS_URL="")
    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(site.serve, "--no-background", REDIS_URL="")
        until(lambda: any("another instance uses this database" in log.read_text() for log in site.home.parent.glob("stderr-*")))
        first.send(signal.SIGTERM)
        second = starting.result()
    assert second.ask() == 200
    assert "each holds rate limits by itself" not in second.told()
