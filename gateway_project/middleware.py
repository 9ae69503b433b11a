"""Django admin's own content policy: Unfold needs inline styles and evaluated expressions, our pages do not."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


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
