"""Each sign-in is in the audit trail; of failed ones how many there were, and never whose name was tried."""

import json
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret, hotp_value
from django.core.cache import cache
from django.test import Client

from audit.models import AuditEvent
from audit.trail import first_broken
from keys.models import User
from keys.sign_ins import record_failure
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
LOGIN, CODE = "/accounts/login/", "/accounts/2fa/authenticate/"


@pytest.fixture(autouse=True)
def no_attempts_so_far() -> None:
    cache.clear()


def sign_in(client: Client, name: str = "alice", password: str = PASSWORD) -> None:
    client.post(LOGIN, {"login": name, "password": password}, headers={"x-forwarded-for": "203.0.113.9"})


def told(event: str) -> list[tuple[str, str, dict[str, object]]]:
    return [(one.actor_name, one.ip, one.after) for one in AuditEvent.objects.filter(event=event).order_by("pk")]


def test_password_is_told_with_who_and_from_where() -> None:
    make_user()
    sign_in(Client())
    assert told("user.signed_in") == [("alice@example.com", "127.0.0.1", {"way": "password"})]
    assert first_broken() is None


def with_app() -> str:
    secret: str = generate_totp_secret()
    Authenticator.objects.create(user=make_user(), type=Authenticator.Type.TOTP, data={"secret": secret})
    return secret


def test_second_factor_is_told_once_it_was_given() -> None:
    secret, client = with_app(), Client()
    sign_in(client)
    assert told("user.signed_in") == []
    client.post(CODE, {"code": f"{hotp_value(secret, int(time.time()) // 30):06d}"})
    assert [after for _, _, after in told("user.signed_in")] == [{"way": "password, totp"}]


def test_wrong_code_after_the_right_password_is_counted() -> None:
    with_app()
    client = Client()
    sign_in(client)
    client.post(CODE, {"code": "000000"})
    ((_, _, after),) = told("user.sign_in_failed")
    assert (after["way"], after["failed"]) == ("second factor", 1)


@pytest.mark.parametrize("name", ["alice", "nobody-has-this-name"])
def test_failed_password_is_counted_without_the_name(name: str) -> None:
    make_user()
    before = AuditEvent.objects.count()
    sign_in(Client(), name, "wrong-canary")
    [event] = AuditEvent.objects.order_by("-pk")[: AuditEvent.objects.count() - before]
    assert (event.event, event.object_id, event.ip, event.after["failed"]) == ("user.sign_in_failed", "", "127.0.0.1", 1)
    written = json.dumps([event.object_name, event.actor_name, event.before, event.after])
    assert name not in written
    assert "canary" not in written


def test_wrong_link_is_counted() -> None:
    Client().get("/login/x/1-y/")
    assert [after["way"] for _, _, after in told("user.sign_in_failed")] == ["link"]


def test_many_failures_leave_few_events() -> None:
    for _ in range(120):
        record_failure("password", "203.0.113.9")
    assert [after["failed"] for _, _, after in told("user.sign_in_failed")] == [1, 10, 100]


def test_blocked_person_leaves_no_sign_in() -> None:
    make_user()
    User.objects.update(is_blocked=True)
    sign_in(Client())
    assert told("user.signed_in") == []
