"""Who may see and change which keys and teams: the only door to those that somebody names. What they may do is read once a request."""

from dataclasses import dataclass, replace

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from keys.models import Membership, OrganisationMembership, Team, User, VirtualKey


def sees_everything(user: User | AnonymousUser) -> bool:
    if not isinstance(user, User) or user.is_blocked or not user.is_active:
        return False
    return user.is_superuser or user.role == User.Role.ADMIN


@dataclass(frozen=True, slots=True)
class Reach:
    """How far somebody's say goes. Ids of teams and organisations; empty for a key that belongs to nobody.

    `joined` holds the teams that they manage, too. `keeps_keys`: they issue, rotate and block keys for themselves.
    `bound_to` is the team of the key that asks: whoever holds such a key reaches no further.
    """

    is_admin: bool = False
    sees_money: bool = False
    keeps_keys: bool = False
    person_id: str = ""
    key_id: str = ""
    bound_to: str = ""
    joined: frozenset[str] = frozenset()
    managed: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()

    # ── teams and organisations ───────────────────────────────────────────────
    def manages_team(self, team_id: str | None) -> bool:
        return self.is_admin or team_id in self.managed

    def sees_team(self, team_id: str | None) -> bool:
        return self.sees_money or team_id in self.joined

    def manages_organisation(self, organisation_id: str | None) -> bool:
        return self.is_admin or organisation_id in self.organisations

    def teams(self) -> QuerySet[Team]:
        return Team.objects.all() if self.sees_money else Team.objects.filter(pk__in=self.joined)

    # ── keys ──────────────────────────────────────────────────────────────────
    def manages_key(self, key: VirtualKey) -> bool:
        return self.is_admin or key.team_id in self.managed

    def owns_key(self, key: VirtualKey) -> bool:
        """A key that they keep for themselves."""
        return self.keeps_keys and key.user_id == self.person_id and self._reaches(key.team_id)

    def _reaches(self, team_id: str | None) -> bool:
        return team_id in self.joined or (team_id is None and not self.bound_to)

    def keys(self) -> QuerySet[VirtualKey]:
        """Those that they may see: the one they ask with, their own, and their teams'."""
        return VirtualKey.objects.all() if self.is_admin else VirtualKey.objects.filter(self._keys())

    def _keys(self) -> Q:
        seen = Q(pk=self.key_id) | Q(team_id__in=self.managed)
        if self.person_id:
            places = Q(team_id__in=self.joined) if self.bound_to else Q(team_id__in=self.joined) | Q(team_id=None)
            seen |= Q(user_id=self.person_id) & places
        return seen

    # ── people ────────────────────────────────────────────────────────────────
    def leads_person(self, user_id: str) -> bool:
        return self.is_admin or Membership.objects.filter(team_id__in=self.managed, user_id=user_id).exists()

    def sees_person(self, user_id: str) -> bool:
        is_self = bool(user_id) and user_id == self.person_id
        return self.sees_money or is_self or self.leads_person(user_id)


EVERYTHING = Reach(is_admin=True, sees_money=True, keeps_keys=True)


def reach_of(person: User | None, *, key_id: str = "", team_id: str = "") -> Reach:
    """A key of a team reaches no further than that team, whoever's it is: the team's managers make such keys and know their secrets."""
    if person is None:
        return Reach(key_id=key_id)
    if sees_everything(person) and not team_id:
        return replace(EVERYTHING, person_id=person.pk, key_id=key_id)
    joined, managed, organisations = _places(person)
    if team_id:
        led = {team_id} if sees_everything(person) else managed & {team_id}
        joined, managed, organisations = joined & {team_id}, frozenset(led), frozenset()
    return Reach(
        sees_money=person.role == User.Role.FINANCE and not team_id,
        keeps_keys=person.role in {User.Role.MEMBER, User.Role.ADMIN},
        joined=joined | managed,
        managed=managed,
        organisations=organisations,
        person_id=person.pk,
        key_id=key_id,
        bound_to=team_id,
    )


def _places(person: User) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The teams that somebody belongs to and manages, and the organisations they manage with all their teams."""
    roles = dict(Membership.objects.filter(user=person).values_list("team_id", "role"))
    led = OrganisationMembership.objects.filter(user=person, role=OrganisationMembership.Role.MANAGER)
    organisations = frozenset(led.values_list("organisation_id", flat=True))
    inside = Team.objects.filter(organisation_id__in=organisations).values_list("pk", flat=True) if organisations else ()
    managed = {team_id for team_id, role in roles.items() if role == Membership.Role.MANAGER}
    return frozenset(roles), frozenset([*managed, *inside]), organisations
