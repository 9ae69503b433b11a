"""What administrators take away of the ways somebody signs in."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from audit.trail import SYSTEM
from keys.models import User
from keys.sign_in_actions import end_session, remove_authenticator, sign_out, unlink
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
TYPES = Authenticator.Type


@pytest.fixture
def bob() -> User:
    return make_user("bob")


def signed_in(person: User) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": person.username, "password": PASSWORD})
    assert "_auth_user_id" in client.session
    return client


def told() -> list[str]:
    events = ["link.removed", "authenticator.removed", "session.ended"]
    return list(AuditEvent.objects.filter(event__in=events).values_list("event", flat=True))


def test_unlinked_account_signs_its_person_out_everywhere(bob: User) -> None:
    client = signed_in(bob)
    account = SocialAccount.objects.create(user=bob, provider="company", uid="u-1", extra_data={"id_token": "canary"})
    unlink(account, actor=SYSTEM)
    assert client.get("/").status_code == 302
    event = AuditEvent.objects.get(event="link.removed")
    assert (event.object_name, event.before) == ("bob", {"user_id": bob.pk, "provider": "company", "uid": "u-1"})
    assert not SocialAccount.objects.exists()


def test_ended_session_opens_no_page_and_the_others_stay(bob: User) -> None:
    gone, stays = signed_in(bob), signed_in(bob)
    end_session(UserSession.objects.get(session_key=gone.session.session_key), actor=SYSTEM)
    assert (gone.get("/").status_code, stays.get("/").status_code) == (302, 200)
    event = AuditEvent.objects.get(event="session.ended")
    assert str(stays.session.session_key) not in str(event.before)
    assert set(event.before) == {"user_id", "ip", "user_agent", "created_at"}


def test_signing_somebody_out_ends_every_session(bob: User) -> None:
    clients = [signed_in(bob), signed_in(bob)]
    sign_out(bob, actor=SYSTEM)
    assert [client.get("/").status_code for client in clients] == [302, 302]
    assert told() == ["session.ended", "session.ended"]


def test_recovery_codes_go_with_the_last_factor(bob: User) -> None:
    for kind in (TYPES.TOTP, TYPES.WEBAUTHN, TYPES.RECOVERY_CODES):
        Authenticator.objects.create(user=bob, type=kind, data={"secret": "canary", "name": "key", "credential": {}})
    remove_authenticator(Authenticator.objects.get(type=TYPES.TOTP), actor=SYSTEM)
    assert Authenticator.objects.count() == 2
    last = Authenticator.objects.get(type=TYPES.WEBAUTHN)
    remove_authenticator(last, actor=SYSTEM)
    remove_authenticator(last, actor=SYSTEM)
    assert (Authenticator.objects.count(), len(told())) == (0, 3)
    assert "canary" not in str(list(AuditEvent.objects.values()))
