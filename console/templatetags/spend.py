"""Pieces of the Spend page and of Home: names of groups, forecasts, changes in tables."""

from datetime import date, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console import numbers
from console.breakdown import Bar, Row
from console.period import Period
from console.templatetags.figures import NONE_YET, axis_day, language
from console.templatetags.marks import inert

register = template.Library()

_TELLING_PERCENT = 15


@register.filter
def moment_of(bar: Bar, period: Period) -> str:
    """For an axis: 20 Nov, or 20 Nov 13:00; of one day the time alone."""
    return f"{bar.at:%H:%M}" if isinstance(bar.at, datetime) and period.first_day == period.last_day else _moment(bar.at)


def _moment(at: date) -> str:
    return f"{axis_day(at)} {at:%H:%M}" if isinstance(at, datetime) else axis_day(at)


@register.filter
def called(row: Row) -> str:
    return inert(row.name) if isinstance(row.value, str) else _moment(row.value)


@register.simple_tag
def change(now: int, before: int) -> SafeString:
    """The change of a row's cost; coloured only where it is great, for a table has many."""
    if before <= 0:
        return NONE_YET
    look = ""
    if abs(now - before) * 100 >= _TELLING_PERCENT * before:
        look = "worse" if now > before else "better"
    share = numbers.percent(abs(now - before), before, language())
    return format_html('<span class="delta {}"><b class="{}">{}</b></span>', look, "up" if now >= before else "down", share)
