"""Requests: the list with its filters in the URL, and one request in full."""

from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from audit.models import RequestRecord
from console.access import administrators_only
from console.attempts import tally
from console.figures import usage_of
from console.filters import EVERYTHING, OUTCOMES, PAGE, SIDES, TEXTS, RequestFilter
from console.outcomes import Ending
from console.period import NAMES
from console.price_lines import bill
from console.timeline import timeline
from keys.models import Team
from routing.models import Route

SUGGESTED = 100


@administrators_only
def request_list(request: HttpRequest) -> HttpResponse:
    asked = RequestFilter.read(request.GET)
    zone = timezone.get_current_timezone()
    found = list(asked.rows(timezone.now(), zone)[: PAGE + 1])
    rows = found[:PAGE]
    context = {
        "asked": asked,
        "rows": rows,
        "older": asked.older(rows[-1]) if len(found) > PAGE else "",
        "fields": [(name, label, dict(asked.texts).get(name, "")) for name, (label, _columns) in TEXTS.items()],
        "periods": NAMES,
        "everything": EVERYTHING,
        "outcomes": OUTCOMES,
        "sides": SIDES,
        "suggestions": _suggestions(),
        "page_size": PAGE,
        "zone": zone,
    }
    return render(request, "requests/list.html", context)


def _suggestions() -> dict[str, list[str]]:
    return {
        "model": list(Route.objects.values_list("name", flat=True)[:SUGGESTED]),
        "team": list(Team.objects.values_list("name", flat=True)[:SUGGESTED]),
    }


@administrators_only
def request_detail(request: HttpRequest, request_id: str) -> HttpResponse:
    record = get_object_or_404(RequestRecord, pk=request_id.replace("\x00", ""))
    times = timeline(record)
    context = {
        "record": record,
        "times": times,
        "tally": tally(times.attempts),
        "story": Ending(record).story(times.attempts),
        "bill": bill(record),
        "used": usage_of(record),
        "tools": Counter(str(tool) for tool in record.tools).most_common(),
        "zone": timezone.get_current_timezone(),
    }
    return render(request, "requests/detail.html", context)
