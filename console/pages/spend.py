"""Spend: what a period cost, by group and subgroup, day by day or hour by hour; the same figures as files."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from console.access import page, reach, traffic
from console.breakdown import Question, ahead, breakdown, every_row
from console.dimensions import DIMENSIONS, TIMES, label
from console.figures import Source
from console.period import NAMES, period
from console.savings import savings
from console.spend_filter import SpendFilter, sees_tags
from console.spreadsheets import Cell, Sheet, csv_file, usd, xlsx_file
from console.suggestions import suggestions
from console.this_month import this_month


@page()
def spend_page(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    known = reach(request)
    question = _question(request, now)
    saved = None if question.whole.of_tags else savings(question.whole, question.span)
    figures, expected = breakdown(question), this_month(question.whole, now).forecast
    groups = {key: label(key) for key in (*DIMENSIONS, *TIMES) if key != "tag" or sees_tags(known)}
    context = {
        "figures": figures,
        "forecast": expected,
        "ahead": ahead(figures, expected) if question.period.key == "month" and question.bucket == "day" else [],
        "savings": saved,
        "without_cache": figures.total.cost_nano + (saved.saved_nano if saved else 0),
        "asked": question.asked,
        "question": question,
        "chips": question.asked.chips(known),
        "fields": [(key, one.label, dict(question.asked.texts).get(key, "")) for key, one in DIMENSIONS.items() if key in groups],
        "groups": groups,
        "subgroups": {key: name for key, name in groups.items() if key != question.asked.by},
        "group": label(question.asked.by),
        "groups_title": DIMENSIONS[question.asked.by].plural if question.asked.by in DIMENSIONS else _("over time"),
        "dimension": DIMENSIONS.get(question.asked.by),
        "left_out": [label(key) for key in question.asked.left_out if key in DIMENSIONS],
        "period": question.period,
        "periods": NAMES,
        "suggestions": suggestions(known),
        "sees_all": known.sees_money,
        "leads": bool(known.managed),
        "now": now,
        "zone": question.whole.zone,
    }
    return render(request, "spend/spend.html", context)


@page()
def spend_csv(request: HttpRequest) -> HttpResponse:
    return csv_file(_sheet(_question(request, timezone.now())))


@page()
def spend_xlsx(request: HttpRequest) -> HttpResponse:
    return xlsx_file(_sheet(_question(request, timezone.now())))


def _question(request: HttpRequest, now: datetime) -> Question:
    known, zone = reach(request), timezone.get_current_timezone()
    asked = SpendFilter.read(request.GET, known)
    span = period(asked.period, now, zone)
    asked = asked.within(span)

    def source(*, of_tags: bool) -> Source:
        return asked.source(known, traffic(known), zone, of_tags=asked.has_tag or of_tags)

    whole = source(of_tags=False)
    table = source(of_tags=True) if asked.by == "tag" else whole
    return Question(asked, span, whole, table, source(of_tags=True) if asked.then == "tag" else table)


def _sheet(question: Question) -> Sheet:
    asked, span = question.asked, question.period
    first, last = span.first_day, span.last_day
    heads = [str(label(asked.by)), *([str(label(asked.then))] if asked.then else []), _("From"), _("To"), _("Time zone")]
    heads += [_("Spend (USD)"), _("Requests"), _("Unpriced requests")]
    heads += [_("Fresh input tokens"), _("Cache write tokens"), _("Cache read tokens"), _("Output tokens")]
    rows = []
    for group, part, usage in every_row(question):
        named: list[Cell] = [group, part] if asked.then else [group]
        kinds: list[Cell] = [usage.unpriced, usage.fresh, usage.cache_write, usage.cache_read, usage.output]
        if question.nested.of_tags:  # of tags these are not known apart
            kinds = [None, usage.fresh, None, None, usage.output]
        rows.append([*named, first, last, str(question.whole.zone), usd(usage.cost_nano), usage.calls, *kinds])
    return Sheet(f"spend-{first.isoformat()}-{last.isoformat()}", heads, rows)
