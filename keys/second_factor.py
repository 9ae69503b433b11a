"""People of whom the settings want a second factor see nothing but the pages that set one up, until they have one."""

from collections.abc import Callable
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from keys.models import User

# Recovery codes stand in for one of these and are none themselves.
FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
ALWAYS_OPEN = "/accounts/"


class SecondFactorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> HttpResponse | None:
        if settings.TALLYGATE_SIGN_IN.second_factor == "optional" or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        is_lacking = lacks_second_factor(request)
        request.lacks_second_factor = is_lacking  # type: ignore[attr-defined]  # for the page that sets one up
        return HttpResponseRedirect(reverse("mfa_index")) if is_lacking and not request.path_info.startswith(ALWAYS_OPEN) else None


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether a password alone opened the session. Identity providers look after theirs; the one-time link is for when nothing works."""
    person = request.user
    if not isinstance(person, User) or not is_wanted_of(person):
        return False
    ways = {record.get("method") for record in get_authentication_records(request, person)}
    return "password" in ways and not ways & {"mfa", "socialaccount"} and not is_mfa_enabled(person, FACTORS)


def is_wanted_of(person: User) -> bool:
    wanted = settings.TALLYGATE_SIGN_IN.second_factor
    return bool(wanted == "everybody" or (wanted == "admins" and person.role == User.Role.ADMIN))
