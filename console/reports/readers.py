"""Who reads a report, and how far their say goes: by a key in a header, or signed in. Nothing is changed, so no CSRF token is asked for."""

from django.db.models import Q
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated, ParseError, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from billing.models import Budget
from billing.scopes import member_id
from console.access import FOR_NOBODY, everybody, reach, traffic
from console.asker import Asker
from console.management.askers import asker
from console.management.auth import HEADERS
from console.management.errors import Refused
from keys.access import Reach
from keys.models import Membership, User, VirtualKey

WHO_ARE_YOU = "Send a virtual key or the master key as Authorization: Bearer ... or x-api-key: ..., or sign in."
NOT_BY_TAG = "Sums by tag are kept by team, so they are for administrators, finance and managers of teams."


class ByKey(BaseAuthentication):
    """The master key, or a virtual key that may be used now and from there; its owner's reach is the reader's."""

    def authenticate(self, request: Request) -> tuple[User | None, Asker] | None:
        if not any(request.headers.get(name, "").strip() for name in HEADERS):
            return None
        try:
            found = asker(request._request)
        except Refused as refused:
            raise _told(refused) from refused
        return found.person, found

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Tallygate"'


class BySession(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, None] | None:
        user = request._request.user
        if not user.is_authenticated:
            return None
        if not everybody(reach(request._request)):
            raise PermissionDenied(str(FOR_NOBODY))
        return user, None


class KnownReader(BasePermission):
    def has_permission(self, request: Request, view: object) -> bool:
        if request.successful_authenticator is None:
            raise NotAuthenticated(WHO_ARE_YOU)
        return True


def reach_of_reader(request: Request) -> Reach:
    return request.auth.reach if isinstance(request.auth, Asker) else reach(request._request)


def may_see(reader: Reach) -> Q:
    """Of records, ledger entries and roll-ups: `traffic`, by a team's key no further than that team, and what the key itself spent."""
    if reader.is_admin or reader.sees_money:
        return Q()
    seen = traffic(reader)
    if reader.bound_to:
        seen &= Q(team_id=reader.bound_to)
    return seen | Q(key_id=reader.key_id) if reader.key_id else seen


def may_see_by_tag(reader: Reach) -> Q:
    if reader.is_admin or reader.sees_money:
        return Q()
    if not reader.managed:
        raise PermissionDenied(NOT_BY_TAG)
    return Q(team_id__in=reader.managed)


def keys_of(reader: Reach) -> Q:
    """Finance sees every key's name and money; none of a report's columns helps to use one."""
    return Q() if reader.is_admin or reader.sees_money else Q(pk__in=reader.keys().values("pk"))


def budgets_of(reader: Reach) -> Q:
    """Their own, those of keys that they see, and all of the teams and organisations that they manage."""
    if reader.is_admin or reader.sees_money:
        return Q()
    scope = Budget.Scope
    members = [member_id(*pair) for pair in Membership.objects.filter(team_id__in=reader.managed).values_list("team_id", "user_id")]
    members += [member_id(team_id, reader.person_id) for team_id in reader.joined if reader.person_id]
    keys = VirtualKey.objects.filter(keys_of(reader)).values("pk")
    seen = Q(scope=scope.TEAM, scope_id__in=reader.managed) | Q(scope=scope.ORGANISATION, scope_id__in=reader.organisations)
    seen |= Q(scope=scope.MEMBER, scope_id__in=members) | Q(scope=scope.KEY, scope_id__in=keys)
    return seen | Q(scope=scope.USER, scope_id=reader.person_id) if reader.person_id and not reader.bound_to else seen


def _told(refused: Refused) -> APIException:
    kinds: dict[int, type[APIException]] = {401: AuthenticationFailed, 403: PermissionDenied}
    return kinds.get(refused.status, ParseError)(str(refused))
