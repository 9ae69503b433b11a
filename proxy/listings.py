"""Which page of models or profiles an endpoint shows: only what the caller may use."""

from urllib.parse import parse_qs

from keys.snapshot import Caller
from proxy import models_list
from proxy.client import Client
from proxy.doors import bedrock
from proxy.endpoints import MODELS, Place
from proxy.errors import ClientError
from routing.snapshot import RouteTable


def page(caller: Caller, routes: RouteTable, place: Place, client: Client) -> bytes:
    """Raises ClientError for a single one that is not there, or not for this caller."""
    endpoint = place.endpoint
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
    if body is None:
        raise ClientError(404, "model_not_found", f"model: {name[:200]}")
    return body
