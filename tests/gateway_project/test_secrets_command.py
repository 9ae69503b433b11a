"""`tallygate secrets`: R148, new keys while the gateway runs."""

import io

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django import Settings

from audit.models import AuditEvent
from routing.credentials import resolve
from routing.models import Credential
from tests.factories import PROVIDER_KEY, make_credential

pytestmark = pytest.mark.django_db


def said(*words: str) -> str:
    out = io.StringIO()
    call_command("secrets", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def newer(settings: Settings) -> str:
    """A new key in front of the one that a credential was encrypted with."""
    make_credential()
    make_credential("by reference", "env:ANTHROPIC_API_KEY")
    settings.TALLYGATE_SECRET_KEYS = [said("new-key").strip(), *settings.TALLYGATE_SECRET_KEYS]
    return str(settings.TALLYGATE_SECRET_KEYS[0])


def test_rotation_makes_the_old_key_dispensable(newer: str, settings: Settings) -> None:
    assert "encrypted anew: 1." in said("rotate")
    settings.TALLYGATE_SECRET_KEYS = [newer]
    assert resolve(Credential.objects.get(name="anthropic key")) == PROVIDER_KEY
    assert Credential.objects.get(name="by reference").secret == "env:ANTHROPIC_API_KEY"


def test_second_rotation_changes_and_records_nothing(newer: str) -> None:
    said("rotate")
    before = AuditEvent.objects.count()
    assert "anew: 0." in said("rotate")
    assert AuditEvent.objects.count() == before


def test_rotation_is_in_the_audit_trail_without_the_key(newer: str) -> None:
    said("rotate")
    event = AuditEvent.objects.get(event="credential.changed")
    assert event.after["secret"] == "changed"
    assert PROVIDER_KEY not in f"{event.before} {event.after}"


def test_credential_that_no_key_opens_is_named(settings: Settings) -> None:
    make_credential()
    settings.TALLYGATE_SECRET_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="opens anthropic key"):
        said("rotate")
