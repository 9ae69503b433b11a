"""What administrators take away of the ways somebody signs in. Each verb is one transaction: change, audit, notify on commit."""

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db import models, transaction

from audit.trail import Actor, describe, record_change
from keys.models import User
from keys.sso_sessions import end_sessions

# The other columns hold secrets, or whatever a provider chose to tell.
TOLD = frozenset({"user_id", "provider", "uid", "type", "ip", "user_agent", "created_at"})


def _record_removal(event: str, row: models.Model, actor: Actor) -> None:
    before = {name: value for name, value in describe(row).items() if name in TOLD}
    record_change(event, row, actor=actor, before=before, after={})


@transaction.atomic
def unlink(account: SocialAccount, *, actor: Actor) -> None:
    """The account signs in as this person no longer, who is signed out everywhere. Their next sign-in links one, by its address."""
    _record_removal("link.removed", account, actor)
    end_sessions(account.user)
    account.delete()


@transaction.atomic
def remove_authenticator(authenticator: Authenticator, *, actor: Actor) -> None:
    """For somebody who lost their telephone. Recovery codes go with the last factor that they stand in for."""
    found = Authenticator.objects.select_for_update().filter(user_id=authenticator.user_id)
    here = next((row for row in found if row.pk == authenticator.pk), None)
    if here is None:
        return
    factors = [row for row in found if row.type != Authenticator.Type.RECOVERY_CODES and row != here]
    for row in [here] if factors else list(found):
        _record_removal("authenticator.removed", row, actor)
        row.delete()


@transaction.atomic
def end_session(session: UserSession, *, actor: Actor) -> None:
    _record_removal("session.ended", session, actor)
    session.end()


@transaction.atomic
def sign_out(user: User, *, actor: Actor) -> None:
    """Everywhere."""
    for session in UserSession.objects.filter(user_id=user.pk):
        end_session(session, actor=actor)
