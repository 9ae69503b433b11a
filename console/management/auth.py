"""The master key at the management API, which opens everything; people's own keys are read by `askers`. Sessions do not count here."""

from hashlib import sha256
from hmac import compare_digest

from django.conf import settings
from django.http import HttpRequest

from audit.trail import Actor
from console.management.errors import Refused

HEADERS = ("x-litellm-api-key", "authorization", "api-key", "x-api-key")


def _token(request: HttpRequest) -> str:
    for name in HEADERS:
        if value := request.headers.get(name, "").strip():
            scheme, _, rest = value.partition(" ")
            return rest.strip() if scheme.lower() == "bearer" else value
    return ""


def administrator(request: HttpRequest) -> Actor:
    """The master key's holder as an actor. Everybody else gets one and the same answer."""
    refuse_nul(request)
    token = _token(request)
    if not token:
        raise Refused("Authentication Error, No api key passed in.", type="auth_error", status=401)
    digests = [sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (token, settings.TALLYGATE_MASTER_KEY)]
    if not settings.TALLYGATE_MASTER_KEY or not compare_digest(*digests):
        raise Refused("Authentication Error, this address needs the master key.", type="auth_error", status=401)
    changed_by = request.headers.get("litellm-changed-by", "")[:100]
    name = f"master key ({changed_by})" if changed_by else "master key"
    return Actor("master-key", name=name, ip=request.META.get("REMOTE_ADDR", ""))


def refuse_nul(request: HttpRequest) -> None:
    """PostgreSQL can neither store nor look for one."""
    if "\0" in request.path or any("\0" in value for name in request.GET for value in request.GET.getlist(name)):
        raise Refused("The address holds a NUL character.", type="invalid_request_error", status=422)


def actor_by_key(request: HttpRequest) -> Actor:
    """The actor that the address's own check found for this request: an Actor, or an asker who carries one."""
    found = getattr(request, "auth", None)
    actor = getattr(found, "actor", found)
    return actor if isinstance(actor, Actor) else administrator(request)
