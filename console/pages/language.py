"""The language of the sign-in page, kept in Django's own cookie; signed-in people have theirs among their preferences."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from console.cookies import back, keep


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    response = back(request)
    asked = request.POST.get("language", "")
    keep(request, response, settings.LANGUAGE_COOKIE_NAME, asked if asked in dict(settings.LANGUAGES) else "")
    return response
