"""Which page of models or profiles an endpoint shows: only what the caller may use."""

from urllib.parse import parse_qs

from keys.snapshot import Caller
from proxy import model_info, models_list
from proxy.doors import bedrock
from proxy.endpoints import MODEL_GROUPS, MODEL_INFO, MODELS, Place
from proxy.errors import ClientError
from proxy.exchange import Exchange


def page(caller: Caller, exchange: Exchange, place: Place) -> bytes:
    """Raises ClientError for a single one that is not there, or not for this caller."""
    endpoint, client, routes = place.endpoint, exchange.client, exchange.snapshot.routes
    if endpoint in {MODEL_INFO, MODEL_GROUPS}:
        return _told(caller, exchange, parse_qs(client.query))
    if endpoint is MODELS:
        query = parse_qs(client.query)
        asked = query.get("limit", [""])[0]
        limit = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 3 and int(asked) else models_list.MAX_PAGE
        return models_list.listing(caller, routes, limit=limit, after=query.get("after_id", [""])[0])
    if endpoint is bedrock.PROFILES:
        return bedrock.profiles(caller, routes)
    if endpoint is bedrock.PROFILE:
        name, body = place.path_ask.model, bedrock.profile(caller, routes, place.path_ask.model)
    else:
        name = client.path.partition("/models/")[2]
        body = models_list.one(caller, routes, name)
    return _found(body, name)


def _told(caller: Caller, exchange: Exchange, query: dict[str, list[str]]) -> bytes:
    snapshot, at = exchange.snapshot, exchange.received_at
    if exchange.endpoint is MODEL_GROUPS:
        return model_info.groups(caller, snapshot, at, query.get("model_group", [""])[0])
    wanted = query.get("litellm_model_id", [""])[0]
    return _found(model_info.deployment(caller, snapshot, at, wanted), wanted) if wanted else model_info.deployments(caller, snapshot, at)


def _found(body: bytes | None, name: str) -> bytes:
    if body is None:
        raise ClientError(404, "model_not_found", f"model: {name[:200]}")
    return body
