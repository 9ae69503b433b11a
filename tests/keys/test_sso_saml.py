"""Signing in through SAML: allauth's flow with answers that a key of ours signs, as an identity provider would."""

import base64
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import cache
from django.test import Client
from onelogin.saml2.utils import OneLogin_Saml2_Utils  # type: ignore[import-untyped]  # comes without types
from pytest_django import Settings

from audit.models import AuditEvent
from gateway_project.sso_settings import sign_in_settings
from keys.models import User
from keys.sso_groups import Rules

pytestmark = pytest.mark.django_db
IDP, GATEWAY = "https://idp.example/saml", "http://testserver/accounts/saml/company"
METADATA = """<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{idp}">
<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing">
<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
</md:KeyDescriptor><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{idp}/sso"/>
</md:IDPSSODescriptor></md:EntityDescriptor>"""
ANSWER = """<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"
 ID="_r" Version="2.0" IssueInstant="{now}" Destination="{gateway}/acs/" InResponseTo="{asked}"><saml:Issuer>{idp}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
<saml:Assertion ID="_a" Version="2.0" IssueInstant="{now}"><saml:Issuer>{idp}</saml:Issuer>
<saml:Subject><saml:NameID>ada-1</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
<saml:SubjectConfirmationData NotOnOrAfter="{later}" Recipient="{gateway}/acs/" InResponseTo="{asked}"/>
</saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{earlier}" NotOnOrAfter="{later}">
<saml:AudienceRestriction><saml:Audience>{gateway}/metadata/</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="{now}" SessionIndex="_s"><saml:AuthnContext>
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement><saml:Attribute Name="email"><saml:AttributeValue>ada@example.com</saml:AttributeValue></saml:Attribute>
<saml:Attribute Name="groups"><saml:AttributeValue>other</saml:AttributeValue>
<saml:AttributeValue>gw-fin</saml:AttributeValue></saml:Attribute>
</saml:AttributeStatement></saml:Assertion></samlp:Response>"""
TIMES = {"earlier": -2, "now": 0, "later": 5}  # minutes from now
Signer = tuple[str, str]


def signer() -> Signer:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.example")])
    now = datetime.now(UTC)
    draft = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
    certificate = draft.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    how = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*how).decode(), certificate


@pytest.fixture
def idp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Signer:
    pair, file = signer(), tmp_path / "idp.xml"
    file.write_text(METADATA.format(idp=IDP, certificate="".join(pair[1].splitlines()[1:-1])))
    monkeypatch.setenv("TALLYGATE_SAML_METADATA", str(file))
    monkeypatch.setenv("TALLYGATE_OIDC_ROLE_MAP", "gw-fin:finance")
    settings.TALLYGATE_SIGN_IN = sign_in_settings()
    settings.SOCIALACCOUNT_PROVIDERS = settings.TALLYGATE_SIGN_IN.apps
    cache.clear()
    return pair


def browser() -> Client:
    return Client(headers={"host": "testserver"})


def asked_by(client: Client) -> str:
    """The id of the request that our sign-in sends to the provider."""
    address = urlsplit(client.get("/accounts/saml/company/login/")["Location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{IDP}/sso"
    sent = zlib.decompress(base64.b64decode(parse_qs(address.query)["SAMLRequest"][0]), -15).decode()
    return str(re.findall(r'\bID="([^"]+)"', sent)[0])


def answer(client: Client, pair: Signer, asked: str, *, spoil: Callable[[str], str] = str) -> bool:
    at = {name: f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}" for name, minutes in TIMES.items()}
    told = ANSWER.format(idp=IDP, gateway=GATEWAY, asked=asked, **at)
    signed = OneLogin_Saml2_Utils.add_sign(told, *pair).decode()
    sent = base64.b64encode(spoil(signed).encode()).decode()
    client.post("/accounts/saml/company/acs/", {"SAMLResponse": sent}, follow=True)
    return "_auth_user_id" in client.session


def test_signed_answer_signs_in_with_the_role_of_its_group(idp: Signer) -> None:
    client = browser()
    assert answer(client, idp, asked_by(client))
    person = User.objects.get(email="ada@example.com")
    assert (person.role, client.session["_auth_user_id"]) == ("finance", person.pk)


def test_sign_in_is_in_the_trail_by_the_providers_name(idp: Signer) -> None:
    client = browser()
    assert answer(client, idp, asked_by(client))
    [event] = AuditEvent.objects.filter(event="user.signed_in")
    assert (event.actor_name, event.after) == ("ada@example.com", {"way": "SAML"})


def test_refused_person_is_counted_without_a_name(idp: Signer, settings: Settings) -> None:
    settings.TALLYGATE_SIGN_IN = replace(settings.TALLYGATE_SIGN_IN, rules=Rules(groups=frozenset({"others"})))
    client = browser()
    assert not answer(client, idp, asked_by(client))
    [event] = AuditEvent.objects.filter(event="user.sign_in_failed")
    assert (event.after["way"], event.after["failed"]) == ("SAML", 1)
    assert "ada" not in f"{event.object_name} {event.actor_name} {event.after}"


def test_answer_that_another_key_signed_is_refused(idp: Signer) -> None:
    client = browser()
    assert not answer(client, signer(), asked_by(client))
    assert not User.objects.exists()


def test_answer_that_was_changed_on_the_way_is_refused(idp: Signer) -> None:
    client = browser()
    assert not answer(client, idp, asked_by(client), spoil=lambda text: text.replace("ada@example.com", "eve@example.com"))
    assert not User.objects.exists()


def test_answer_to_the_sign_in_of_another_browser_is_refused(idp: Signer) -> None:
    assert not answer(browser(), idp, asked_by(browser()))
    assert not User.objects.exists()


def test_our_metadata_names_where_answers_go(idp: Signer) -> None:
    told = browser().get("/accounts/saml/company/metadata/").content.decode()
    assert f'Location="{GATEWAY}/acs/"' in told


@pytest.mark.parametrize("page", ["login", "metadata", "sls", "acs/finish"])
@pytest.mark.parametrize("told", [None, "", "<html>Gateway timeout</html>", "not xml"])
def test_provider_whose_metadata_is_not_there_is_told_of_plainly(
    idp: Signer, tmp_path: Path, page: str, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "idp.xml").unlink()
    (tmp_path / "idp.xml").write_text(told) if told is not None else None
    client = browser()
    client.post("/accounts/saml/company/acs/", {"SAMLResponse": "x"})
    answer = client.get(f"/accounts/saml/company/{page}/")
    assert (answer.status_code, "cannot be reached" in answer.content.decode()) == (503, True)
    assert "The SAML metadata cannot be used" in caplog.text


@pytest.mark.parametrize("address", ["saml/other/login", "saml/other/metadata", "oidc/other/login", "github/login"])
def test_provider_that_is_not_set_up_is_not_there(idp: Signer, address: str) -> None:
    assert browser().get(f"/accounts/{address}/").status_code == 404
