"""Checks of the chain: each is told in the trail itself."""

import pytest

from audit.chain import check_chain, last_check
from audit.models import AuditEvent
from audit.trail import COMMAND_LINE, first_broken
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
