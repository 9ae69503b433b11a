"""Home: this month's money, today's, the last requests. Before the first request: the steps that lead to it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from console.access import administrators_only
from console.figures import newest, records, spend
from console.period import period
from keys.models import VirtualKey
from routing.models import Deployment

LAST = 8
TOP = 5


@administrators_only
def home(request: HttpRequest) -> HttpResponse:
    last = list(newest(records().without_token_counts())[:LAST])
    context = {"public_url": settings.TALLYGATE_PUBLIC_URL}
    if not last:
        return render(request, "home/first_run.html", context | _progress())
    zone = timezone.get_current_timezone()
    figures = spend(period("month", timezone.now(), zone), zone)
    return render(
        request,
        "home/home.html",
        context | {"figures": figures, "top": [row for row in figures.models if row.name][:TOP], "last": last, "zone": zone},
    )


def _progress() -> dict[str, object]:
    return {
        "key": VirtualKey.objects.filter(revoked_at=None).order_by("created_at").first(),
        "has_provider": Deployment.objects.exclude(provider="demo").exists(),
    }
