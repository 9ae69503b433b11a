"""Whether a session still is somebody's, and how far that person's say goes: asked again every few seconds of each open socket."""

from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from console.access import everybody
from keys.access import Reach, reach_of
from keys.models import User
from keys.second_factor import lacks_second_factor


def reach_of_session(session_key: str) -> Reach | None:
    """Read anew. None when they have signed out, were signed out, blocked, given another password elsewhere, or lack a second factor."""
    request = HttpRequest()
    request.session = SessionStore(session_key)
    request.user = user = get_user(request)
    reach = reach_of(user) if isinstance(user, User) and not lacks_second_factor(request) else Reach()
    return reach if everybody(reach) else None
