"""R109: whatever address of Django's side is not on one short list shows nothing without a session or a key."""

import pytest
from django.test import Client

from keys.models import User
from tests.console.rows import served
from tests.factories import make_admin
from tests.gateway_project.web_addresses import addresses

pytestmark = pytest.mark.django_db(databases="__all__")
# The ways in and where they end, and what the management API is like.
OPEN = {
    "/accounts/login/", "/accounts/inactive/", "/accounts/confirm-email/", "/accounts/3rdparty/login/cancelled/",
    "/api/docs", "/api/openapi.json",
}  # fmt: skip
SHUT = {302, 401, 403, 404, 405}


def opened(web: Client) -> set[str]:
    served()
    answers = {address: web.get(address) for address in dict.fromkeys(addresses())}
    assert len(answers) > 250
    return {address for address, answer in answers.items() if answer.status_code not in SHUT or b"req_0" in answer.content}


def test_visitor_without_a_session_is_shown_the_ways_in_alone() -> None:
    assert opened(Client()) == OPEN


def test_blocked_administrator_is_shown_no_more_than_a_visitor() -> None:
    web, person = Client(), make_admin()
    web.force_login(person)
    User.objects.filter(pk=person.pk).update(is_blocked=True)
    assert opened(web) == OPEN
