"""For whom the visitor may make a budget, with names to choose from."""

from django.db.models import Q

from billing.models import Budget
from billing.scopes import TEXTS, member_id
from keys.access import Reach
from keys.models import Membership, Organisation, User, VirtualKey

LISTED = 1000


def subjects_of(reach: Reach, scope: str) -> list[tuple[str, str]] | None:
    """(id, name) by name; None where a budget names its subject by text: tags and end users."""
    if scope in TEXTS:
        return None
    if scope == Budget.Scope.KEY:
        keys = VirtualKey.objects.filter(_led(reach), revoked_at=None).select_related("team").order_by("name")[:LISTED]
        return [(key.pk, f"{key} ({key.team.name if key.team else key.hint})") for key in keys]
    if scope == Budget.Scope.MEMBER:
        found = Membership.objects.filter(_led(reach)).select_related("team", "user").order_by("team__name", "user__username")[:LISTED]
        return [(member_id(one.team_id, one.user_id), f"{one.user} ({one.team.name})") for one in found]
    if not reach.is_admin or scope == Budget.Scope.GLOBAL:
        return []
    if scope == Budget.Scope.TEAM:
        return [(team.pk, team.name) for team in reach.teams().order_by("name")[:LISTED]]
    if scope == Budget.Scope.ORGANISATION:
        return [(row.pk, row.name) for row in Organisation.objects.order_by("name")[:LISTED]]
    return [(user.pk, str(user)) for user in User.objects.order_by("username")[:LISTED]]


def _led(reach: Reach) -> Q:
    """Of rows with a team: those in teams of which somebody gives."""
    return Q() if reach.is_admin else Q(team_id__in=reach.managed)
