"""Settings and doctor, for administrators: what is in force and where it was set, what is wrong and how to mend it, what runs."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from audit.rows import ChangeRefused
from billing.backlog import backlog
from console.access import administrators_only
from console.installation import Finding, Installation
from console.processes import processes
from console.visitor import said, visitor

# Where a setting comes from, as `check-config` calls it.
DEFAULT = "default"
SOURCES = {
    "environment": _("environment"),
    DEFAULT: _("default"),
    "configuration file": _("configuration file"),
    "remembered": _("remembered from the last start"),
}
SHOWN = {"set": _("set"), "not set": _("not set")}


@administrators_only
def settings_page(request: HttpRequest, here: Installation) -> HttpResponse:
    return _page(request, here, list(here.at_hand()), is_whole=False)


@require_POST
@administrators_only
def settings_doctor(request: HttpRequest, here: Installation) -> HttpResponse:
    """The whole round, with a tiny real call to every deployment. The answer is the page itself: nothing of it is kept."""
    try:
        findings = list(here.everything(visitor(request).actor))
    except ChangeRefused as refusal:
        messages.error(request, said(refusal))
        return redirect("settings")
    response = _page(request, here, findings, is_whole=True)
    response["Cache-Control"] = "no-store"
    return response


@administrators_only
def settings_notice(request: HttpRequest, here: Installation) -> HttpResponse:
    return render(request, "settings/notice.html", {"notice": here.notice()})


def _page(request: HttpRequest, here: Installation, findings: list[Finding], *, is_whole: bool) -> HttpResponse:
    now = timezone.now()
    readings = [(one, SOURCES.get(one.source, one.source), SHOWN.get(one.shown, "")) for one in here.readings()]
    context = {
        "findings": sorted(findings, key=_gravity),
        "bad": sum(not one.is_ok for one in findings),
        "notes": sum(one.is_ok and one.is_note for one in findings),
        "database": next((one for one in findings if one.what == "database"), None),
        "is_whole": is_whole,
        "chosen": [row for row in readings if row[0].source != DEFAULT],
        "usual": [row for row in readings if row[0].source == DEFAULT],
        "configuration": here.configuration(),
        "versions": here.versions(),
        "processes": processes(now),
        "backlog": backlog(settings.TALLYGATE_HOME / "journal"),
        "now": now,
        "zone": timezone.get_current_timezone(),
    }
    return render(request, "settings/settings.html", context)


def _gravity(finding: Finding) -> int:
    """What is wrong first, then what somebody should know of."""
    return 0 if not finding.is_ok else 1 if finding.is_note else 2
