"""Who asks an address that more than the master key opens: people with their own keys, each as far as their say goes."""

from ipaddress import ip_network

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from audit.trail import Actor
from console.asker import Asker
from console.management.auth import HEADERS, administrator, refuse_nul
from console.management.errors import Refused, forbidden, of_refusal
from keys.access import EVERYTHING, reach_of
from keys.authenticate import Refusal, check, client_ip, digest, tokens
from keys.loading import load_caller
from keys.models import User
from keys.snapshot import Caller


def asker(request: HttpRequest) -> Asker:
    """The holder of the master key or of a virtual key that may be used now and from there."""
    refuse_nul(request)
    try:
        return Asker(administrator(request), EVERYTHING)
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


def any_accountant(request: HttpRequest) -> Asker:
    """Whoever sees everybody's money: administrators, and finance to read."""
    found = asker(request)
    if not found.reach.sees_money:
        raise forbidden("this address is for administrators and finance.")
    return found


def _by_own_key(request: HttpRequest) -> Asker:
    try:
        caller = _caller(request)
    except Refusal as refusal:
        raise of_refusal(refusal.code, refusal.message) from refusal
    person = User.objects.filter(pk=caller.user_id).first() if caller.user_id else None
    owner = person.pk if person else caller.key_id
    actor = Actor("user", id=owner, name=f"{person or 'nobody'} (key {caller.key_name})", ip=_address(request))
    return Asker(actor, reach_of(person, key_id=caller.key_id, team_id=caller.team_id), person, caller)


def _caller(request: HttpRequest) -> Caller:
    """Read from the database at each request: a key that is revoked or a person who is no longer administrator is out at once."""
    headers = {name.encode(): request.headers[name].encode("utf-8", "surrogateescape") for name in HEADERS if name in request.headers}
    now = timezone.now()
    for token in tokens(headers):
        if caller := load_caller(digest(token), now):
            check(caller, _address(request), now.timestamp(), _headers(request))
            return caller
    if not any(headers.values()):
        raise Refusal("key_missing", "Send it as Authorization: Bearer.")
    raise Refusal("key_invalid", "This key is not known here.")


def _headers(request: HttpRequest) -> dict[bytes, bytes]:
    return {name.lower().encode(): value.encode("utf-8", "surrogateescape") for name, value in request.headers.items()}


def _address(request: HttpRequest) -> str:
    trusted = tuple(ip_network(item, strict=False) for item in settings.TALLYGATE_TRUSTED_PROXIES)
    return client_ip(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""), trusted)
