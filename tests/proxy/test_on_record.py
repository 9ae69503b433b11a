"""No call reaches a provider before it is on record, and a call that cannot be put on record is nobody's fault but the gateway's."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.fakes.provider import FakeProvider
from tests.fakes.serving import Scope
from tests.proxy.door import alias, check_refusal, plane, send
from tests.proxy.rig import Rig
from tests.proxy.talk import MODEL, openings, plane_of
from tests.proxy.test_holding import MANY, budget, purse

AT_ONCE = 24


@contextmanager
def full_disk(rig: Rig) -> Iterator[None]:
    """The journal's file takes nothing."""
    write, journal = os.write, plane(rig).journal

    def refuse(descriptor: int, data: bytes) -> int:
        if descriptor == journal._file:
            raise OSError(errno.ENOSPC, "no space left")
        return write(descriptor, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", refuse)
        yield


def many(rig: Rig, *, times: int = AT_ONCE) -> list[int]:
    """Calls at once; their status codes."""
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(lambda _: send(rig).status_code, range(times)))


def test_calls_are_on_record_when_they_reach_the_provider(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    on_record: list[int] = []
    note = FakeProvider._note

    def look(self: FakeProvider, scope: Scope, body: bytes) -> object:
        on_record.append(len(openings(rig.gateway)))
        return note(self, scope, body)

    monkeypatch.setattr(FakeProvider, "_note", look)
    assert many(rig) == [200] * AT_ONCE
    assert all(known >= number for number, known in enumerate(on_record, 1)), on_record


# R85 R92
def test_calls_that_cannot_be_put_on_record_are_not_sent(rig: Rig) -> None:
    rig.gateway.budget(budget(10 * MANY))
    assert many(rig) == [200] * AT_ONCE  # connections to the provider are open
    spent = purse(rig).settled
    with full_disk(rig):
        check_refusal(send(rig), 503, "journal_unavailable", "gateway")
        assert many(rig) == [503] * AT_ONCE
    assert len(rig.fake.seen) == AT_ONCE
    assert (purse(rig).held, purse(rig).settled) == (0, spent)
    assert not plane_of(rig).health.is_cooling(rig.deployment.id, time.monotonic())
    assert send(rig).status_code == 200
    refused = [entry for entry in rig.gateway.closings(2 * AT_ONCE + 2) if entry.summary.status == 503]
    assert len(refused) == AT_ONCE + 1
    assert {(entry.summary.error_source, entry.summary.error_code, len(entry.postings)) for entry in refused} == {
        ("gateway", "journal_unavailable", 0)
    }


def test_call_that_costs_nothing_needs_no_record(rig: Rig) -> None:
    with full_disk(rig):
        assert send(rig, path="/v1/messages/count_tokens").status_code == 200


@pytest.mark.parametrize("change", [{"provider": "demo", "base_url": "", "model": "demo-sonnet"}, {}], ids=["demo", "network"])
def test_first_call_of_all_is_no_exception(rig: Rig, change: dict[str, str]) -> None:
    name = alias(rig, **change)
    with full_disk(rig):
        check_refusal(send(rig, model=name), 503, "journal_unavailable", "gateway")
    assert send(rig, model=name).status_code == 200


def test_no_other_deployment_is_asked_instead(rig: Rig) -> None:
    """It would be put on record at the same place."""
    rig.gateway.route("claude-pair", replace(rig.deployment, model=MODEL), replace(rig.deployment, id="dep-9", model=MODEL))
    with full_disk(rig):
        check_refusal(send(rig, model="claude-pair"), 503, "journal_unavailable", "gateway")
    assert send(rig).status_code == 200
    entry = rig.gateway.closings(2)[0]
    assert [(note.outcome, note.error_code) for note in entry.summary.attempts] == [("failed", "journal_unavailable")]


def test_strict_budget_needs_the_record_before_it_waits_for_the_disk(rig: Rig) -> None:
    rig.gateway.budget(budget(10 * MANY, "strict"))
    with full_disk(rig):
        check_refusal(send(rig), 503, "journal_unavailable", "gateway")
    assert (len(rig.fake.seen), purse(rig).held) == (0, 0)


def test_sending_puts_the_call_on_record_whether_or_not_anything_else_would(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the turn, at which the journal writes of itself, never comes here."""
    journal = plane(rig).journal
    tried: list[Callable[[], None]] = []
    monkeypatch.setattr(journal, "_soon", tried.append)
    assert send(rig).status_code == 200
    assert tried
    assert len(openings(rig.gateway)) == 1
    monkeypatch.undo()
    for work in tried:
        work()
