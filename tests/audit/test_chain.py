"""Checks of the chain: each is told in the trail itself."""

import pytest

from audit import chain
from audit.chain import Check, Held, check_chain, check_whole_chain, last_check, walk
from audit.models import AuditEvent
from audit.tasks import check_trail
from audit.trail import COMMAND_LINE, SYSTEM, first_broken
from keys.actions import change_team
from keys.models import Team
from tests.factories import make_team

pytestmark = pytest.mark.django_db


def test_whole_chain_is_told_with_how_far_it_goes() -> None:
    make_team()
    newest = AuditEvent.objects.order_by("-pk")[0]
    found = check_chain(COMMAND_LINE)
    assert found is not None
    assert (found.is_whole, found.up_to, found.newer, found.event.actor_name) == (True, newest.pk, 0, "command line")
    assert first_broken() is None


def test_broken_chain_is_told_with_the_event_where_it_breaks() -> None:
    make_team()
    first = AuditEvent.objects.order_by("pk")[0]
    AuditEvent.objects.filter(pk=first.pk).update(ip="203.0.113.66")
    found = check_chain(COMMAND_LINE)
    assert found is not None
    assert (found.is_whole, found.broken) == (False, first.pk)


def test_what_came_after_the_check_is_counted() -> None:
    make_team()
    check_chain(COMMAND_LINE)
    make_team("Sales")
    found = last_check()
    assert found is not None
    assert found.newer == 1


def test_there_is_nothing_to_check_before_anything_happened() -> None:
    assert check_chain(COMMAND_LINE) is None
    assert last_check() is None


def history(monkeypatch: pytest.MonkeyPatch, length: int = 12) -> list[int]:
    """Events, of which three are read at once."""
    monkeypatch.setattr(chain, "AT_ONCE", 3)
    team = make_team()
    for number in range(length):
        team = change_team(team, {"name": f"T{number}"}, actor=SYSTEM)
    return list(AuditEvent.objects.order_by("pk").values_list("pk", flat=True))


def checked(batches: int | None = None) -> Check:
    found = check_chain(COMMAND_LINE, batches)
    assert found is not None
    return found


def spoil(event_id: int) -> None:
    AuditEvent.objects.filter(pk=event_id).update(actor_name="Mallory")


def test_check_of_a_page_ends_early_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = history(monkeypatch)
    first, second = checked(batches=2), checked(batches=2)
    assert (first.up_to, first.newer, second.up_to) == (ids[5], len(ids) - 6, ids[11])
    assert second.event.after["after"] == ids[5]


def test_check_reads_what_was_proven_no_more_and_the_whole_check_does(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = history(monkeypatch)
    checked()
    spoil(ids[4])
    assert checked().is_whole
    whole = check_whole_chain(COMMAND_LINE, lambda count: None)
    assert whole is not None
    assert whole.broken == ids[4]


def test_event_changed_after_the_last_check_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    history(monkeypatch)
    held = checked().event
    change_team(Team.objects.get(), {"name": "New"}, actor=SYSTEM)
    newest = AuditEvent.objects.order_by("-pk")[0]
    spoil(newest.pk)
    assert (checked().broken, newest.pk > held.pk) == (newest.pk, True)


def test_trail_that_was_written_anew_does_not_fit_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = history(monkeypatch)
    checked(batches=1)
    AuditEvent.objects.filter(pk=ids[3]).update(previous_hash="0" * 64)
    assert checked(batches=1).broken == ids[3]


def test_break_is_found_again_until_it_is_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = history(monkeypatch)
    before = AuditEvent.objects.get(pk=ids[7]).actor_name
    spoil(ids[7])
    assert [checked().broken, checked(batches=1).broken] == [ids[7], ids[7]]
    AuditEvent.objects.filter(pk=ids[7]).update(actor_name=before)
    assert checked().is_whole


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 11])
def test_every_length_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    ids = history(monkeypatch, length)
    last = AuditEvent.objects.get(pk=ids[-1])
    assert walk(Held()) == Held(last.pk, last.hash)


def test_night_reads_on_and_says_where_it_breaks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    ids = history(monkeypatch)
    check_trail()
    check_trail()
    assert AuditEvent.objects.filter(event="audit.checked", actor_kind="system").count() == 1
    change_team(Team.objects.get(), {"name": "New"}, actor=SYSTEM)
    spoil(AuditEvent.objects.order_by("-pk")[0].pk)
    check_trail()
    assert f"event {ids[-1] + 2}, or one before it" in caplog.text


def test_night_leaves_no_event_before_anything_happened() -> None:
    check_trail()
    assert not AuditEvent.objects.exists()


def test_many_that_wait_are_not_counted_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    history(monkeypatch)
    monkeypatch.setattr(chain, "COUNTED", 4)
    found = checked(batches=1)
    assert (found.newer, found.has_many_newer) == (5, True)
