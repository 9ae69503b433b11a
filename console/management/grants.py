"""Nobody gives what they lack: what a key that is limited itself may hand on. The master key and unlimited keys hand on everything."""

from console.management.askers import Asker, forbidden
from keys.actions import KeySpec
from keys.models import User
from keys.snapshot import Caller


def check_key(by: Asker, spec: KeySpec) -> None:
    """A new key does no more, and lives no longer, than the one that asks for it."""
    if by.caller and (more := _more(by.caller, spec)):
        raise forbidden(f"the key that asks is limited, so it makes no key with {more} than its own.")


def check_role(by: Asker, role: str) -> None:
    if role == User.Role.ADMIN and by.caller and _more(by.caller, KeySpec()):
        raise forbidden("the key that asks is limited, so it makes nobody administrator.")


def _more(own: Caller, spec: KeySpec) -> str:
    """What of the key to be goes beyond our own; empty when nothing does. Networks and rates are compared by whether there are any."""
    names = spec.allowed_models
    if own.model_lists and not (names and all(own.allows(name) for name in names)):
        return "more models"
    if own.expires_at is not None and (spec.expires_at is None or spec.expires_at.timestamp() > own.expires_at):
        return "a longer life"
    if own.networks:
        return "more networks"
    is_limited = own.model_limits or any(limit.scope == "key" and limit.is_shared for limit in own.limits)
    return "higher limits" if is_limited else ""
