"""What a browser keeps of a visitor's choices, and the way back to the page where one was made."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme

_YEAR_S = 365 * 24 * 3600


def keep(request: HttpRequest, response: HttpResponse, name: str, value: str) -> None:
    """For a year; an empty value is forgotten."""
    if value:
        response.set_cookie(name, value, max_age=_YEAR_S, samesite="Lax", secure=request.is_secure())
    else:
        response.delete_cookie(name, samesite="Lax")


def back(request: HttpRequest) -> HttpResponse:
    """To the page that the form names in `next`, if it is ours."""
    address = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(address if is_ours else "/")
