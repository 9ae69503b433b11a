"""Access to AWS: whatever the identity comes from, the signature is one that AWS accepts for exactly these bytes. R142."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.credentials import DeferredRefreshableCredentials
from botocore.session import Session
from moto import mock_aws

from routing.providers.aws_access import AwsAccess, AwsKey, open_aws
from routing.providers.base import NotServed, UpstreamRequest
from routing.snapshot import DeploymentSnapshot
from tests.fakes.aws_signature import fault_of
from tests.fakes.line import Seen

KEYS = {"aws_access_key_id": "AKIAONE", "aws_secret_access_key": "secret-one"}
ROLE = {"aws_role_name": "arn:aws:iam::123456789012:role/gateway"}
OLD = "anthropic.claude-sonnet-4-5-20250929-v1:0"
RUNTIME = DeploymentSnapshot("dep-1", "bed", "bedrock", OLD, region="eu-west-1", is_operators=True)
BODY = b'{"max_tokens":1}'


@pytest.fixture(autouse=True)
def nothing_from_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def request(deployment: DeploymentSnapshot = RUNTIME, path: str = "/model/x%3A0/invoke") -> UpstreamRequest:
    headers = [(b"content-type", b"application/json"), (b"x-app", b"cli"), (b"x-amzn-bedrock-trace", b"ENABLED")]
    return UpstreamRequest("POST", f"https://bedrock-runtime.eu-west-1.amazonaws.com{path}", headers, BODY, deployment)


def signed(access: AwsAccess | AwsKey, sent: UpstreamRequest | None = None) -> UpstreamRequest:
    sent = sent or request()
    access.sign(sent)
    return sent


def arrived(sent: UpstreamRequest, body: bytes = BODY) -> Seen:
    """As it stands at AWS's door."""
    parts = urlsplit(sent.url)
    headers = [(b"host", parts.netloc.encode()), *sent.headers]
    return Seen("1", sent.method, parts.path.encode(), parts.query.encode(), headers, body)


def fault(sent: UpstreamRequest, secrets: Mapping[str, str], service: str = "bedrock", body: bytes = BODY) -> str:
    return fault_of(arrived(sent, body), secrets, "eu-west-1", service)


def given() -> dict[str, str]:
    return {KEYS["aws_access_key_id"]: KEYS["aws_secret_access_key"]}


@pytest.mark.parametrize(
    "path",
    ["/model/x%3A0/invoke", "/model/arn%3Aaws%3Abedrock%3A%3A1%3Aa%2Fb/converse", "/model/x:0/invoke", "/anthropic/v1/messages?beta=true"],
)
def test_keys_that_were_given_sign_at_once(path: str) -> None:
    assert fault(signed(open_aws(KEYS, RUNTIME), request(path=path)), given()) == ""


def test_signature_is_for_these_bytes_alone() -> None:
    assert "does not match" in fault(signed(open_aws(KEYS, RUNTIME)), given(), body=BODY + b" ")


def test_headers_that_a_proxy_may_change_are_not_signed() -> None:
    authorization = str(arrived(signed(open_aws(KEYS, RUNTIME))).header("authorization"))
    assert "SignedHeaders=content-type;host;x-amz-date;x-amzn-bedrock-trace," in authorization


def test_mantle_is_a_service_of_its_own() -> None:
    mantle = replace(RUNTIME, model="anthropic.claude-opus-5-5", api="mantle")
    sent = signed(open_aws(KEYS, mantle), request(mantle, "/anthropic/v1/messages"))
    assert fault(sent, given(), "bedrock-mantle") == ""


def test_session_token_goes_along() -> None:
    sent = signed(open_aws({**KEYS, "aws_session_token": "token-one"}, RUNTIME))
    assert arrived(sent).header("x-amz-security-token") == "token-one"
    assert fault(sent, given()) == ""


def test_api_key_stands_in_a_header_and_nothing_is_signed() -> None:
    access = open_aws({"api_key": "bedrock-key", **KEYS}, RUNTIME)
    access.renew()
    sent = signed(access)
    assert arrived(sent).header("authorization") == "Bearer bedrock-key"
    assert arrived(sent).header("x-amz-date") is None


