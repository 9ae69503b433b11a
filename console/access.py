"""Who may see the pages: for now administrators, who see everything."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from keys.models import User

View = Callable[..., HttpResponse]


def sees_everything(user: User | AnonymousUser) -> bool:
    if not isinstance(user, User) or user.is_blocked or not user.is_active:
        return False
    return user.is_superuser or user.role == User.Role.ADMIN


def administrators_only(view: View) -> View:
    """Anonymous visitors sign in first; others learn why they see nothing."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        if not sees_everything(request.user):
            raise PermissionDenied(_("These pages show everybody's requests and money, so they open for administrators."))
        return view(request, *args, **kwargs)

    return guarded
