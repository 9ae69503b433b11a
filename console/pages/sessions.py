"""Sessions: agent runs with their cost, one a row; the same as a file; and one run from call to call."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from console.access import page, reach, traffic
from console.dimensions import NOTHING
from console.paging import page_number
from console.period import NAMES
from console.price_lines import digits
from console.session_course import calls_of, course, parts, spent
from console.session_filter import MOST_BY_COST, PAGE, SORTS, TEXTS, SessionFilter
from console.sessions import Run, Sought, complete, run_key_of, runs_of
from console.spreadsheets import Cell, Sheet, csv_file, usd
from console.suggestions import suggestions

# Runs of one file, whose name says so if there are more; and of one look at the database.
MOST, CHUNK = 10_000, 500


@page()
def session_list(request: HttpRequest) -> HttpResponse:
    known, zone, now = reach(request), timezone.get_current_timezone(), timezone.now()
    asked, sought = _sought(request, now)
    found = asked.found(sought, PAGE + 1)
    rows = complete(found[:PAGE], sought.seen)
    context = {
        "asked": asked,
        "most_by_cost": MOST_BY_COST if request.GET.get("sort") == "cost" != asked.sort else 0,
        "chips": asked.chips(known),
        "rows": rows,
        "further": asked.further(rows[-1]) if len(found) > PAGE else "",
        "fields": [(name, label, dict(asked.texts).get(name, "")) for name, label in TEXTS.items()],
        "span": asked.span(now, zone),
        "periods": NAMES,
        "sorts": SORTS,
        "suggestions": suggestions(known),
        "sees_all": known.sees_money or known.is_admin,
        "leads": bool(known.managed),
        "page_size": PAGE,
        "zone": zone,
    }
    return render(request, "sessions/list.html", context)


@page()
def session_csv(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    asked, sought = _sought(request, now)
    heads = [_("Session"), _("First request"), _("Last request"), _("Seconds"), _("User"), _("Key"), _("Team"), _("Client"), _("Models")]
    heads += [_("Requests"), _("Problems"), _("Unpriced requests"), _("Cost (USD)"), _("Fresh input tokens"), _("Cache write tokens")]
    heads += [_("Cache read tokens"), _("Output tokens"), _("Agents"), _("Tools")]
    found = asked.found(sought, MOST + 1)
    span = asked.span(now, timezone.get_current_timezone())
    name = f"sessions-{span.first_day.isoformat()}-{span.last_day.isoformat()}"
    name += f"-first-{MOST}" if len(found) > MOST else ""
    return csv_file(Sheet(name, heads, _lines(found[:MOST], sought)))


def _sought(request: HttpRequest, now: datetime) -> tuple[SessionFilter, Sought]:
    asked = SessionFilter.read(request.GET)
    span = asked.span(now, timezone.get_current_timezone())
    seen = traffic(reach(request))
    asked = asked.within(seen, span)
    return asked, asked.sought(seen, span)


def _lines(found: list[Run], sought: Sought) -> Iterator[Sequence[Cell]]:
    for start in range(0, len(found), CHUNK):
        for run in complete(found[start : start + CHUNK], sought.seen):
            used = run.usage
            who = [run.user or run.user_id, run.key or run.key_id, run.team or run.team_id, run.program, ", ".join(run.models)]
            when: list[Cell] = [run.first_at.isoformat(), run.last_at.isoformat(), round(run.duration_ms / 1000)]
            counts: list[Cell] = [used.calls, run.problems, used.unpriced, usd(used.cost_nano)]
            tokens = [used.fresh, used.cache_write, used.cache_read, used.output]
            yield [run.session_id, *when, *who, *counts, *tokens, run.agents, ", ".join(name for name, _times in run.tools)]


@page()
def session_detail(request: HttpRequest, name: str) -> HttpResponse:
    """`name` is any request of the run, or the session id; where several runs that the visitor may see share that, the list of them."""
    seen, name = traffic(reach(request)), name.replace("\x00", "")
    run_key = run_key_of(name, seen)
    found = [run for run in runs_of(run_key[0] if run_key else name, seen) if run_key in (None, run.run_key)]
    if run_key and not found:  # it only counted tokens
        return redirect(f"{reverse('requests')}?{urlencode({'session': run_key[0], 'counts': '1'})}")
    if not found:
        raise Http404
    if len(found) > 1:
        return redirect(f"{reverse('sessions')}?{urlencode({'q': name})}")
    run = complete(found, seen)[0]
    its = calls_of(run, seen)
    told = spent(run, its)
    context = {
        "run": run,
        "course": course(run, its, page_number(request.GET.get("page", ""))),
        "agents": parts(its, "agent_id") if run.agents else [],
        "models": parts(its, "route"),
        "spent": told,
        "lines": list(told.kinds.values()),
        "unlisted_nano": run.usage.cost_nano - told.itemised_nano,
        "digits": digits(kind.amount_nano for kind in told.kinds.values()),
        "requests_query": urlencode([("session", run.session_id), ("key", run.key_id or NOTHING), ("user", run.user_id or NOTHING)]),
        "zone": timezone.get_current_timezone(),
    }
    return render(request, "sessions/detail.html", context)
