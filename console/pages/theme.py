"""Light, dark, or as the device says: kept in a cookie, so that the server prints it and nothing flashes."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from console.cookies import back, keep

COOKIE = "theme"
THEMES = ("light", "dark")


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    response = back(request)
    theme = request.POST.get("theme", "")
    keep(request, response, COOKIE, theme if theme in THEMES else "")
    return response
