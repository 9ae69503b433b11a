"""Pieces of the Live page: rates, waits, strips of strokes, where a circuit stands."""

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from console import numbers
from console.live.board import Percentiles
from console.live.parts import Cells, Standing
from console.templatetags.figures import NONE_YET, language
from console.templatetags.marks import icon

register = template.Library()

# The words of strokes, with where each begins: the height tells, too. A minute without calls leaves a dot.
_STROKES = {"up1": 6, "slow": 3, "err": 0, "": 15}
_STRIP = 1000
_STRIP_HEIGHT = 18


@register.filter
def clock(value: datetime) -> str:
    return f"{timezone.localtime(value):%H:%M:%S}"


@register.filter
def clock_minute(value: datetime) -> str:
    return f"{timezone.localtime(value):%H:%M}"


@register.filter
def per_second(rate: float) -> str:
    """38.2, 0.03; something is never 0."""
    digits = 1 if rate >= 0.95 or not rate else 2
    return numbers.decimal(round(rate * 10**digits), digits, language())


@register.filter
def three(found: Percentiles | None) -> tuple[float | None, ...]:
    return found or (None, None, None)


@register.filter
def seconds(milliseconds: float | None) -> str:
    """For a chart's data."""
    return "" if milliseconds is None else f"{milliseconds / 1000:.4g}"


@register.filter
def big_duration(milliseconds: float | None) -> SafeString:
    """The number large, the unit small."""
    if not milliseconds:
        return NONE_YET
    amount, _space, unit = numbers.duration(milliseconds, language()).partition(" ")
    return format_html("{}<small> {}</small>", amount, unit)


@register.filter
def waits(minutes: list[Cells], name: str) -> list[int]:
    """`first.p50` of each minute, for a sparkline; a minute without calls takes that of the nearest before it, else after it."""
    kind, share = name.split(".")
    known: list[Percentiles | None] = [getattr(minute, kind) for minute in minutes]
    last = next(filter(None, known), None)
    found = []
    for one in known:
        last = one or last
        found.append(round(getattr(last, share)) if last else 0)
    return found


@register.simple_tag
def strip(strokes: list[str]) -> SafeString:
    """One stroke a minute; its height and its colour both tell how it went."""
    step = _STRIP / max(len(strokes), 1)
    paths = []
    for look, top in _STROKES.items():
        drawn = "".join(f"M{(at + 0.5) * step:.1f} {top}V{_STRIP_HEIGHT}" for at, stroke in enumerate(strokes) if stroke == look)
        paths += [(look or "off", drawn)] if drawn else []
    said = _("%(failed)s of %(minutes)s minutes with many failures") % {"failed": strokes.count("err"), "minutes": len(strokes)}
    return format_html(
        '<svg class="strip" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        _STRIP,
        _STRIP_HEIGHT,
        said,
        format_html_join("", '<path class="{}" d="{}"/>', paths),
    )


@register.simple_tag
def circuit(one: Standing) -> SafeString:
    """Whether calls go to a deployment: colour, icon and words."""
    look, name, words = _circuit(one)
    return format_html('<span class="state {}">{}{}</span>', look, icon(name), words)


def _circuit(one: Standing) -> tuple[str, str, Any]:
    if one.cooling is None:
        return ("ok", "ok", _("takes calls")) if one.is_active else ("quiet", "x", _("takes no calls"))
    if one.cooling.is_probed:
        return "warn", "warn", _("one trial call is under way")
    if one.cooling.left_s <= 0:
        return "warn", "warn", _("the next call is a trial")
    left = numbers.duration(max(1000.0, round(one.cooling.left_s) * 1000.0), language())
    return "bad", "bad", _("cools down, next try in %(time)s") % {"time": left}
