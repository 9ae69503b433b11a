"""Connect: how each client is pointed at this gateway, and a box that tries a key. A key typed here never reaches the server."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from console.access import page, reach
from console.client_setups import NAMES, PLACEHOLDER, is_local
from console.connect_blocks import address_of, setup
from console.key_issuing import may_issue
from console.key_states import in_state

USUAL = "claude-code"
OWN = 5


@page()
def connect(request: HttpRequest) -> HttpResponse:
    known, asked = reach(request), request.GET.get("client", "")
    client, url = asked if asked in NAMES else USUAL, address_of(request)
    own = list(in_state(known.keys().filter(user_id=known.person_id), "active", timezone.now())[:OWN])
    context = {
        "clients": NAMES,
        "client": client,
        "name": NAMES[client],
        "blocks": setup(client, url, PLACEHOLDER, own[0].allowed_models if own else []),
        "url": url,
        "is_local": is_local(url),
        "own": own,
        "placeholder": PLACEHOLDER,
        "may_issue": may_issue(known),
    }
    return render(request, "connect/connect.html", context)
