"""LiteLLM's `credential_values` as the secret of a credential, and back again with what is secret masked.

Some of them say where deployments are (`api_base`); those that name the credential take it from there.
"""

import json
from collections.abc import Mapping
from typing import Any

from console.management.errors import Refused
from routing.credentials import SEALED, CredentialUnusable, decrypt
from routing.model_names import read_name
from routing.models import Credential, Deployment
from routing.references import KINDS

FROM_ENVIRONMENT = "os.environ/"
MASK = "****"
# Shorter ones are masked whole.
LEAST_SHOWN = 16
# Their name → the deployment's column.
PLACES = {
    "api_base": "base_url",
    "api_version": "api_version",
    "aws_region_name": "region",
    "vertex_location": "region",
    "vertex_project": "project",
}
AWS = frozenset(
    {"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_profile_name", "aws_role_name", "aws_session_name",
     "aws_web_identity_token", "aws_external_id"}
)  # fmt: skip
AZURE = frozenset({"azure_ad_token", "tenant_id", "client_id", "client_secret"})
# What besides a key opens a provider.
PARTS: Mapping[str, frozenset[str]] = {
    "bedrock": AWS,
    "azure": AZURE,
    "azure_ai": AZURE,
    "openai": frozenset({"organization"}),
    "vertex_ai": frozenset({"vertex_credentials"}),
}
# Names and addresses, which open nothing.
SHOWN = frozenset({*PLACES, "aws_profile_name", "aws_role_name", "aws_session_name", "tenant_id", "client_id", "organization"})
SAME_ACCOUNT = frozenset({"azure", "azure_ai"})
_GOOGLE = "vertex_credentials"


def provider_of(info: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """Whose credential it is: as `credential_info` says, else as the values tell. Raises Refused."""
    said = str(info.get("custom_llm_provider") or "").lower()
    found = read_name("", said or _told_by(values))
    if not found.is_known:
        text = f"{said[:60]!r} is no provider that is known here." if said else "Say whose credential it is, such as anthropic."
        raise Refused(text, param="credential_info.custom_llm_provider")
    return found.provider


def _told_by(values: Mapping[str, str]) -> str:
    if values.get("api_key", "").startswith("sk-ant-"):
        return "anthropic"
    told = [provider for provider in ("vertex_ai", "bedrock", "azure") if not PARTS[provider].isdisjoint(values)]
    return told[0] if told else read_name("", "", values.get("api_base", "")).provider or "?"


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """As texts, references in our way of writing them, without what is null or empty."""
    written = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items() if value not in (None, "")}
    return {name: _reference(value.strip()) for name, value in written.items()}


def _reference(value: str) -> str:
    return f"env:{value.removeprefix(FROM_ENVIRONMENT)}" if value.startswith(FROM_ENVIRONMENT) else value


def secret_of(values: Mapping[str, str]) -> str:
    """What a person would type for them: a key or a reference by itself, several values as JSON."""
    return values["api_key"] if set(values) == {"api_key"} else json.dumps(dict(values), sort_keys=True) if values else ""


def values_of(credential: Credential) -> dict[str, str]:
    """What was stored, references not followed. Raises CredentialUnusable."""
    stored = credential.secret
    text = decrypt(stored, credential.pk) if stored.startswith(SEALED) else stored
    if not text.startswith("{"):
        return {"api_key": text} if text else {}
    data = json.loads(text)
    return {_GOOGLE: text} if "private_key" in data or "refresh_token" in data else texts(data)


def readable(credential: Credential) -> dict[str, str]:
    """The same; raises Refused."""
    try:
        return values_of(credential)
    except CredentialUnusable as error:
        raise Refused(str(error), param="credential_values") from error


def masked(credential: Credential) -> dict[str, str]:
    """What may be told of a credential's values: where references lead, never a secret."""
    try:
        return {name: _masked(name, value) for name, value in values_of(credential).items()}
    except CredentialUnusable:
        return {"api_key": MASK}


def _masked(name: str, value: str) -> str:
    kind, colon, rest = value.partition(":")
    if colon and kind in KINDS:
        return FROM_ENVIRONMENT + rest if kind == "env" else value
    if name in SHOWN and "@" not in value:
        return value
    return value[:2] + MASK + value[-2:] if len(value) >= LEAST_SHOWN else MASK


def merged(known: Mapping[str, str], sent: Mapping[str, str], left_out: list[str]) -> dict[str, str]:
    """The values with those that were sent. One that comes back as it was shown stays what it is."""
    changed = {name: value for name, value in sent.items() if value != _reference(_masked(name, known.get(name, "")))}
    return {name: value for name, value in {**known, **changed}.items() if name not in left_out}


def places_of(credential: Credential | None) -> dict[str, str]:
    """The deployment's columns that a credential's values fill in."""
    values = readable(credential) if credential is not None else {}
    return {column: values[name].rstrip("/") for name, column in PLACES.items() if values.get(name)}


def fits(credential: Credential, provider: str) -> bool:
    return credential.provider == provider or {credential.provider, provider} == SAME_ACCOUNT


def lies_at(deployment: Deployment) -> dict[str, str]:
    """The other way round, for a credential that is made of a deployment's."""
    region = "vertex_location" if deployment.provider == "vertex_ai" else "aws_region_name"
    columns = {"api_base": "base_url", "api_version": "api_version", "vertex_project": "project", region: "region"}
    return {name: value for name, column in columns.items() if (value := getattr(deployment, column))}
