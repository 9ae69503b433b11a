"""Somebody new who comes with a signed token: made without a way to sign in, as a member of the team that the token names."""

from django.db import close_old_connections, transaction

from audit import notice
from audit.rows import ChangeRefused
from audit.trail import Actor
from keys.actions import add_member, change_user, known_user
from keys.authenticate import Refusal
from keys.jwt_claims import Identity
from keys.models import Membership, Team, User

BY_TOKEN = Actor("system", name="signed token")


def admit_by_token(who: Identity, team_id: str) -> None:
    """For a thread of its own. On return this process has heard of the person, also when another one was quicker to add them."""
    close_old_connections()
    try:
        is_new = _added(who, team_id)
    except ChangeRefused as error:
        raise Refusal("user_unknown", f"{who.user} cannot be added: {error} Your side. Ask your gateway's administrator.") from error
    finally:
        close_old_connections()
    if not is_new:
        notice.notify()


@transaction.atomic
def _added(who: Identity, team_id: str) -> bool:
    if User.objects.filter(pk=who.user).exists():
        return False
    person = known_user(who.user, actor=BY_TOKEN)
    more = {"email": who.email} if who.email and not User.objects.filter(email__iexact=who.email).exists() else {}
    if who.role:
        more["role"] = who.role
    if more:
        person = change_user(person, more, actor=BY_TOKEN)
    team = Team.objects.filter(pk=team_id).first()
    if team is None:
        raise ChangeRefused("The team was deleted a moment ago.")
    add_member(Membership(team=team, user=person), actor=BY_TOKEN)
    return True
