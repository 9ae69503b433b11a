"""No address changes anything for a page of somebody else's that a signed-in browser is lured to."""

import pytest
from django.test import Client

from audit.models import AuditEvent
from keys.models import VirtualKey
from tests.factories import make_admin, make_key
from tests.gateway_project.web_addresses import addresses

pytestmark = pytest.mark.django_db(databases="__all__")
# An identity provider's form posts there: what it says is signed, and the sign-in that it answers was begun in the same browser.
OF_PROVIDERS = "/accounts/saml/"
REFUSALS = {401, 403, 404, 405}


@pytest.fixture
def lured() -> Client:
    client = Client(enforce_csrf_checks=True, headers={"origin": "https://evil.example"})
    client.force_login(make_admin())
    return client


def asked() -> list[str]:
    return [address for address in dict.fromkeys(addresses()) if not address.startswith(OF_PROVIDERS)]


def test_every_address_is_walked() -> None:
    known = asked()
    assert len(known) > 200
    for one in ("/keys/new/", "/admin/keys/team/1/change/", "/accounts/logout/", "/key/generate", "/api/reports/spend/", "/theme/"):
        assert one in known


# R155
def test_unsafe_request_without_our_token_is_refused_everywhere(lured: Client) -> None:
    make_key()
    known = AuditEvent.objects.count()
    answers = {address: lured.post(address, {"post": "yes"}).status_code for address in asked()}
    assert {address: status for address, status in answers.items() if status not in REFUSALS} == {}
    assert (AuditEvent.objects.count(), VirtualKey.objects.filter(is_blocked=False, revoked_at=None).count()) == (known, 1)
    assert "_auth_user_id" in lured.session


# R155
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize(
    "address", ["/theme/", "/keys/new/", "/admin/keys/team/add/", "/accounts/logout/", "/api/reports/spend/", "/key/delete"]
)
def test_every_unsafe_method_is_refused_like_post(lured: Client, method: str, address: str) -> None:
    assert getattr(lured, method)(address).status_code in REFUSALS


# R155
def test_form_of_another_site_is_refused_though_it_knows_a_token(lured: Client) -> None:
    token = lured.get("/keys/new/").context["csrf_token"]
    assert lured.post("/theme/", {"theme": "dark", "csrfmiddlewaretoken": str(token)}).status_code == 403
    ours = {"origin": "http://testserver"}
    assert lured.post("/theme/", {"theme": "dark", "csrfmiddlewaretoken": str(token)}, headers=ours).status_code == 302


def test_refusal_says_what_to_do(lured: Client) -> None:
    answer = lured.post("/theme/", {"theme": "dark"})
    assert answer.status_code == 403
    assert b"<h1" in answer.content and b"Traceback" not in answer.content
