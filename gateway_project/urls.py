"""Django's side of the door: admin, sign-in, our pages and the management API."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView

from console.pages.settings import settings_doctor, settings_notice, settings_page
from gateway_project.installation import Installation

HERE = Installation()
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
    # The console must not know who tells it of the installation.
    path("settings/", settings_page, {"here": HERE}, name="settings"),
    path("settings/doctor/", settings_doctor, {"here": HERE}, name="settings_doctor"),
    path("settings/notice/", settings_notice, {"here": HERE}, name="settings_notice"),
    path("", include("console.urls")),
]
