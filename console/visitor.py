"""A page's visitor as whoever asks for a change: the rules that hold for scripts hold for pages."""

from dataclasses import replace

from django.http import HttpRequest

from audit.admin_base import actor_of
from console.access import reach
from console.asker import Asker
from keys.models import User


def visitor(request: HttpRequest, *, reason: str = "") -> Asker:
    """`reason` is why, in the visitor's own words; the audit trail keeps it."""
    user = request.user
    actor = replace(actor_of(request), reason=reason)
    return Asker(actor, reach(request), user if isinstance(user, User) else None)


def said(error: Exception) -> str:
    """A refusal as a sentence of its own."""
    text = str(error)
    return text[:1].upper() + text[1:]
