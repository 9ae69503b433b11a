"""People signed in to the pages, and forms of keys as browsers send them."""

import re
from typing import Any

from django.test import Client

from keys.models import User
from tests.console.permissions.cast import Cast


def signed_in(cast: Cast, role: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=cast.names[role]))
    return client


def asked(cast: Cast, **values: Any) -> dict[str, Any]:
    """What the form of a new key sends when only the name was typed."""
    usual = {"name": "fresh", "team": cast.names["search"], "scope": "all", "models": "", "max_budget": "", "period": "month"}
    return usual | {"expires": "", "expires_on": "", "tags": "", "allowed_ips": "", "required_header": ""} | values


def text_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def names_in(text: str) -> set[str]:
    return {name.replace("&#x27;", "'") for name in re.findall(r'class="p1"><a href="[^"]+"><bdi>([^<]*)</bdi>', text)}
