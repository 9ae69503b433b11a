"""Tally strokes: how much of a budget is used, and how much it will be at this pace."""

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from console.templatetags.standings import whole_percent

register = template.Library()

STROKES = 20
WARN_PERCENT = 80
_GROUP = 5


def look_of(percent: int) -> str:
    if percent >= 100:
        return "bad"
    return "warn" if percent >= WARN_PERCENT else ""


def strokes(percent: int, of: int) -> int:
    """How many of so many strokes stand for a share: one begun counts, the last only when all is used."""
    most = of if percent >= 100 else of - 1
    return max(0, min(most, -(-percent * of // 100)))


@register.simple_tag
def meter(used: int, forecast: int = 0) -> SafeString:
    """Twenty strokes of 5 % each; dashed ones are the forecast. The percentage is always written."""
    on = strokes(used, STROKES)
    may = max(on, strokes(forecast, STROKES))
    paths = (("on", range(on)), ("may", range(on, may)), ("off", range(may, STROKES)))
    drawn = format_html_join("", '<path class="tick {}" d="{}"/>', ((name, _uprights(places)) for name, places in paths if places))
    return format_html(
        '<span class="meter {}"><svg viewBox="0 0 94 14" aria-hidden="true">{}</svg><b>{}</b></span>',
        look_of(used),
        drawn,
        whole_percent(used),
    )


def _uprights(places: range) -> str:
    return "".join(f"M{1 + 4 * at + 5 * (at // _GROUP)} 1V13" for at in places)


@register.simple_tag
def tally(used: int, forecast: int) -> SafeString:
    """A hundred strokes, one a percent; a slash closes each five that are used."""
    on = max(0, min(100, used))
    may = max(on, min(100, forecast))
    groups = format_html_join(
        "", '<svg viewBox="0 0 40 44" preserveAspectRatio="none">{}</svg>', ((_five(first, on, may),) for first in range(0, 100, _GROUP))
    )
    said = _("%(used)s %% used, %(forecast)s %% forecast") % {"used": used, "forecast": forecast}
    return format_html('<div class="tally" role="img" aria-label="{}">{}</div>{}', said, groups, _beyond(used - 100))


def _beyond(percent: int) -> SafeString:
    """What was spent over the limit, in strokes of its own below; as many again at most."""
    if percent <= 0:
        return SafeString("")
    on = min(percent, 100)
    groups = format_html_join(
        "", '<svg viewBox="0 0 40 44" preserveAspectRatio="none">{}</svg>', ((_five(first, on, on),) for first in range(0, on, _GROUP))
    )
    said = _("%(percent)s%% beyond the limit") % {"percent": percent}
    return format_html('<div class="tally over" aria-hidden="true">{}</div><p class="over-by">{}</p>', groups, said)


def _five(first: int, on: int, may: int) -> SafeString:
    """Four uprights, then the slash: the fifth stroke of a group."""
    looks = ["on" if at < on else "may" if at < may else "off" for at in range(first, first + _GROUP)]
    names = ("on", "may", "off")
    drawn = {name: "".join(f"M{7 + 9 * at} 2V42" for at in range(_GROUP - 1) if looks[at] == name) for name in names}
    slash = SafeString('<path class="slash" d="M1 35 39 9"/>') if looks[-1] == "on" else SafeString("")
    return format_html("{}{}", format_html_join("", '<path class="{}" d="{}"/>', ((name, d) for name, d in drawn.items() if d)), slash)
