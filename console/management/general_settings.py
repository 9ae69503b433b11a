"""/config/… at LiteLLM's paths: what the operator set can be read, and is changed where it stands, not from here. No secret is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from console.management.askers import any_administrator
from console.management.configuration import router_settings
from console.management.errors import Refused
from console.management.fields import Body
from console.management.model_rows import model_row
from routing.models import Deployment

router = Router(tags=["configuration"], auth=any_administrator)


@dataclass(frozen=True, slots=True)
class Setting:
    """One of LiteLLM's general_settings that is ours too: its name there, ours in the environment, and its value as it may be told."""

    field: str
    kind: str
    ours: str
    meaning: str
    told: Callable[[], Any]
    usual: Any = None


class NamedSetting(Body):
    field_name: str


def _of(name: str) -> Callable[[], Any]:
    return lambda: getattr(settings, name)


SETTINGS = {
    one.field: one
    for one in (
        Setting("master_key", "String", "TALLYGATE_MASTER_KEY", "Key of administrators' scripts.", lambda: "set"),
        Setting("database_url", "String", "DATABASE_URL", "Where the database is.", lambda: "set"),
        Setting("litellm_key_header_name", "String", "TALLYGATE_KEY_HEADER", "A further header for keys.", _of("TALLYGATE_KEY_HEADER"), ""),
        Setting(
            "global_max_parallel_requests",
            "Integer",
            "TALLYGATE_MAX_IN_FLIGHT",
            "Calls under way in one process.",
            _of("TALLYGATE_MAX_IN_FLIGHT"),
            2000,
        ),
        Setting(
            "max_parallel_requests",
            "Integer",
            "TALLYGATE_DEFAULT_PARALLEL",
            "Calls at once of a key without a limit of its own.",
            lambda: int(settings.TALLYGATE_DEFAULT_PARALLEL),
            100,
        ),
        Setting("max_request_size_mb", "Integer", "TALLYGATE_BODY_LIMIT_MB", "Largest body.", _of("TALLYGATE_BODY_LIMIT_MB"), 32),
        Setting(
            "use_x_forwarded_for",
            "Boolean",
            "TALLYGATE_TRUSTED_PROXIES",
            "Whether X-Forwarded-For is believed, of trusted proxies.",
            lambda: bool(settings.TALLYGATE_TRUSTED_PROXIES),
            False,
        ),
        Setting(
            "litellm_compat",
            "String",
            "TALLYGATE_LITELLM_COMPAT",
            "Which LiteLLM's refusals.",
            _of("TALLYGATE_LITELLM_COMPAT"),
            "classic",
        ),
        Setting(
            "litellm_test_fields",
            "Boolean",
            "TALLYGATE_LITELLM_TEST_FIELDS",
            "Whether mock_response and the like act.",
            _of("TALLYGATE_LITELLM_TEST_FIELDS"),
            False,
        ),
    )
}
FILE = "general_settings of the configuration file"


@router.get("/config/list")
def list_settings(request: HttpRequest, config_type: str) -> list[dict[str, Any]]:
    if config_type != "general_settings":
        raise Refused("config_type is general_settings.", param="config_type")
    return [_row(one) for one in SETTINGS.values()]


@router.get("/config/field/info")
def setting(request: HttpRequest, field_name: str) -> dict[str, Any]:
    return {"field_name": field_name, "field_value": _known(field_name).told()}


@router.get("/config/yaml")
def whole(request: HttpRequest) -> dict[str, Any]:
    """What is in force, in the sections that a config.yaml has. Credentials are told by name alone."""
    rows = Deployment.objects.filter(is_active=True).select_related("credential")
    told = [model_row(row) for row in rows]
    return {
        "model_list": [{name: row[name] for name in ("model_name", "litellm_params", "model_info")} for row in told if row["model_name"]],
        "router_settings": router_settings(),
        "general_settings": {one.field: one.told() for one in SETTINGS.values()},
        "litellm_settings": {},
    }


@router.get("/config/pass_through_endpoint")
def list_pass_throughs(request: HttpRequest) -> dict[str, list[Any]]:
    """There are none but the entrances of our own."""
    return {"endpoints": []}


@router.get("/active/callbacks")
def active_callbacks(request: HttpRequest) -> dict[str, list[str]]:
    return {name: [] for name in ("alerting", "litellm.callbacks", "litellm.success_callback", "litellm.failure_callback")}


@router.post("/config/field/update")
@router.post("/config/field/delete")
def change_setting(request: HttpRequest, asked: NamedSetting) -> NoReturn:
    name, known = asked.field_name, SETTINGS.get(asked.field_name)
    where = f"as {known.ours} in the environment, or as {name} in the {FILE}" if known else f"in the {FILE}, or in the environment"
    raise Refused(f"Settings are not changed from here. Set it {where}, and start again.", param="field_name")


@router.post("/config/update")
def change_whole(request: HttpRequest, asked: Body) -> NoReturn:
    text = (
        f"Settings are not changed from here. Set them in the {FILE}, or in the environment, and start again; models have addresses"
        " of their own, and the routing policy stands in the admin and in router_settings of the file."
    )
    raise Refused(text, param=", ".join(sorted(asked.ignored())) or "None")


@router.api_operation(["POST", "DELETE"], "/config/pass_through_endpoint")
def change_pass_throughs(request: HttpRequest) -> NoReturn:
    raise Refused("There are no pass-through endpoints here: models are reached through routes. Use /model/new.", param="path")


def _known(name: str) -> Setting:
    found = SETTINGS.get(name)
    if found is None:
        raise Refused(
            f"Field={name[:200]} is no setting here. GET /config/list?config_type=general_settings has them all.", param="field_name"
        )
    return found


def _row(one: Setting) -> dict[str, Any]:
    return {
        "field_name": one.field,
        "field_type": one.kind,
        "field_description": f"{one.meaning} Set as {one.ours}.",
        "field_value": one.told(),
        "stored_in_db": False,
        "field_default_value": one.usual,
        "premium_field": False,
        "nested_fields": None,
    }
