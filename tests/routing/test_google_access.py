"""Tokens of Google's: fetched off the loop, renewed early, kept when the renewal fails. google-auth signs, the fake verifies."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import google.auth
import pytest
from google.auth.exceptions import DefaultCredentialsError

from routing.providers.base import NotServed, UpstreamRequest
from routing.providers.google_access import EARLY_S, PAUSE_S, GoogleAccess, open_google
from routing.snapshot import DeploymentSnapshot
from tests.fakes.google import TOKEN, FakeGoogle
from tests.fakes.google_tokens import key_file
from tests.fakes.script import Answer
from tests.fakes.serving import serve_in_thread

DEPLOYMENT = DeploymentSnapshot("1", "d", "vertex_ai", "claude-opus-5-5")
HOUR_S = 3600
SEALED = [(b"authorization", b"Bearer " + TOKEN.encode())]


@dataclass
class House:
    fake: FakeGoogle
    address: str

    def open(self, **changes: str) -> GoogleAccess:
        return open_google({"google_json": key_file(self.address, **changes)}, DEPLOYMENT)


@pytest.fixture
def house() -> Iterator[House]:
    fake = FakeGoogle()
    with serve_in_thread(fake) as address:
        yield House(fake, address)


def signed(access: GoogleAccess) -> list[tuple[bytes, bytes]]:
    request = UpstreamRequest("POST", "https://x.example", [], b"", DEPLOYMENT)
    access.sign(request)
    return request.headers


def passed(access: GoogleAccess, seconds: float) -> None:
    """As if that much time had gone by."""
    clock = access._clock
    access._clock = lambda: clock() + seconds


def test_key_file_is_exchanged_for_a_token(house: House) -> None:
    access = house.open()
    access.renew()
    assert (signed(access), house.fake.problems(), access.project) == (SEALED, [], "fake-project")


def test_first_token_is_fetched_by_renewal_only(house: House) -> None:
    with pytest.raises(NotServed, match="no token yet"):
        signed(house.open())
    assert not house.fake.seen


def test_token_is_kept_until_it_is_nearly_due(house: House) -> None:
    access = house.open()
    access.renew()
    passed(access, HOUR_S - EARLY_S - 60)
    access.renew()
    assert house.fake.tokens.given == 1


def test_token_is_renewed_before_it_ends(house: House) -> None:
    access = house.open()
    access.renew()
    house.fake.tokens.token = "ya29.next"
    passed(access, HOUR_S - EARLY_S + 60)
    access.renew()
    assert signed(access) == [(b"authorization", b"Bearer ya29.next")]


@pytest.mark.parametrize("fault", [Answer(status=400, body=b'{"error":"invalid_grant"}'), Answer(status=400, body=b"<html>")])
def test_old_token_is_kept_when_the_renewal_fails(house: House, fault: Answer) -> None:
    access = house.open()
    access.renew()
    house.fake.tokens.script.append(fault)
    passed(access, HOUR_S - EARLY_S + 60)
    access.renew()
    assert signed(access) == SEALED


def test_token_that_ended_is_not_used_and_the_reason_is_told(house: House) -> None:
    access = house.open()
    access.renew()
    house.fake.tokens.script.append(Answer(status=400, body=b'{"error":"invalid_grant","error_description":"sk-secret"}'))
    passed(access, HOUR_S)
    access.renew()
    with pytest.raises(NotServed, match=r"Google refused a token: invalid_grant\.") as caught:
        signed(access)
    assert "secret" not in str(caught.value)


def test_failure_is_followed_by_a_pause(house: House) -> None:
    house.fake.tokens.script.append(Answer(status=400, body=b'{"error":"invalid_grant"}'))
    access = house.open()
    access.renew()
    access.renew()
    assert len(house.fake.seen) == 1
    passed(access, PAUSE_S)
    access.renew()
    assert signed(access) == SEALED


def test_google_out_of_reach_is_told() -> None:
    access = open_google({"google_json": key_file("http://127.0.0.1:1")}, DEPLOYMENT)
    access.renew()
    with pytest.raises(NotServed, match="could not be reached"):
        signed(access)


def test_redirect_of_the_token_endpoint_is_not_followed(house: House) -> None:
    house.fake.tokens.script.append(Answer(status=307, headers=(("location", f"{house.address}/elsewhere"),), body=b""))
    access = house.open()
    access.renew()
    with pytest.raises(NotServed):
        signed(access)
    assert [seen.path for seen in house.fake.seen] == [b"/token"]


def test_renewals_at_once_fetch_one_token(house: House) -> None:
    access = house.open()
    threads = [threading.Thread(target=access.renew) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.fake.tokens.given == 1


def test_machines_own_account_is_the_default(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "adc.json").write_text(key_file(house.address))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "adc.json"))
    access = open_google({}, DEPLOYMENT)
    access.renew()
    assert (signed(access), access.is_the_machines, access.project) == (SEALED, True, "fake-project")


def test_machine_without_an_account_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(**options: object) -> None:
        raise DefaultCredentialsError("none")

    monkeypatch.setattr(google.auth, "default", nothing)
    access = open_google({}, DEPLOYMENT)
    access.renew()
    with pytest.raises(NotServed, match="no Google credentials of its own"):
        signed(access)


@pytest.mark.parametrize(
    "text", ["AIza-a-bare-key", "[]", "{}", '{"type":"service_account"}', '{"type":"gdch_service_account"}', '{"type":7}']
)
def test_what_is_no_key_file_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(NotServed) as caught:
        open_google({"api_key": text}, DEPLOYMENT)
    assert text not in str(caught.value)


def test_damaged_key_is_refused_without_repeating_it(house: House) -> None:
    with pytest.raises(NotServed, match="damaged") as caught:
        house.open(private_key="-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    assert "c2VjcmV0" not in str(caught.value)


def test_federated_identity_is_opened_but_runs_no_program() -> None:
    source: dict[str, object] = {"file": "/var/run/token"}
    info = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": source,
    }
    assert open_google({"google_json": json.dumps(info)}, DEPLOYMENT).project == ""
    source["executable"] = {"command": "/bin/true"}
    with pytest.raises(NotServed, match="program"):
        open_google({"google_json": json.dumps(info)}, DEPLOYMENT)


def test_secret_shows_in_no_representation(house: House) -> None:
    access = house.open()
    access.renew()
    assert TOKEN not in repr(access) + repr(access._token)
