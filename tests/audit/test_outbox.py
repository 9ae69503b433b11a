"""What people are told is told once, is tried for a day, and can only be read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import Outbox
from audit.outbox import (
    KEPT,
    KEYS_PER_QUERY,
    LEASE,
    STALE,
    TRIED_AT,
    Note,
    mark_failed,
    mark_sent,
    state,
    sweep,
    take,
    unwritten,
    write_once,
)
from tests.factories import make_admin
from tests.threads import at_once

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def write(*keys: str, at: datetime = NOW, **payload: Any) -> None:
    write_once([Note(key, "test", payload) for key in keys], at)


def taken(now: datetime) -> str:
    note = take(now)
    return note.once_key if note else ""


def test_key_is_written_once_and_keeps_its_first_content() -> None:
    write("a", n=1)
    write("a", "b", at=NOW + MINUTE, n=2)
    assert list(Outbox.objects.order_by("id").values_list("once_key", "payload", "created_at")) == [
        ("a", {"n": 1}, NOW),
        ("b", {"n": 2}, NOW + MINUTE),
    ]


def test_unwritten_keys_are_those_without_a_row_however_many_are_asked() -> None:
    keys = [f"k{number}" for number in range(2 * KEYS_PER_QUERY + 3)]
    write(*keys[::2])
    assert unwritten(keys) == set(keys[1::2])


def test_oldest_note_is_taken_first_and_nobody_else_gets_it() -> None:
    write("a", "b")
    assert [taken(NOW) for _ in range(3)] == ["a", "b", ""]


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_processes_that_take_at_once_get_each_note_once() -> None:
    keys = [f"k{number:02d}" for number in range(20)]
    write(*keys)
    got = at_once(5, lambda: [taken(NOW) for _ in keys])
    assert sorted(key for each in got for key in each if key) == keys


def test_sent_note_is_not_taken_again() -> None:
    write("a")
    note = take(NOW)
    assert note
    mark_sent(note, NOW)
    assert [taken(NOW + age) for age in TRIED_AT] == [""] * len(TRIED_AT)
    assert Outbox.objects.get().sent_at == NOW


def test_failing_note_is_tried_ever_more_rarely_for_a_day() -> None:
    write("a")
    asked = sorted({age + minute * MINUTE for age in TRIED_AT for minute in range(3)})
    tries = [age for age in asked if taken(NOW + age)]
    assert tries == TRIED_AT
    assert tries[-1] == timedelta(hours=24)


def test_note_taken_by_somebody_who_vanished_is_due_again_but_not_within_the_lease() -> None:
    write("a")
    late = NOW + TRIED_AT[3] - timedelta(seconds=1)  # a second before its next time, after an outage
    assert taken(late) == "a"
    assert taken(late + LEASE) == ""
    assert taken(NOW + TRIED_AT[4]) == "a"


def test_note_that_nobody_tried_for_a_day_is_no_news() -> None:
    write("a")
    assert taken(NOW + STALE) == ""
    assert taken(NOW + STALE - MINUTE) == "a"


def test_failing_note_does_not_keep_others_waiting() -> None:
    write("bad", "good")
    note = take(NOW)
    assert note
    mark_failed(note, "no\0 " + "x" * 600)
    assert taken(NOW) == "good"
    assert Outbox.objects.get(once_key="bad").last_error == ("no " + "x" * 600)[:500]


@pytest.mark.parametrize(
    ("values", "age", "expected"),
    [
        ({}, MINUTE, "waiting"),
        ({"attempts": 1}, MINUTE, "trying"),
        ({"attempts": len(TRIED_AT)}, MINUTE, "given up"),
        ({}, STALE, "given up"),
        ({"attempts": len(TRIED_AT), "sent_at": NOW}, STALE, "sent"),
    ],
)
def test_state_of_a_note(values: dict[str, Any], age: timedelta, expected: str) -> None:
    assert state(Outbox(created_at=NOW, **values), NOW + age) == expected


def test_sweep_keeps_what_could_be_noticed_again() -> None:
    old = NOW - KEPT - MINUTE
    write("over", at=old, ends_at=(old - MINUTE).timestamp())
    write("just over", at=old, ends_at=(NOW - MINUTE).timestamp())
    write("endless", at=old, ends_at=None)
    write("once", at=old)
    write("fresh", at=NOW - MINUTE)
    assert sweep(NOW) == 2
    assert set(Outbox.objects.values_list("once_key", flat=True)) == {"just over", "endless", "fresh"}


def test_administrator_reads_the_outbox_and_cannot_change_it() -> None:
    write("a", text="80% of the budget is spent")
    web = Client()
    web.force_login(make_admin())
    pk = Outbox.objects.get().pk
    for address in (reverse("admin:audit_outbox_changelist"), reverse("admin:audit_outbox_change", args=[pk])):
        assert "80% of the budget is spent" in web.get(address).content.decode()
    assert web.post(reverse("admin:audit_outbox_change", args=[pk]), {"kind": "x"}).status_code == 403
    assert web.post(reverse("admin:audit_outbox_delete", args=[pk]), {"post": "yes"}).status_code == 403
    assert web.get(reverse("admin:audit_outbox_add")).status_code == 403
