"""Whose figures somebody may see at the spend addresses: all of them, those of the teams they manage, or those of their key alone."""

from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpRequest

from console.management.askers import asker
from console.management.errors import Refused
from keys.models import Membership, VirtualKey


@dataclass(frozen=True, slots=True)
class Reader:
    """Without `sees_all` what is seen has to be named: the key itself and the teams that its owner manages."""

    sees_all: bool = False
    key_id: str = ""
    user_id: str = ""
    team_ids: frozenset[str] = frozenset()

    def scope(self) -> Q:
        """For roll-ups, ledger entries and request records alike."""
        return Q() if self.sees_all else Q(key_id=self.key_id) | Q(team_id__in=self.team_ids)

    def keys(self) -> Q:
        return Q() if self.sees_all else Q(pk=self.key_id) | Q(team_id__in=self.team_ids)

    def check_key(self, key_id: str) -> None:
        """What is not there and what is somebody else's get one answer."""
        if not self.sees_all and not VirtualKey.objects.filter(self.keys(), pk=key_id).exists():
            raise _foreign("api_key")

    def check_user(self, user_id: str) -> None:
        if self.sees_all or (user_id and user_id == self.user_id):
            return
        if not Membership.objects.filter(team_id__in=self.team_ids, user_id=user_id).exists():
            raise _foreign("user_id")

    def check_teams(self, team_ids: list[str]) -> None:
        if not self.sees_all and not self.team_ids.issuperset(team_ids):
            raise _foreign("team_id")


EVERYTHING = Reader(sees_all=True)


def reader(request: HttpRequest) -> Reader:
    reach = asker(request).reach
    return EVERYTHING if reach.sees_money else Reader(key_id=reach.key_id, user_id=reach.person_id, team_ids=reach.managed)


def reader_of(request: HttpRequest) -> Reader:
    """Whom `reader` found for this request."""
    found = getattr(request, "auth", None)
    return found if isinstance(found, Reader) else reader(request)


def _foreign(param: str) -> Refused:
    return Refused(f"This key does not show the figures of that {param}.", type="permission_error", param=param, status=403)
