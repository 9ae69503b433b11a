"""Signing somebody out everywhere: what happens to those who are blocked."""

from allauth.usersessions.models import UserSession

from keys.models import User


def end_sessions(user: User) -> None:
    """In the transaction of the change that asks for it."""
    for session in UserSession.objects.filter(user_id=user.pk):
        session.end()
