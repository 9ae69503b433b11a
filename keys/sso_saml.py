"""A SAML identity provider whose metadata cannot be read: a page that says so, in place of an error of ours."""

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from lxml.etree import XMLSyntaxError  # type: ignore[import-untyped]  # comes without types
from onelogin.saml2.errors import OneLogin_Saml2_Error  # type: ignore[import-untyped]  # comes without types

logger = logging.getLogger(__name__)


class SamlTroubleMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or not (match.view_name or "").startswith("saml_") or not _is_about_metadata(exception):
            return None
        logger.error("The SAML metadata cannot be used: %s: %s", type(exception).__name__, exception)
        reason = _(
            "Your company's sign-in cannot be reached. Try again in a minute; whoever runs this gateway finds the reason in its log."
        )
        return render(request, "socialaccount/refused.html", {"reason": reason}, status=503)


def _is_about_metadata(exception: Exception) -> bool:
    """Of metadata that is something else python3-saml says so with a bare Exception."""
    return isinstance(exception, OSError | XMLSyntaxError | OneLogin_Saml2_Error) or type(exception) is Exception
