"""Small pieces of a page: icons, badges, sparklines, share bars, inert names, the menu, the theme."""

from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.template.context import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from audit.models import RequestRecord
from console import numbers
from console.attempts import Attempt
from console.navigation import menu
from console.outcomes import SIDES, Ending, Story
from console.pages.theme import COOKIE, THEMES
from console.templatetags.figures import NONE_YET, language, money4, money_text

register = template.Library()

SPARK_WIDTH = 100
SPARK_HEIGHT = 28
_MOST_POINTS = 40
_MEAN_FROM_DAYS = 14
_LINE_BREAKS = (0x09, 0x0A, 0x0D)
_STEERING = dict.fromkeys(
    [*(code for code in range(0x20) if code not in _LINE_BREAKS), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)],
    "\N{REPLACEMENT CHARACTER}",
)


@register.simple_tag
def icon(name: str) -> SafeString:
    return format_html('<svg class="i" aria-hidden="true"><use href="#i-{}"/></svg>', name)


@register.filter
def unsteered(text: object) -> str:
    """For attributes and drawings, where no element can keep a writing direction to itself."""
    return str(text).translate(_STEERING)


@register.simple_tag
def badge(look: str, name: str, text: str) -> SafeString:
    return format_html('<span class="badge {}">{}{}</span>', look, icon(name), unsteered(text))


@register.simple_tag
def outcome(record: RequestRecord) -> SafeString:
    """How a request ended, for a list: success is a plain check, everything else a badge with its side's icon and colour."""
    ending = Ending(record)
    mark = ending.mark
    if record.outcome == "ok":
        return format_html('<span class="state ok">{}{}</span>', icon(mark.icon), mark.text)
    return format_html('{}<span class="sr"> {}</span>', badge(*mark), ending.side.sentence)


@register.simple_tag
def outcome_badges(record: RequestRecord, story: Story | None) -> SafeString:
    """How a request ended, for its own page: the status, then whose side it was on."""
    ending = Ending(record)
    badges = [badge(*ending.mark)]
    if record.outcome != "ok":
        badges.append(badge(ending.side.look, ending.side.icon, str(ending.side.word)))
    elif story:
        badges.append(badge(story.look, story.icon, _("%(side)s, recovered") % {"side": story.who}))
    return format_html_join("", "{}", ((one,) for one in badges))


@register.simple_tag
def attempt_badge(attempt: Attempt) -> SafeString:
    """Its status, in the colours of whoever's side its failure was on."""
    if attempt.failed:
        side = SIDES[attempt.side]
        return badge(side.look, side.icon, str(attempt.status) if attempt.was_refused else _("failed"))
    return badge("ok", "ok", str(attempt.status or 200))


@register.simple_tag
def attempt_side(attempt: Attempt) -> str:
    return str(SIDES[attempt.side].sentence)


@register.simple_tag
def attempt_cost(attempt: Attempt) -> str:
    """What one attempt added to the request's cost."""
    if attempt.is_unpriced:
        return format_html('<span class="state warn">{}</span>', _("unpriced"))
    return money4(attempt.cost_nano) if attempt.cost_nano else format_html('<span class="quiet">{}</span>', _("costs nothing"))


@register.simple_tag
def cost(record: RequestRecord) -> str:
    """What a request cost; a request without a price says so instead of showing 0."""
    if record.is_unpriced:
        return format_html('<span class="state warn">{}</span>', _("unpriced"))
    if record.cost_nano == 0:
        return format_html('<span class="quiet">{}</span>', money_text(0))
    return money4(record.cost_nano)


@register.filter
def inert(name: object) -> SafeString:
    """A name that somebody typed: escaped, its writing direction kept to itself, characters that steer the reader shown as such."""
    return format_html("<bdi>{}</bdi>", unsteered(name)) if name else NONE_YET


@register.filter
def coded(text: str) -> SafeString:
    """A sentence whose commands stand between backticks, as the command line prints it."""
    parts = unsteered(text).split("`")
    return format_html_join("", "{}", ((format_html("<code>{}</code>", one) if at % 2 else one,) for at, one in enumerate(parts)))


@register.filter
def address(email: str) -> SafeString:
    """An e-mail address, which breaks before its @ where it has to."""
    name, at, host = unsteered(email).rpartition("@")
    return format_html("<bdi>{}<wbr>{}{}</bdi>", name, at, host) if email else NONE_YET


