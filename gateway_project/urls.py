"""Django's side of the door: admin, sign-in, our pages and the management API."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]  # allauth's documented way to one sign-in for all

CLOSED = (
    "signup",
    "email",
    "confirm-email/<path:rest>",
    "password/reset",
    "password/reset/<path:rest>",
    "password/set",
    "3rdparty",
    "3rdparty/signup",
    "social/<path:rest>",
)


def not_here(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Pages of allauth for people who look after their own address and accounts; here administrators and identity providers do."""
    raise Http404


urlpatterns = [
    # Unfold's own page would change a password without an audit event; allauth's goes through our adapter.
    path("admin/password_change/", RedirectView.as_view(url="/accounts/password/change/")),
    path("admin/", admin.site.urls),
    *(path(f"accounts/{place}/", not_here) for place in CLOSED),
    path("accounts/", include("allauth.urls")),
    path("", include("console.urls")),
]
