"""Headers of every answer of Django's side that its own middleware does not set: static files and refusals have them too."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# No page uses any of these, so nothing that got into one may.
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "browsing-topics", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone", "midi",
        "payment", "usb", "xr-spatial-tracking",
    )
)  # fmt: skip


class PageHeadersMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Back at a page is quick, and nobody between keeps what belongs to one person. Pages with secrets say no-store themselves.
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response
