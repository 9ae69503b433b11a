"""Who asks an address that more than the master key opens: administrators with their own keys, and everybody for what is theirs."""

from dataclasses import dataclass
from ipaddress import ip_network

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from audit.trail import Actor
from console.access import sees_everything
from console.management.auth import HEADERS, administrator
from console.management.errors import Refused
from keys.authenticate import Refusal, check, client_ip, digest, tokens
from keys.loading import load_caller
from keys.models import User
from keys.snapshot import Caller

TYPES = {"key_expired": "expired_key", "key_invalid": "token_not_found_in_db"}
FORBIDDEN = frozenset({"ip_not_allowed"})


@dataclass(frozen=True, slots=True)
class Asker:
    """`person` is the key's owner, if it has one; the master key has neither caller nor owner and sees everything."""

    actor: Actor
    sees_all: bool
    person: User | None = None
    caller: Caller | None = None


def asker(request: HttpRequest) -> Asker:
    """The holder of the master key or of a virtual key that may be used now and from there."""
    try:
        return Asker(administrator(request), sees_all=True)
    except Refused:
        return _by_own_key(request)


def asker_of(request: HttpRequest) -> Asker:
    """Whom the address's own check found for this request."""
    found = getattr(request, "auth", None)
    return found if isinstance(found, Asker) else any_administrator(request)


def any_administrator(request: HttpRequest) -> Asker:
    """The master key's holder, or a person who is administrator, by a key of their own."""
    found = asker(request)
    if not found.sees_all:
        raise forbidden("this address is for administrators.")
    return found


def forbidden(text: str) -> Refused:
    return Refused(f"Authentication Error, {text}", type="auth_error", status=403)


def _by_own_key(request: HttpRequest) -> Asker:
    try:
        caller = _caller(request)
    except Refusal as refusal:
        status = 403 if refusal.code in FORBIDDEN else 401
        text = f"Authentication Error, {refusal.message}"
        raise Refused(text, type=TYPES.get(refusal.code, "auth_error"), status=status) from refusal
    person = User.objects.filter(pk=caller.user_id).first() if caller.user_id else None
    owner = person.pk if person else caller.key_id
    actor = Actor("user", id=owner, name=f"{person or 'nobody'} (key {caller.key_name})", ip=_address(request))
    return Asker(actor, person is not None and sees_everything(person), person, caller)


def _caller(request: HttpRequest) -> Caller:
    """Read from the database at each request: a key that is revoked or a person who is no longer administrator is out at once."""
    headers = {name.encode(): request.headers[name].encode("utf-8", "surrogateescape") for name in HEADERS if name in request.headers}
    now = timezone.now()
    for token in tokens(headers):
        if caller := load_caller(digest(token), now):
            check(caller, _address(request), now.timestamp())
            return caller
    if not any(headers.values()):
        raise Refusal("key_missing", "No api key passed in.")
    raise Refusal("key_invalid", "this key is not known here.")


def _address(request: HttpRequest) -> str:
    trusted = tuple(ip_network(item, strict=False) for item in settings.TALLYGATE_TRUSTED_PROXIES)
    return client_ip(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""), trusted)
