"""`tallygate audit check`: the whole trail."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditEvent
from tests.factories import make_team

pytestmark = pytest.mark.django_db


def said(*words: str) -> str:
    out = io.StringIO()
    call_command("audit", "check", *words, stdout=out)
    return out.getvalue()


def test_whole_trail_is_told_with_its_end() -> None:
    assert said() == "There is nothing to check yet.\n"
    make_team()
    newest = AuditEvent.objects.order_by("-pk")[0].pk
    assert said() == f"The chain holds up to event {newest}.\n"
    assert json.loads(said("--json")) == {"whole": True, "up_to": newest + 1, "broken": None}


def test_changed_event_ends_with_its_number_though_it_was_proven_before() -> None:
    make_team()
    said()
    first = AuditEvent.objects.order_by("pk")[0]
    AuditEvent.objects.filter(pk=first.pk).update(ip="203.0.113.66")
    with pytest.raises(CommandError, match=f"breaks at event {first.pk}:"):
        said()
