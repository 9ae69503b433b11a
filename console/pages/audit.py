"""Audit: who changed what, when and from where, for administrators; one event field by field; the check of the chain; the list as a file.

Nobody else sees it: an event tells what a thing was then, and whose it is now says nothing of whose secrets those are.
"""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from audit.chain import BATCHES_OF_A_PAGE, COUNTED, check_chain, last_check
from audit.events import EVENTS
from audit.models import AuditEvent
from audit.trail import digest
from console.access import administrators_only
from console.audit_filter import EVERYTHING, PAGE, AuditFilter
from console.audit_lines import HEADS, audit_lines, cells
from console.audit_objects import KINDS
from console.period import NAMES, period
from console.spreadsheets import Sheet, csv_file, xlsx_file
from console.visitor import visitor

# Lines of a file; the page after them is asked for by a shorter period.
IN_FILES = 50_000
ROWS_AT_ONCE = 2000


@administrators_only
def audit_list(request: HttpRequest) -> HttpResponse:
    asked = AuditFilter.read(request.GET)
    now, zone = timezone.now(), timezone.get_current_timezone()
    found = list(asked.events(now, zone)[: PAGE + 1])
    context = {
        "asked": asked,
        "lines": audit_lines(found[:PAGE]),
        "older": asked.older(found[PAGE - 1]) if len(found) > PAGE else "",
        "check": last_check(),
        "counted": COUNTED,
        "span": None if asked.period == EVERYTHING else period(asked.period, now, zone),
        "periods": NAMES,
        "everything": EVERYTHING,
        "actions": sorted(((name, _(told)) for name, told in EVENTS.items()), key=lambda pair: pair[1]),
        "kinds": [(name, kind.label) for name, kind in KINDS.items()],
        "page_size": PAGE,
        "in_files": IN_FILES,
        "zone": zone,
    }
    return render(request, "audit/list.html", context)


@administrators_only
def audit_event(request: HttpRequest, event_id: int) -> HttpResponse:
    event = get_object_or_404(AuditEvent, pk=event_id)
    [line] = audit_lines([event])
    before = AuditEvent.objects.filter(pk__lt=event.pk).order_by("-pk").first()
    context = {
        "line": line,
        "event": event,
        "is_true": event.hash == digest(event),
        "is_linked": event.previous_hash == (before.hash if before else ""),
        "before": before,
        "zone": timezone.get_current_timezone(),
    }
    return render(request, "audit/event.html", context)


@require_POST
@administrators_only
def audit_check(request: HttpRequest) -> HttpResponse:
    """What came out is an event, and the page reads it from there; what is left waits for the next time."""
    if check_chain(visitor(request).actor, batches=BATCHES_OF_A_PAGE) is None:
        messages.success(request, _("There is nothing to check yet."))
    return redirect("audit")


@administrators_only
def audit_csv(request: HttpRequest) -> HttpResponse:
    return csv_file(_sheet(request))


@administrators_only
def audit_xlsx(request: HttpRequest) -> HttpResponse:
    return xlsx_file(_sheet(request))


def _sheet(request: HttpRequest) -> Sheet:
    """Everything that was asked for, not one page of it."""
    asked = AuditFilter.read(request.GET)
    events = asked.events(timezone.now(), timezone.get_current_timezone())[:IN_FILES].iterator(chunk_size=ROWS_AT_ONCE)
    return Sheet("audit", HEADS, (cells(event) for event in events))
