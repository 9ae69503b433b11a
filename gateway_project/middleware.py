"""What our pages are told of whoever reads them, and Django admin's own content policy."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch
from django.utils import timezone, translation

from console.currencies import DOLLARS
from console.display import display, shown_in
from keys.models import User
from keys.preferences import time_zones


class PreferencesMiddleware:
    """Signed-in people read pages in their own language, time zone and currency. APIs answer everybody alike."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person = request.user if settings.SESSION_COOKIE_NAME in request.COOKIES else None
        if not isinstance(person, User):
            return self.get_response(request)
        chosen = person.language in dict(settings.LANGUAGES)
        language = person.language if chosen else translation.get_language() or settings.LANGUAGE_CODE
        zone = ZoneInfo(person.time_zone) if person.time_zone in time_zones() else None
        currency = settings.TALLYGATE_CURRENCIES.get(person.currency, DOLLARS)
        with translation.override(language), timezone.override(zone), shown_in(currency):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or language)
        return response

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """Reports are the same for people and scripts; the management API's phrases are compared by scripts."""
        match = request.resolver_match
        is_management = match is not None and "management" in match.namespaces
        if is_management:
            translation.activate(settings.LANGUAGE_CODE)
        if is_management or _is_report(match):
            timezone.deactivate()
            display().currency = DOLLARS


def _is_report(match: ResolverMatch | None) -> bool:
    return match is not None and match.route.startswith("api/reports/")


class AdminPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/admin/"):
            response._csp_update = {  # type: ignore[attr-defined]  # django-csp's documented per-response hook
                "script-src": settings.ADMIN_SCRIPT_SRC,
                "style-src": settings.ADMIN_STYLE_SRC,
                "img-src": settings.ADMIN_IMG_SRC,
            }
        return response
