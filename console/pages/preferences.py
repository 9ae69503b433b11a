"""Preferences: in which language, time zone, currency and colours somebody reads our pages. Open to everybody, about nobody else."""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.rows import ChangeRefused
from console import numbers
from console.access import page
from console.cookies import keep
from console.currencies import DOLLARS
from console.pages import theme
from console.templatetags.figures import language
from console.visitor import said
from keys.models import User
from keys.preferences import places, set_preferences

LONGEST_ZONE = 60
SAMPLE_NANO = 1_234_560_000_000
COLOURS = {"light": gettext_lazy("Light"), "dark": gettext_lazy("Dark")}


class PreferencesForm(forms.Form):
    """Empty is always the usual: what the browser, the gateway, the ledger or the device says."""

    language = forms.ChoiceField(
        label=gettext_lazy("Language"), required=False, choices=lambda: _or(_("as the browser"), settings.LANGUAGES)
    )
    time_zone = forms.CharField(label=gettext_lazy("Time zone"), required=False, max_length=LONGEST_ZONE)
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), required=False, choices=lambda: _or(_("US dollars"), _currencies()))
    theme = forms.ChoiceField(label=gettext_lazy("Colours"), required=False, choices=lambda: _or(_("as the device"), COLOURS.items()))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.TALLYGATE_CURRENCIES:
            self.fields["currency"].help_text = _("Others can be chosen when whoever runs this gateway sets TALLYGATE_CURRENCIES.")
        zone = self.fields["time_zone"]
        zone.help_text = _("Days and months are cut in it. Empty means the gateway's, %(zone)s.") % {"zone": settings.TIME_ZONE}
        zone.widget.attrs = {"list": "zones", "placeholder": settings.TIME_ZONE, "autocomplete": "off", "spellcheck": "false"}


def _or(usual: str, others: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [("", usual), *others]


def _currencies() -> list[tuple[str, str]]:
    known = settings.TALLYGATE_CURRENCIES.values()
    return [(one.code, f"{one.code} (1 {DOLLARS.code} = {numbers.rate_of(one, language())} {one.code})") for one in known]


@page()
def preferences(request: HttpRequest) -> HttpResponse:
    person = cast(User, request.user)
    form = PreferencesForm(request.POST if request.method == "POST" else None, initial=_now(request, person))
    if form.is_bound and form.is_valid() and _set(person, form):
        return _kept(request, person, form.cleaned_data["theme"])
    context = {"form": form, "places": places(), "now": timezone.now(), "sample_nano": SAMPLE_NANO}
    return render(request, "preferences.html", context, status=422 if form.errors else 200)


def _now(request: HttpRequest, person: User) -> dict[str, str]:
    """Without a currency that is no longer offered."""
    currency = person.currency if person.currency in settings.TALLYGATE_CURRENCIES else ""
    chosen = {"language": person.language, "time_zone": person.time_zone, "currency": currency}
    return chosen | {"theme": request.COOKIES.get(theme.COOKIE, "")}


def _set(person: User, form: PreferencesForm) -> bool:
    data = form.cleaned_data
    try:
        set_preferences(person, language=data["language"], time_zone=data["time_zone"].strip(), currency=data["currency"])
    except ChangeRefused as refusal:
        form.add_error(refusal.field, said(refusal))
    return not form.errors


def _kept(request: HttpRequest, person: User, colours: str) -> HttpResponse:
    """The sign-in page, which knows nobody, goes by the cookie."""
    response = redirect("preferences")
    keep(request, response, theme.COOKIE, colours)
    keep(request, response, settings.LANGUAGE_COOKIE_NAME, person.language)
    request.COOKIES.pop(settings.LANGUAGE_COOKIE_NAME, None)
    with translation.override(person.language or translation.get_language_from_request(request)):
        messages.success(request, _("Your preferences are kept."))
    return response
