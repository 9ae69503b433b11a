"""OpenAI's API, and what all who speak its dialects have in common: one address, a path for each operation, a key in a header."""

from collections.abc import Mapping

from routing.dialects.base import Dialect
from routing.dialects.chat import CHAT
from routing.dialects.completions import COMPLETIONS
from routing.dialects.embeddings import EMBEDDINGS
from routing.dialects.responses import RESPONSES
from routing.providers.base import Access, Call, Headers, NotServed, Provider, UpstreamRequest
from routing.snapshot import DeploymentSnapshot

BASE_URL = "https://api.openai.com/v1"
PATHS = {"chat": "/chat/completions", "completions": "/completions", "embeddings": "/embeddings", "responses": "/responses"}
DIALECTS: dict[str, Dialect] = {"chat": CHAT, "completions": COMPLETIONS, "embeddings": EMBEDDINGS, "responses": RESPONSES}
# What a credential may name besides its key: whom a call is billed to.
ACCOUNT = {"organization": b"openai-organization", "project": b"openai-project"}


class FixedHeaders:
    """An Access that is the same on every call and does not grow old."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def sign(self, request: UpstreamRequest) -> None:
        request.headers += self._headers

    def renew(self) -> None:
        """There is nothing to fetch."""


def open_account(fields: Mapping[str, str], deployment: DeploymentSnapshot) -> Access:
    """The organisation and the project that a key acts for."""
    return FixedHeaders([(header, fields[name].encode()) for name, header in ACCOUNT.items() if fields.get(name)])


def speaks(deployment: DeploymentSnapshot, operation: str) -> Dialect | None:
    return DIALECTS.get(operation)


def build(call: Call) -> UpstreamRequest:
    return request_to(address("openai", call.deployment.base_url, BASE_URL) + PATHS[call.operation], call)


def address(name: str, given: str, usual: str) -> str:
    """The administrator's address, else the usual one. Given without any path, it gets that of the usual one: /v1 may be left out.

    A usual address that is a path only means that everybody has a server of their own.
    """
    host, _, path = usual.partition("://")[2].partition("/") if "://" in usual else usual.partition("/")
    if not given and not host:
        raise NotServed(f"{name} has no address that is the same for all. Give the deployment its base URL (api_base).")
    base = (given or usual).rstrip("/")
    has_path = "/" in base.partition("://")[2]
    return base if has_path or not path else f"{base}/{path}"


def request_to(url: str, call: Call, header: bytes = b"authorization", scheme: bytes = b"Bearer ") -> UpstreamRequest:
    """The request with the deployment's key, and what its access adds. The caller's query stays here: these APIs know none."""
    deployment = call.deployment
    request = UpstreamRequest("POST", url, call.headers, call.body, deployment)
    if deployment.secret:
        request.headers.append((header, scheme + deployment.secret.encode()))
    if deployment.access is not None:
        deployment.access.sign(request)
    return request


# Nothing in OpenAI's terms or documents says that a closed connection ends the bill.
PROVIDER = Provider("openai", speaks, build, open=open_account)
