"""Azure OpenAI, in both of its ways: the classic one, with the deployment in the path and a dated api-version, and v1, OpenAI's own paths.

Which way is the deployment's `api`; where that is empty a dated api-version means classic. The model is the name of Azure's deployment.
"""

import re
from collections.abc import Mapping
from functools import partial

from routing.providers.base import Access, Call, NotServed, Provider, UpstreamRequest
from routing.providers.entra_access import AZURE_OPENAI_SCOPE, is_entra, open_entra
from routing.providers.openai import PATHS, FixedHeaders, request_to, speaks
from routing.snapshot import DeploymentSnapshot

# The last version of the classic way that was made generally available; everything since came to v1.
DEFAULT_VERSION = "2024-10-21"
# Before this version there is no Responses API under /openai.
FIRST_WITH_RESPONSES = "2025-03-01"
NEEDS_ADDRESS = "{} needs the address of its resource as base URL (api_base), such as https://NAME.{}."
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_DEPLOYMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
# What people give as the address, copied from Azure's pages: with or without the first part of the path.
_OPENAI_PATH = re.compile(r"(?<!/)/openai(/.*)?$")


def build(call: Call) -> UpstreamRequest:
    deployment = call.deployment
    if not deployment.base_url:
        raise NotServed(NEEDS_ADDRESS.format("azure", "openai.azure.com"))
    root = _OPENAI_PATH.sub("", deployment.base_url.rstrip("/"))
    way = _classic if is_classic(deployment, call.operation) else v1
    return request_to(root + way(call), call, b"api-key", b"")


def is_classic(deployment: DeploymentSnapshot, operation: str) -> bool:
    """Responses go to v1 where the classic version is too old to have them."""
    is_wanted = deployment.api == "classic" or (not deployment.api and _VERSION.fullmatch(deployment.api_version) is not None)
    return is_wanted and (operation != "responses" or deployment.api_version >= FIRST_WITH_RESPONSES)


def _classic(call: Call) -> str:
    version = call.deployment.api_version or DEFAULT_VERSION
    if not _VERSION.fullmatch(version):
        raise NotServed("An api-version of Azure is a date such as 2024-10-21, or one with -preview.")
    if call.operation == "responses":
        return f"/openai/responses?api-version={version}"
    if not _DEPLOYMENT.fullmatch(call.model):
        raise NotServed("The name of a deployment at Azure has letters, digits and . _ - only, at most 64.")
    return f"/openai/deployments/{call.model}{PATHS[call.operation]}?api-version={version}"


def v1(call: Call) -> str:
    query = "?api-version=preview" if call.deployment.api_version == "preview" else ""
    return f"/openai/v1{PATHS[call.operation]}{query}"


def open_access(scope: str, fields: Mapping[str, str], deployment: DeploymentSnapshot) -> Access:
    """A key goes into its header by itself; else a token that somebody fetched, or an application that fetches its own."""
    if fields.get("api_key"):
        return FixedHeaders([])
    if fields.get("azure_ad_token"):
        return FixedHeaders([(b"authorization", b"Bearer " + fields["azure_ad_token"].encode())])
    if is_entra(fields):
        return open_entra(fields, scope)
    raise NotServed("Azure wants a credential: a key, or tenant_id, client_id and client_secret of an application in Microsoft Entra.")


PROVIDER = Provider("azure", speaks, build, open=partial(open_access, AZURE_OPENAI_SCOPE))
