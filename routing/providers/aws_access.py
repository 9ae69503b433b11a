"""Access to AWS: requests signed with SigV4, by keys given, a role, a web identity, a profile or the machine's own chain, or an API key.

botocore finds and signs; `renew` asks the network in a background thread, and `sign` only ever uses what it has found.
"""

import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    AssumeRoleWithWebIdentityCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
    ReadOnlyCredentials,
    RefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from routing.providers.base import Headers, NotServed, UpstreamRequest
from routing.providers.bedrock_models import MANTLE, region_of, way
from routing.snapshot import DeploymentSnapshot

RUNTIME_SERVICE, MANTLE_SERVICE = "bedrock", "bedrock-mantle"
# What of a request is signed. The rest may be changed by a proxy on the way without harm.
SIGNED = frozenset({b"content-type", b"accept"})
SIGNED_PREFIX = b"x-amzn-bedrock-"
PATIENCE = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 2, "mode": "standard"}, proxies={})
SESSION_NAME = "tallygate"
NOT_YET = "AWS has given no credentials yet."
FAILURES = (BotoCoreError, ClientError, OSError, ValueError, KeyError, RuntimeError)


class AwsKey:
    """A Bedrock API key: it stands in a header, and nothing is signed."""

    def __init__(self, key: str) -> None:
        self._header = (b"authorization", f"Bearer {key}".encode())

    def sign(self, request: UpstreamRequest) -> None:
        request.headers.append(self._header)

    def renew(self) -> None:
        """A key stays as it is."""


class AwsAccess:
    """One identity at AWS. Keys that were given sign at once; everything else when `renew` has found or fetched some."""

    def __init__(self, session: Session, credentials: Credentials | None = None) -> None:
        self._session = session
        self._credentials = credentials
        self._renewing = threading.Lock()
        self._problem = NOT_YET
        is_given = type(credentials) is Credentials
        self._frozen: ReadOnlyCredentials | None = credentials.get_frozen_credentials() if credentials and is_given else None

    def sign(self, request: UpstreamRequest) -> None:
        frozen, credentials = self._frozen, self._credentials
        if frozen is None or (isinstance(credentials, RefreshableCredentials) and credentials.refresh_needed(0)):
            raise NotServed(self._problem)
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers if _is_signed(name)}
        signed = AWSRequest(method=request.method, url=request.url, data=bytes(request.body), headers=headers)
        SigV4Auth(frozen, _service(request), region_of(request.deployment)).add_auth(signed)
        request.headers.extend(_added(signed, headers))

    def renew(self) -> None:
        with self._renewing:
            try:
                credentials = self._credentials or self._session.get_credentials()
                if credentials is None:
                    self._problem = "This machine has no AWS credentials of its own, and the deployment names none."
                    return
                self._frozen = credentials.get_frozen_credentials()
                self._credentials = credentials
                self._problem = "AWS's last credentials have run out."
            except FAILURES as error:
                self._problem = _problem(error)


def _is_signed(name: bytes) -> bool:
    return name in SIGNED or name.startswith(SIGNED_PREFIX)


def _service(request: UpstreamRequest) -> str:
    return MANTLE_SERVICE if "/model/" not in request.url and way(request.deployment) == MANTLE else RUNTIME_SERVICE


def _added(signed: AWSRequest, given: Mapping[str, str]) -> Headers:
    return [(name.lower().encode(), str(value).encode()) for name, value in signed.headers.items() if name not in given]


def _problem(error: Exception) -> str:
    """What an administrator can act on; the error's own text may repeat what was sent."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        return f"AWS refused credentials: {code[:60] if code.isalnum() else 'no reason given'}. Check the role and who may take it."
    return f"AWS credentials cannot be had ({type(error).__name__})."


def open_aws(fields: Mapping[str, str], deployment: DeploymentSnapshot) -> AwsKey | AwsAccess:
    """The access that a credential's fields give, under LiteLLM's names; none at all is the machine's own. Raises NotServed."""
    if fields.get("api_key"):
        return AwsKey(fields["api_key"])
    if fields.get("aws_sts_endpoint") and not deployment.is_operators:
        raise NotServed("aws_sts_endpoint is only taken from the operator's own file.")
    try:
        session = Session(profile=fields.get("aws_profile_name"))
        return AwsAccess(session, _credentials(session, fields, deployment))
    except FAILURES as error:
        raise NotServed(_problem(error)) from None


def _credentials(session: Session, fields: Mapping[str, str], deployment: DeploymentSnapshot) -> Credentials | None:
    """None where the session's own chain is to be asked. Nothing is fetched here."""
    given = _given(fields)
    role = fields.get("aws_role_name", "")
    if not role:
        return given
    create = partial(_client, session, fields.get("aws_sts_endpoint") or None, region_of(deployment))
    name = {"RoleSessionName": fields.get("aws_session_name") or SESSION_NAME}
    if token := fields.get("aws_web_identity_token"):
        identity = AssumeRoleWithWebIdentityCredentialFetcher(create, lambda: token, role, extra_args=name)
        return DeferredRefreshableCredentials(identity.fetch_credentials, "assume-role-with-web-identity")
    if external := fields.get("aws_external_id"):
        name["ExternalId"] = external
    source = given or _Chain(session)
    fetcher = AssumeRoleCredentialFetcher(create, source, role, extra_args=name)
    return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")


def _given(fields: Mapping[str, str]) -> Credentials | None:
    key, secret = fields.get("aws_access_key_id"), fields.get("aws_secret_access_key")
    if bool(key) != bool(secret):
        raise NotServed("aws_access_key_id and aws_secret_access_key belong together; the credential has one of them.")
    return Credentials(key, secret, fields.get("aws_session_token") or None) if key else None


class _Chain:
    """The machine's own credentials, looked for only when a role is about to be taken with them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        found = self._session.get_credentials()
        if found is None:
            raise ValueError("no credentials")
        return found.get_frozen_credentials()


def _client(session: Session, endpoint: str | None, region: str, service: str, **options: Any) -> Any:
    """A client of STS, straight to it: no proxy of the environment's."""
    config = PATIENCE.merge(options.pop("config", None) or Config())
    return session.create_client(service, region_name=region, endpoint_url=endpoint, config=config, **options)