@pytest.mark.parametrize("fields", [{**KEYS, **ROLE, "aws_external_id": "42"}, ROLE, {**ROLE, "aws_web_identity_token": "e30.e30.e30"}])
@pytest.mark.usefixtures("aws")
def test_role_is_taken_by_renewal_and_never_while_signing(fields: dict[str, str]) -> None:
    access = open_aws(fields, RUNTIME)
    with pytest.raises(NotServed, match="no credentials yet"):
        signed(access)
    access.renew()
    sent = signed(access)
    assert arrived(sent).header("x-amz-security-token")
    assert "/eu-west-1/bedrock/aws4_request" in str(arrived(sent).header("authorization"))


def test_machines_own_chain_is_used_where_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-env")
    access = open_aws({}, RUNTIME)
    access.renew()
    assert fault(signed(access), {"AKIAENV": "secret-env"}) == ""


def test_profile_is_used_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[blue]\naws_access_key_id = AKIABLUE\naws_secret_access_key = secret-blue\n")
    access = open_aws({"aws_profile_name": "blue"}, RUNTIME)
    access.renew()
    assert fault(signed(access), {"AKIABLUE": "secret-blue"}) == ""


def test_machine_without_credentials_says_so() -> None:
    access = open_aws({}, RUNTIME)
    access.renew()
    with pytest.raises(NotServed, match="no AWS credentials of its own"):
        signed(access)


class Lender:
    """Lends keys for an hour, as often as it is asked, until it is out of order."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, tzinfo=UTC)
        self.lent = 0
        self.is_out_of_order = False

    def lend(self) -> dict[str, str]:
        if self.is_out_of_order:
            raise OSError("secret-2 is not to be told")
        self.lent += 1
        ends = self.now + timedelta(hours=1)
        return {"access_key": f"AKIA{self.lent}", "secret_key": f"secret-{self.lent}", "token": "t", "expiry_time": ends.isoformat()}

    def access(self) -> AwsAccess:
        return AwsAccess(Session(), DeferredRefreshableCredentials(self.lend, "test", time_fetcher=lambda: self.now))


def test_credentials_are_renewed_before_they_end() -> None:
    lender = Lender()
    access = lender.access()
    access.renew()
    access.renew()
    assert lender.lent == 1
    lender.now += timedelta(minutes=55)
    access.renew()
    assert fault(signed(access), {"AKIA2": "secret-2"}) == ""


def test_old_credentials_serve_while_new_ones_cannot_be_had() -> None:
    lender = Lender()
    access = lender.access()
    access.renew()
    lender.is_out_of_order = True
    lender.now += timedelta(minutes=55)
    access.renew()
    assert fault(signed(access), {"AKIA1": "secret-1"}) == ""


def test_credentials_that_ended_sign_nothing() -> None:
    lender = Lender()
    access = lender.access()
    access.renew()
    lender.is_out_of_order = True
    lender.now += timedelta(minutes=61)
    access.renew()
    with pytest.raises(NotServed) as refused:
        signed(access)
    assert "secret" not in str(refused.value)


def test_half_a_pair_of_keys_is_refused() -> None:
    with pytest.raises(NotServed, match="belong together"):
        open_aws({"aws_access_key_id": "AKIAONE"}, RUNTIME)


def test_profile_that_is_not_there_is_told() -> None:
    access = open_aws({"aws_profile_name": "nobody"}, RUNTIME)
    access.renew()
    with pytest.raises(NotServed, match="ProfileNotFound"):
        signed(access)


def test_token_service_is_only_named_by_the_operator() -> None:
    """R131."""
    fields = {**KEYS, **ROLE, "aws_sts_endpoint": "http://127.0.0.1:1"}
    with pytest.raises(NotServed, match="operator"):
        open_aws(fields, replace(RUNTIME, is_operators=False))


def test_secret_is_in_no_representation() -> None:
    assert "secret-one" not in repr(open_aws(KEYS, RUNTIME))
