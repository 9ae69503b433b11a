"""Which credential a row of `model_list` takes: a reference, a key, or several values as JSON; nothing for a cloud's own default chain."""

import json
from typing import Any

from gateway_project.yaml_source import REFERENCE, Place, Source
from routing.providers.compatibles import BY_NAME
from routing.references import KINDS, ReferenceRefused, parse

# The environment names that LiteLLM takes a provider's key from when a row names none, the usual one first.
KEY_NAMES = {
    "anthropic": "ANTHROPIC_API_KEY",
    "azure": "AZURE_API_KEY AZURE_OPENAI_API_KEY",
    "azure_ai": "AZURE_AI_API_KEY AZURE_API_KEY",
    "bedrock": "AWS_BEARER_TOKEN_BEDROCK",
    "gemini": "GEMINI_API_KEY GOOGLE_API_KEY",
    "openai": "OPENAI_API_KEY",
}
_ENTRA = {"tenant_id": "tenant_id", "client_id": "client_id", "client_secret": "client_secret", "azure_scope": "scope"}
_AZURE = {**_ENTRA, "azure_ad_token": "azure_ad_token"}
_AWS = (
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_profile_name", "aws_role_name", "aws_session_name",
    "aws_web_identity_token", "aws_external_id", "aws_sts_endpoint",
)  # fmt: skip
# What else a credential holds, under LiteLLM's names and ours.
FIELDS: dict[str, dict[str, str]] = {
    "azure": _AZURE,
    "azure_ai": _AZURE,
    "bedrock": {name: name for name in _AWS},
    "openai": {"organization": "organization"},
}


def secret_of(source: Source, params: dict[str, Any], place: Place, provider: str) -> tuple[str, str]:
    """(reference, secret): at most one of them is filled."""
    if provider == "vertex_ai":
        return _google(source, params.get("vertex_credentials"), (*place, "vertex_credentials"))
    wanted = FIELDS.get(provider, {})
    fields = {ours: _form(source, params.get(theirs), (*place, theirs)) for theirs, ours in wanted.items() if params.get(theirs)}
    key = _form(source, params.get("api_key"), (*place, "api_key"))
    if not key and (not fields or provider == "openai"):  # an organisation of OpenAI's is no way in by itself
        key = _usual_key(source, provider, (*place, "api_key"))
    if fields:
        values = {**fields, "api_key": key} if key else fields
        return "", json.dumps(values, sort_keys=True)
    return (key, "") if _is_reference(key) else ("", key)


def _is_reference(text: str) -> bool:
    return text.partition(":")[0] in KINDS


def _form(source: Source, written: object, place: Place) -> str:
    """A value as credentials hold it. A name that is not set stays a reference: it may be set when the key is needed."""
    text = source.text(written, *place)
    if isinstance(written, str) and written.startswith(REFERENCE):
        return f"env:{written.removeprefix(REFERENCE)}"
    if _is_reference(text):
        _check(text, place, source)
    return text


def _check(text: str, place: Place, source: Source) -> None:
    try:
        parse(text)
    except ReferenceRefused as error:
        raise source.wrong(place, f"is not right. {error}") from None


def _usual_key(source: Source, provider: str, place: Place) -> str:
    """The first usual name that is set; else the usual one, to be told as missing, where a key is needed."""
    row = BY_NAME.get(provider)
    names = (row.keys if row else KEY_NAMES.get(provider, "")).split()
    is_optional = provider == "bedrock" or (row is not None and row.is_self_hosted)
    found = next((name for name in names if source.env(name)), "" if is_optional or not names else names[0])
    if found:
        source.text(REFERENCE + found, *place)
    return f"env:{found}" if found else ""


def _google(source: Source, written: object, place: Place) -> tuple[str, str]:
    """A service account as JSON, as mapping, as the path of its file, or a name that holds one of these."""
    if isinstance(written, dict):
        return "", json.dumps(source.resolved(written), sort_keys=True)
    text = source.text(written, *place)
    is_name = isinstance(written, str) and written.startswith(REFERENCE)
    if is_name and (not text or text.startswith("{")):
        return f"env:{str(written).removeprefix(REFERENCE)}", ""
    if not text or text.startswith("{"):
        return "", text
    reference = text if _is_reference(text) else f"file:{source.file_of(place).parent / text}"
    _check(reference, place, source)
    return reference, ""