@register.simple_tag
def share(part: int, whole: int) -> SafeString:
    """A share bar with its number."""
    return format_html(
        '<span class="share"><svg aria-hidden="true"><rect width="{}" height="100%"/></svg><span>{}</span></span>',
        numbers.width(part, whole),
        numbers.percent(part, whole, language()),
    )


@register.simple_tag
def split(*pairs: object) -> SafeString:
    """One bar of parts, given as pairs of colour class and amount; the list beside it says what they are."""
    parts = [(str(look), int(str(amount))) for look, amount in zip(pairs[::2], pairs[1::2], strict=True)]
    whole = sum(amount for _look, amount in parts)
    rects, reached = [], 0
    for look, amount in parts:
        rects.append((numbers.width(reached, whole), numbers.width(amount, whole), look))
        reached += amount
    return format_html(
        '<svg class="split" aria-hidden="true">{}</svg>', format_html_join("", '<rect x="{}" width="{}" height="14" class="{}"/>', rects)
    )


def _thinned(values: list[int]) -> list[int]:
    """No more points than so small a drawing can show, the first and the last among them."""
    last, steps = len(values) - 1, _MOST_POINTS - 1
    return values if last <= steps else [values[at * last // steps] for at in range(_MOST_POINTS)]


def _path(values: list[int]) -> tuple[str, str]:
    top = max(values) or 1
    step = (SPARK_WIDTH - 2) / max(len(values) - 1, 1)
    points = [(0.5 + at * step, SPARK_HEIGHT - 3 - value * (SPARK_HEIGHT - 6) / top) for at, value in enumerate(values)]
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points), f"M{points[-1][0]:.1f} {points[-1][1]:.1f} h.01"


@register.simple_tag
def spark(values: list[int], kind: str = "mean") -> SafeString:
    """A sparkline; `sum` adds up (money), of `mean` longer ranges show their seven-day mean, `plain` is as it is."""
    if len(values) < 2:
        return SafeString("")
    shown = numbers.running_sum(values) if kind == "sum" else values
    if kind == "mean" and len(values) >= _MEAN_FROM_DAYS:
        shown = numbers.running_mean(values)
    line, end = _path(_thinned(shown))
    return format_html(
        '<svg class="spark" viewBox="0 0 {w} {h}" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="area" d="{line} L{right} {h} L0.5 {h}Z"/><path d="{line}"/><path class="end" d="{end}"/></svg>',
        w=SPARK_WIDTH,
        h=SPARK_HEIGHT,
        right=SPARK_WIDTH - 1.5,
        line=line,
        end=end,
    )


@register.simple_tag
def delta(now: int, before: int, worse: str = "") -> SafeString:
    """The change against the period before; coloured from 3 % up where `worse` says which direction is bad."""
    if not before:
        return SafeString("")
    arrow = "up" if now >= before else "down"
    telling = bool(worse) and abs(now - before) * 100 >= 3 * before
    look = ("worse" if arrow == worse else "better") if telling else ""
    change = numbers.percent(abs(now - before), before, language())
    return format_html('<span class="delta {}"><b class="{}">{}</b></span>', look, arrow, change)


@register.filter
def each(items: list[Any], name: str) -> list[Any]:
    """One attribute of every item; `usage.calls` reaches through."""
    for step in name.split("."):
        items = [getattr(item, step) for item in items]
    return items


@register.simple_tag(takes_context=True)
def chosen_theme(context: Context) -> str:
    request: HttpRequest | None = context.get("request")
    theme = request.COOKIES.get(COOKIE, "") if request else ""
    return theme if theme in THEMES else ""


@register.simple_tag
def languages() -> list[tuple[str, str]]:
    """Each called as its own speakers call it, which Django's tag would translate."""
    return list(settings.LANGUAGES)


@register.inclusion_tag("parts/menu.html", takes_context=True)
def navigation(context: Context, form: str = "nav") -> dict[str, object]:
    """The menu, as the side bar (`nav`) or as the list behind the phone's button (`top`)."""
    request: HttpRequest = context["request"]
    match = request.resolver_match
    return {"groups": menu(request), "current": match.view_name if match else "", "form": form}
