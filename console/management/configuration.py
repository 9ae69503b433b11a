"""What LiteLLM's scripts ask about the set-up, answered with what there is: no cache of answers, no callbacks, one routing policy."""

import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from console.management.askers import any_administrator
from console.management.errors import Refused
from routing.models import Route, RoutingPolicy

router = Router(tags=["configuration"], auth=any_administrator)

FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


@router.get("/cache/ping")
def cache_ping(request: HttpRequest) -> dict[str, Any]:
    """LiteLLM's answer without a cache, which its scripts take apart: JSON in the message."""
    told = {"message": "Service Unhealthy (503: Cache not initialized. Answers of models are not kept here)"}
    message = json.dumps(told | {"litellm_cache_params": "{}", "health_check_cache_params": "{}"})
    raise Refused(message, type="cache_ping_error", param="cache_ping", status=503)


@router.get("/callbacks/list")
def list_callbacks(request: HttpRequest) -> dict[str, list[str]]:
    return {"success": [], "failure": [], "success_and_failure": []}


@router.get("/get/config/callbacks")
def config_callbacks(request: HttpRequest) -> dict[str, Any]:
    """Callbacks that the configuration file names are configured, and not active: the lists above stay empty."""
    named = [
        {"name": name, "type": when, "variables": {}, "is_active": False}
        for when, names in settings.TALLYGATE_CONFIG.callbacks.items()
        for name in names
    ]
    return {"status": "success", "callbacks": named, "alerts": [], "available_callbacks": {}, "router_settings": router_settings()}


def router_settings() -> dict[str, Any]:
    """The routing policy under LiteLLM's names, and the fallbacks of all routes as the lists that config.yaml has."""
    policy = RoutingPolicy.objects.first() or RoutingPolicy()
    routes = list(Route.objects.filter(is_active=True).order_by("name"))
    fallbacks = {kind: [{route.name: getattr(route, kind)} for route in routes if getattr(route, kind)] for kind in FALLBACKS}
    return {
        "routing_strategy": policy.strategy,
        "num_retries": policy.retries,
        "allowed_fails": policy.allowed_fails,
        "cooldown_time": policy.cooldown_s,
        "default_fallbacks": policy.default_fallbacks,
        **fallbacks,
    }
