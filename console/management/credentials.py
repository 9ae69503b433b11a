"""/credentials at LiteLLM's paths: provider keys with a name, for several models. What is secret goes in and never comes out."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from audit.trail import Actor
from console.management.askers import any_administrator
from console.management.auth import actor_by_key
from console.management.credential_values import PLACES, fits, lies_at, masked, merged, provider_of, readable, secret_of, texts, values_of
from console.management.errors import Refused
from console.management.fields import Body, echoed, kept_with_parts, name_ignored
from console.management.model_fields import PublicName, named_deployment
from routing.actions import change_credential, change_deployment, create_credential, delete_credential
from routing.credentials import CredentialUnusable
from routing.models import Credential, Deployment, Origin

router = Router(tags=["credentials"], auth=any_administrator)

Values = dict[str, Any]


class Info(Body):
    custom_llm_provider: Any = None


class CredentialFields(Body):
    credential_info: Values = Field(default_factory=dict)
    credential_values: Values | None = None
    model_id: str | None = None

    def all_ignored(self) -> dict[str, Any]:
        rest = {f"credential_info.{name}": value for name, value in self.credential_info.items() if name != "custom_llm_provider"}
        return self.ignored() | rest

    def kept_over(self, known: Mapping[str, Any]) -> Values:
        """What credential_info says besides the provider among it."""
        return kept_with_parts(self, {"credential_info": Info.model_validate(self.credential_info)}, known)


class NewCredential(CredentialFields):
    credential_name: PublicName


class CredentialChanges(CredentialFields):
    credential_name: PublicName | None = None
    credential_values_to_delete: list[str] = Field(default_factory=list)


@router.get("/credentials")
def list_credentials(request: HttpRequest) -> dict[str, Any]:
    return {"success": True, "credentials": [_row(row) for row in Credential.objects.all()]}


@router.post("/credentials")
def new_credential(request: HttpRequest, response: HttpResponse, asked: NewCredential) -> dict[str, Any]:
    """From the values, or from what a model is opened with."""
    if Credential.objects.filter(name=asked.credential_name).exists():
        raise Refused(f"There is a credential {asked.credential_name!r} already.", param="credential_name")
    values, info = texts(asked.credential_values or {}), asked.credential_info
    if asked.model_id:
        deployment = named_deployment(asked.model_id)
        values, info = _values_of(deployment) | values, {"custom_llm_provider": deployment.provider} | info
    credential = Credential(name=asked.credential_name, provider=provider_of(info, values), **asked.kept())
    create_credential(credential, secret_of(values), actor=actor_by_key(request))
    name_ignored(response, asked.all_ignored())
    return {"success": True, "message": "Credential created successfully"}


@router.get("/credentials/by_model/{path:model_id}")
def credential_of_model(request: HttpRequest, model_id: str) -> dict[str, Any]:
    deployment = named_deployment(model_id)
    credential = deployment.credential
    values = lies_at(deployment) | (masked(credential) if credential else {})
    return {
        "credential_name": credential.name if credential else deployment.name,
        "credential_values": values,
        "credential_info": {"custom_llm_provider": deployment.provider},
    }


@router.get("/credentials/by_name/{path:credential_name}")
def credential_by_name(request: HttpRequest, credential_name: str) -> dict[str, Any]:
    return _row(_named(credential_name))


@router.get("/credentials/{path:credential_name}")
def credential(request: HttpRequest, credential_name: str) -> dict[str, Any]:
    return _row(_named(credential_name))


@router.api_operation(["PATCH", "PUT"], "/credentials/{path:credential_name}")
def update_credential(request: HttpRequest, response: HttpResponse, credential_name: str, asked: CredentialChanges) -> dict[str, Any]:
    """Values that are not sent stay. Models that were made here and lie where the credential said they do move with it."""
    actor = actor_by_key(request)
    with transaction.atomic():
        known = _changeable(credential_name)
        before = _stored(known)
        sent = texts(asked.credential_values or {})
        values = merged(before, sent, asked.credential_values_to_delete)
        changes: dict[str, Any] = {} if values == before else {"secret": secret_of(values)}
        if asked.credential_name and asked.credential_name != known.name:
            changes["name"] = _free(asked.credential_name)
        if asked.credential_info.get("custom_llm_provider"):
            changes["provider"] = _other_provider(known, provider_of(asked.credential_info, values))
        changes |= asked.kept(known.extra)
        changed = change_credential(known, changes, actor=actor)
        _move(changed, before, values, actor)
    name_ignored(response, asked.all_ignored())
    return {"success": True, "message": "Credential updated successfully"}


@router.delete("/credentials/{path:credential_name}")
def remove_credential(request: HttpRequest, credential_name: str) -> dict[str, Any]:
    """Refused while a model needs it."""
    actor = actor_by_key(request)
    with transaction.atomic():
        delete_credential(_changeable(credential_name), actor=actor)
    return {"success": True, "message": "Credential deleted successfully"}


def _row(row: Credential) -> dict[str, Any]:
    return echoed({}, row.extra) | {
        "credential_name": row.name,
        "credential_values": masked(row),
        "credential_info": row.extra.get("credential_info", {}) | {"custom_llm_provider": row.provider},
    }


def _named(name: str) -> Credential:
    found = Credential.objects.filter(name=name).first()
    if found is None:
        text = f"Credential not found. Got credential name: {name[:200]}"
        raise Refused(text, type="not_found_error", param="credential_name", status=404)
    return found


def _changeable(name: str) -> Credential:
    found = _named(name)
    if found.origin == Origin.FILE:
        raise Refused(f"{found.name} stands in the configuration file; change it there.", param="credential_name")
    return found


def _free(name: str) -> str:
    if Credential.objects.filter(name=name).exists():
        raise Refused(f"There is a credential {name!r} already.", param="credential_name")
    return name


def _stored(credential: Credential) -> dict[str, str]:
    """What nobody can read any more is entered anew."""
    try:
        return values_of(credential)
    except CredentialUnusable:
        return {}


def _values_of(deployment: Deployment) -> dict[str, str]:
    return lies_at(deployment) | (readable(deployment.credential) if deployment.credential else {})


def _other_provider(credential: Credential, provider: str) -> str:
    """A key of one provider never goes to another because its credential was renamed."""
    others = [one.name for one in credential.deployments.all() if one.provider != provider]
    if others and not fits(credential, provider):
        raise Refused(f"{others[0]} is opened with it, at another provider.", param="credential_info.custom_llm_provider")
    return provider


def _move(credential: Credential, before: dict[str, str], after: dict[str, str], actor: Actor) -> None:
    for name, column in PLACES.items():
        was, now = before.get(name, "").rstrip("/"), after.get(name, "").rstrip("/")
        if was and was != now:
            for deployment in credential.deployments.filter(**{column: was}, origin=Origin.PAGE):
                change_deployment(deployment, {column: now}, actor=actor)
