"""Requests: the list with its filters in the URL, and one request in full."""

from collections import Counter

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from console.access import page, reach, traffic
from console.attempts import tally
from console.figures import records, usage_of
from console.filters import EVERYTHING, OUTCOMES, PAGE, PRICES, SIDES, TEXTS, RequestFilter
from console.outcomes import Ending
from console.period import NAMES, period
from console.price_lines import bill
from console.suggestions import suggestions
from console.timeline import timeline


@page()
def request_list(request: HttpRequest) -> HttpResponse:
    known = reach(request)
    asked = RequestFilter.read(request.GET)
    now, zone = timezone.now(), timezone.get_current_timezone()
    found = list(asked.rows(traffic(known), now, zone)[: PAGE + 1])
    rows = found[:PAGE]
    context = {
        "asked": asked,
        "chips": asked.chips(known),
        "rows": rows,
        "older": asked.older(rows[-1]) if len(found) > PAGE else "",
        "fields": [(name, label, dict(asked.texts).get(name, "")) for name, label in TEXTS.items()],
        "span": None if asked.period == EVERYTHING else period(asked.period, now, zone),
        "periods": NAMES,
        "everything": EVERYTHING,
        "outcomes": OUTCOMES,
        "sides": SIDES,
        "prices": PRICES,
        "suggestions": suggestions(known),
        "page_size": PAGE,
        "zone": zone,
    }
    return render(request, "requests/list.html", context)


@page()
def request_detail(request: HttpRequest, request_id: str) -> HttpResponse:
    record = get_object_or_404(records(traffic(reach(request))), pk=request_id.replace("\x00", ""))
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
