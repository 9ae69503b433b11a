"""Chargeback: a month by cost centre, for finance; closing it, the same figures as files, and the text that its hash is taken over."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from audit.rows import ChangeRefused
from billing.frozen_text import is_intact, text_of
from billing.models import FrozenMonth
from billing.month_close import closes_at, freeze_month, silent_in, unfreeze_month
from billing.months import Month
from console.access import administrators, keeps_books, page, reach, traffic
from console.chargeback import chargeback, strip
from console.chargeback_filter import ChargebackFilter, zones
from console.chargeback_sheet import sheet
from console.dimensions import NOTHING
from console.spreadsheets import csv_file, xlsx_file
from console.visitor import said, visitor

LONGEST_REASON = 300
WHY = gettext_lazy("This page shows everybody's money, so it opens for finance and administrators.")


@page(keeps_books, why=WHY)
def chargeback_page(request: HttpRequest) -> HttpResponse:
    asked, now = _asked(request), timezone.now()
    figures = chargeback(asked)
    month, frozen = asked.month, figures.bill.frozen
    context = {
        "asked": asked,
        "month": month,
        "figures": figures,
        "frozen": frozen,
        "is_intact": bool(frozen and is_intact(frozen)),
        "strip": strip(asked, now),
        "year_before": asked.of_month(_years_later(month, -1)),
        "year_after": asked.of_month(_years_later(month, 1)) if month.first.year < now.astimezone(month.zone).year else "",
        "has_ended": month.has_ended(now),
        "can_close": closes_at(month) <= now,
        "silent": [] if frozen else silent_in(month, now),
        "all_centres": asked.of_centre(""),
        "no_centre": asked.of_centre(NOTHING),
        "named_month": asked.named,
        "is_admin": reach(request).is_admin,
        "zones": zones(month),
        "zone": month.zone.key,
        "own_zone": timezone.get_current_timezone_name(),
        "reason_length": LONGEST_REASON,
    }
    return render(request, "chargeback/chargeback.html", context)


@page(keeps_books, why=WHY)
def chargeback_csv(request: HttpRequest) -> HttpResponse:
    return csv_file(sheet(_asked(request)))


@page(keeps_books, why=WHY)
def chargeback_xlsx(request: HttpRequest) -> HttpResponse:
    return xlsx_file(sheet(_asked(request)))


@page(keeps_books, why=WHY)
def chargeback_text(request: HttpRequest) -> HttpResponse:
    """As it was hashed, byte for byte."""
    frozen = _frozen(_asked(request))
    name = f"chargeback-{frozen.month}-{frozen.time_zone.replace('/', '-')}.txt"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(text_of(frozen), content_type="text/plain; charset=utf-8", headers=headers)


@require_POST
@page(keeps_books, why=WHY)
def chargeback_freeze(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    _check_is_named(request, asked)
    try:
        freeze_month(asked.month, actor=visitor(request).actor, without_silent=request.POST.get("without_silent") == "yes")
    except ChangeRefused as refusal:
        messages.error(request, said(refusal))
    else:
        messages.success(request, _("The month is frozen. What comes later is charged in a later month, as an adjustment."))
    return redirect(f"{reverse('chargeback')}?{asked.query}")


@require_POST
@page(administrators)
def chargeback_unfreeze(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    _check_is_named(request, asked)
    reason = " ".join(request.POST.get("reason", "").replace("\x00", "").split())[:LONGEST_REASON]
    try:
        unfreeze_month(_frozen(asked), actor=visitor(request, reason=reason).actor)
    except ChangeRefused as refusal:
        messages.error(request, said(refusal))
    else:
        messages.success(request, _("The month is open again. The audit trail keeps its sums and its hash."))
    return redirect(f"{reverse('chargeback')}?{asked.query}")


def _asked(request: HttpRequest) -> ChargebackFilter:
    return ChargebackFilter.read(request.GET, traffic(reach(request)), timezone.now())


def _check_is_named(request: HttpRequest, asked: ChargebackFilter) -> None:
    """What is changed must be what was named: nothing is guessed here."""
    if request.GET.get("month") != asked.month.key or request.GET.get("zone") != asked.month.zone.key:
        raise Http404


def _frozen(asked: ChargebackFilter) -> FrozenMonth:
    return get_object_or_404(FrozenMonth, month=asked.month.key, time_zone=asked.month.zone.key)


def _years_later(month: Month, years: int) -> Month:
    return Month(month.first.replace(year=month.first.year + years), month.zone)
