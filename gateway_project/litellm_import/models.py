"""LiteLLM's models that were made in its pages → a deployment, its key, and the public name that leads to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from audit.rows import ChangeRefused
from console.management.errors import Refused
from console.management.model_rows import lead, own_key
from gateway_project.env import WrongSetting
from gateway_project.litellm_import.presence import IMPORT
from gateway_project.litellm_import.reading import Row, Source
from gateway_project.litellm_import.report import Report
from gateway_project.litellm_import.sealed import Opener
from gateway_project.litellm_import.values import mapping_of, text_of
from gateway_project.litellm_import.wanted import MODEL
from gateway_project.model_list import LONGEST_NAME, FileDeployment, deployments_from
from gateway_project.yaml_source import Source as Written
from routing.actions import Target, create_deployment
from routing.models import Deployment

PLACE = Path("LiteLLM's database")
LONGEST_ID, MOST_WEIGHT = 64, 2**31 - 1
SEALED = "its parameters are sealed with LiteLLM's salt key"
WAYS = "Set LITELLM_SALT_KEY and install PyNaCl beside Tallygate, or write the model into a config.yaml and `apply` it"


class CannotBeTaken(Exception):
    """Why nothing can be made of a model; the text is for people."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A row's parameters as they were typed; `lost` are those that did not open."""

    values: dict[str, Any]
    lost: tuple[str, ...]


def write_models(source: Source, opener: Opener, report: Report, *, is_dry: bool) -> None:
    credentials = {text_of(row, "credential_name"): row for row in source.of("credentials")}
    known = set(Deployment.objects.values_list("pk", flat=True))
    with transaction.atomic():
        for row in source.of("models"):
            name = f"{text_of(row, 'model_name')} ({text_of(row, 'model_id')})"
            if text_of(row, "model_id") in known:
                report.count(MODEL, "unchanged")
                continue
            try:
                with transaction.atomic():
                    note = _make(row, credentials, opener)
            except (CannotBeTaken, ChangeRefused, Refused, WrongSetting) as error:
                report.refuse(MODEL, name, str(error).removeprefix(f"{PLACE}, line 1: "))
            else:
                report.count(MODEL, "made")
                if note:
                    report.note(MODEL, name, note)
        transaction.set_rollback(is_dry)


def _make(row: Row, credentials: Mapping[str, Row], opener: Opener) -> str:
    """Returns what is to be told of it."""
    opened = _opened(row, credentials, opener)
    one = _read(row, opened.values)
    model_id = text_of(row, "model_id")
    if not model_id or len(model_id) > LONGEST_ID:
        raise CannotBeTaken(f"its model_id has {len(model_id)} characters; 1 to {LONGEST_ID} are needed")
    deployment = Deployment(id=model_id, name=_name(one, model_id), is_active=row.get("blocked") is not True, **_columns(one))
    secret = one.reference or one.api_key
    if secret:
        deployment.credential = own_key(deployment, secret, actor=IMPORT)
    create_deployment(deployment, actor=IMPORT)
    weight = min(max(round(one.weight), 0), MOST_WEIGHT)
    lead(one.route, Target(deployment, one.order, weight), actor=IMPORT)
    if not opened.lost:
        return ""
    instead = f"it takes {secret} now" if one.reference else "enter its key in the admin"
    return f"made without {', '.join(opened.lost)}, sealed with LiteLLM's salt key: {instead}"


def _opened(row: Row, credentials: Mapping[str, Row], opener: Opener) -> Opened:
    params, lost = _plain(mapping_of(row, "litellm_params"), opener)
    if not isinstance(params.get("model"), str):
        raise CannotBeTaken(f"{SEALED}{', which is another one' if opener.can_open else ''}. {WAYS}.")
    named = credentials.get(str(params.pop("litellm_credential_name", "")))
    shared, more = _plain(mapping_of(named, "credential_values"), opener) if named else ({}, [])
    return Opened({**shared, **params}, tuple(dict.fromkeys([*lost, *more])))


def _plain(params: Mapping[str, Any], opener: Opener) -> tuple[dict[str, Any], list[str]]:
    opened = {name: opener.open(value) if isinstance(value, str) else value for name, value in params.items()}
    lost = [name for name, value in opened.items() if value is None and params[name] is not None]
    return {name: value for name, value in opened.items() if value is not None}, lost


def _read(row: Row, params: dict[str, Any]) -> FileDeployment:
    """As a row of a config.yaml's model_list is read."""
    info = {name: value for name, value in mapping_of(row, "model_info").items() if name == "base_model" and isinstance(value, str)}
    written = {"model_name": row.get("model_name"), "litellm_params": params, "model_info": info}
    found, ignored = deployments_from(Written(PLACE, {"model_list": [written]}, {(): 1}, ()))
    if not found:
        raise CannotBeTaken(ignored[0].removeprefix("model_list[0] ").strip("()"))
    return found[0]


def _columns(one: FileDeployment) -> dict[str, Any]:
    said = {
        "base_url": one.api_base,
        "region": one.region,
        "project": one.project,
        "api": one.api,
        "api_version": one.api_version,
        "base_model": one.base_model,
        "rpm_limit": one.rpm,
        "tpm_limit": one.tpm,
        "first_byte_timeout_s": one.timeout_s,
        "idle_timeout_s": one.stream_timeout_s,
    }
    return {"provider": one.provider, "model": one.model} | {name: value for name, value in said.items() if value}


def _name(one: FileDeployment, model_id: str) -> str:
    mark = f" {model_id}"
    return f"{one.route} ({one.provider}/{one.model})"[: LONGEST_NAME - len(mark)] + mark
