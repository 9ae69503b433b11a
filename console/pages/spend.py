"""Spend: what a period cost, by day and by model."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from console.access import administrators_only
from console.figures import spend
from console.period import NAMES, period


@administrators_only
def spend_page(request: HttpRequest) -> HttpResponse:
    zone = timezone.get_current_timezone()
    now = timezone.now()
    span = period(request.GET.get("period", "month"), now, zone)
    return render(request, "spend/spend.html", {"figures": spend(span, zone), "period": span, "periods": NAMES, "zone": zone, "now": now})
