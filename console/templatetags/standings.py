"""Days to come, whole percentages and prices, for the pages of budgets, teams and models."""

from datetime import datetime

from django import template
from django.utils import timezone

from console import numbers
from console.templatetags.figures import axis_day, comma, day, language

register = template.Library()


@register.filter
def local_day(value: datetime) -> str:
    """A day to come, in the page's time zone; the year only where it is another."""
    local = timezone.localtime(value)
    return axis_day(local) if local.year == timezone.localtime().year else day(local)


@register.filter
def moment_text(value: datetime) -> str:
    """Day and minute, in the page's time zone."""
    return f"{local_day(value)}{comma()}{timezone.localtime(value):%H:%M}"


@register.filter
def whole_percent(percent: int) -> str:
    return numbers.count(percent, language()) + ("\N{NO-BREAK SPACE}%" if language() == "de" else "%")


@register.filter
def per_million(pico: int) -> str:
    """A price per token as dollars per million."""
    return numbers.unit_price(pico, language())
