"""Live: the last half hour of what the visitor may see, as it stands; the page's socket keeps it moving."""

import time
from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from console.access import page, reach
from console.apps import live_of_this_process
from console.live.look import Look
from console.live.scope import scope_of


@page()
def live(request: HttpRequest) -> HttpResponse:
    known, look, now = reach(request), Look.of_page(), time.time()
    parts = live_of_this_process().desk.parts(scope_of(known), look, now)
    context = {
        "parts": parts,
        "look": look,
        "now": datetime.fromtimestamp(now, UTC),
        "sees_all": known.sees_money,
        "sees_health": known.is_admin,
        "manages": bool(known.managed),
        "zone": timezone.get_current_timezone(),
        "first_title": _("Time to first token"),
        "total_title": _("Total time"),
        "errors_title": _("Errors a minute, by side"),
    }
    response = render(request, "live/live.html", context)
    host = request.get_host()
    # Not every browser counts a socket to the page's own address as its own.
    response._csp_update = {"connect-src": ["'self'", f"ws://{host}", f"wss://{host}"]}  # type: ignore[attr-defined]  # django-csp's hook
    return response
