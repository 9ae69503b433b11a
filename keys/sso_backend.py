"""The one way a name and a password, or the id in a session, becomes a person: never one who is blocked."""

from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from keys.models import User

BACKEND = "keys.sso_backend.People"


class People(AuthenticationBackend):  # type: ignore[misc]  # allauth ships no types
    def user_can_authenticate(self, user: User | AnonymousUser | None) -> bool:
        """Asked at sign-in and at every request of a session."""
        return isinstance(user, User) and user.is_active and not user.is_blocked

    def authenticate(self, request: HttpRequest | None, **credentials: str) -> User | None:
        if not settings.TALLYGATE_SIGN_IN.passwords:
            return None
        person: User | None = super().authenticate(request, **credentials)
        return person
