"""Who may open which page, and whose traffic and money a page shows them. Views read no rows but through `reach` and `traffic`."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from keys.access import Reach, reach_of
from keys.models import User

View = Callable[..., HttpResponse]
FOR_NOBODY = _("An administrator has blocked your account.")
FOR_ADMINISTRATORS = _("This page shows how the whole gateway is set up, so it opens for administrators.")


def everybody(reach: Reach) -> bool:
    """Everybody who is signed in and not blocked."""
    return bool(reach.person_id)


def administrators(reach: Reach) -> bool:
    return reach.is_admin


def keeps_books(reach: Reach) -> bool:
    """Finance, and administrators."""
    return reach.sees_money


def page(allows: Callable[[Reach], bool] = everybody, why: Promise | str = FOR_ADMINISTRATORS) -> Callable[[View], View]:
    """Anonymous visitors sign in first; somebody whom `allows` does not let in learns why."""

    def guard(view: View) -> View:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
            visitor = reach(request)
            if not everybody(visitor):
                raise PermissionDenied(str(FOR_NOBODY))
            if not allows(visitor):
                raise PermissionDenied(str(why))
            return view(request, *args, **kwargs)

        return guarded

    return guard


def reach(request: HttpRequest) -> Reach:
    """How far the visitor's say goes; read once a request. Nobody's, and a blocked person's, goes nowhere."""
    known: Reach | None = getattr(request, "_reach", None)
    if known is None:
        user = request.user
        known = reach_of(user) if isinstance(user, User) and user.is_active and not user.is_blocked else Reach()
        request._reach = known  # type: ignore[attr-defined]  # kept on the request, which is thrown away with it
    return known


def traffic(reach: Reach) -> Q:
    """Of records, ledger entries and roll-ups, those that somebody may see: all of them, or their teams' and their own."""
    if reach.is_admin or reach.sees_money:
        return Q()
    own = Q(user_id=reach.person_id) if reach.person_id else Q(pk__in=())
    return own | Q(team_id__in=reach.managed)


administrators_only = page(administrators)
