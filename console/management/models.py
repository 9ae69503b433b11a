"""/model/new, update and delete at LiteLLM's paths, in LiteLLM's shapes. What there is, is told by the data plane: /model/info."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from audit.trail import Actor
from console.management.askers import any_administrator
from console.management.auth import actor_by_key
from console.management.credential_values import places_of
from console.management.errors import Refused
from console.management.fields import name_ignored
from console.management.model_fields import ModelFields, ModelParams, NewModel, changes_of, credential_named, named_deployment, secret_in
from console.management.model_rows import drop_unused_key, first_target, lead, lead_anew, model_row, own_key, refuse_if_from_file, take_out
from keys.models import new_id
from routing.actions import change_deployment, create_deployment, delete_deployment
from routing.models import Credential, Deployment

router = Router(tags=["models"], auth=any_administrator)

LONGEST_NAME = 200


class NamedModel(Schema):
    id: str


@router.post("/model/new")
def new_model(request: HttpRequest, response: HttpResponse, asked: NewModel) -> dict[str, Any]:
    """A deployment with its key, and the public name that leads to it: all of it or nothing."""
    actor = actor_by_key(request)
    if not asked.litellm_params.model:
        raise Refused("litellm_params.model is needed: provider/model.", param="litellm_params.model", status=422)
    deployment = Deployment(id=asked.model_info.id or new_id(), **changes_of(asked, asked.model_name), **asked.kept())
    deployment.name = _name(asked.model_name, deployment)
    if Deployment.objects.filter(pk=deployment.pk).exists():
        raise Refused(f"There is a model with id={deployment.pk} already.", param="model_info.id")
    with transaction.atomic():
        deployment.credential = _credential(deployment, asked.litellm_params, actor)
        for column, value in _places(deployment, asked.litellm_params, deployment.credential).items():
            setattr(deployment, column, value)
        create_deployment(deployment, actor=actor)
        lead(asked.model_name, first_target(deployment, asked), actor=actor)
    name_ignored(response, asked.all_ignored())
    return model_row(deployment)


@router.post("/model/update")
def update_model(request: HttpRequest, response: HttpResponse, asked: ModelFields) -> dict[str, Any]:
    """Names the model by model_info.id. Fields that are not sent, or null, stay as they are."""
    actor, params = actor_by_key(request), asked.litellm_params
    with transaction.atomic():
        deployment = named_deployment(asked.model_info.id)
        refuse_if_from_file(deployment)
        target = deployment.targets.select_related("route").first()
        changes = changes_of(asked, asked.model_name or (target.route.name if target else ""))
        provider = changes.get("provider", deployment.provider)
        has_key = bool(params.litellm_credential_name or secret_in(params, provider))
        if provider != deployment.provider and deployment.credential and not has_key:
            text = f"The model's key is one of {deployment.provider}. Send the key of {provider} too."
            raise Refused(text, param="litellm_params.api_key")
        if has_key:
            deployment.provider = provider
            changes["credential"] = credential = _credential(deployment, params, actor)
            changes = _places(deployment, params, credential) | changes
        changes |= asked.kept(deployment.extra)
        deployment = change_deployment(deployment, changes, actor=actor)
        drop_unused_key(deployment, actor=actor)
        lead_anew(deployment, asked, actor=actor)
    name_ignored(response, asked.all_ignored())
    return model_row(deployment)


@router.post("/model/delete")
def delete_model(request: HttpRequest, asked: NamedModel) -> dict[str, Any]:
    """Out of its routes, then away, with the key that was its own."""
    actor = actor_by_key(request)
    with transaction.atomic():
        deployment = named_deployment(asked.id)
        refuse_if_from_file(deployment)
        take_out(deployment, actor=actor)
        delete_deployment(deployment, actor=actor)
        drop_unused_key(deployment, actor=actor)
    return {"message": f"Model {asked.id} is deleted."}


def _credential(deployment: Deployment, params: ModelParams, actor: Actor) -> Credential | None:
    if params.litellm_credential_name:
        return credential_named(params.litellm_credential_name, deployment.provider)
    secret = secret_in(params, deployment.provider)
    return own_key(deployment, secret, actor=actor) if secret else None


def _places(deployment: Deployment, params: ModelParams, credential: Credential | None) -> dict[str, str]:
    """Where the deployment is by the values of the credential that it names; what it says itself counts more."""
    found = places_of(credential) if params.litellm_credential_name else {}
    return {column: value for column, value in found.items() if not getattr(deployment, column)}


def _name(route: str, deployment: Deployment) -> str:
    """The id keeps it apart from all others, those of the configuration file too."""
    mark = f" {deployment.pk}"
    return f"{route} ({deployment.provider}/{deployment.model})"[: LONGEST_NAME - len(mark)] + mark
