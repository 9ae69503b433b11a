"""What the pages show of connecting a client: the address people use, and ready text for each client."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.client_setups import SETUPS, Place, model_for
from console.connecting import Block, example_model

THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
# The tabs beside a new key; the Connect page has every client.
BESIDE_A_KEY: tuple[tuple[Promise | str, tuple[str, ...]], ...] = (
    ("Claude Code", ("claude-code",)),
    ("Cline", ("cline",)),
    (_("SDKs"), ("anthropic", "openai")),
    ("boto3", ("boto3",)),
    ("curl", ("curl",)),
)


@dataclass(frozen=True, slots=True)
class Tab:
    name: Promise | str
    blocks: list[Block]


def address_of(request: HttpRequest) -> str:
    """TALLYGATE_PUBLIC_URL; where that means only this machine, the address by which the visitor came."""
    said: str = settings.TALLYGATE_PUBLIC_URL
    return request.build_absolute_uri("/").rstrip("/") if urlsplit(said).hostname in THIS_MACHINE else said


def setup(client: str, url: str, token: str, allowed: list[str]) -> list[Block]:
    """With a model that the key's list surely allows, or else one that some route answers for."""
    named = [name for name in allowed if "*" not in name and not name.startswith("all-")]
    return SETUPS[client](Place(url, token, example_model(named) if named else model_for(client)[0]))


def tabs(url: str, token: str, allowed: list[str]) -> list[Tab]:
    return [Tab(name, _without_curl(clients, url, token, allowed)) for name, clients in BESIDE_A_KEY]


def _without_curl(clients: tuple[str, ...], url: str, token: str, allowed: list[str]) -> list[Block]:
    """Claude Code's set-up ends with curl, which has a tab of its own here."""
    found = [block for client in clients for block in setup(client, url, token, allowed)]
    return found if clients == ("curl",) else [block for block in found if not block.text.startswith("curl ")]
