"""What the page of a session draws: how much of each call the cache knew."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.session_course import Step

register = template.Library()

_HEIGHT = 100
# Of the room of a call; where there are few calls a bar takes less of it, lest it be a wall.
_WIDEST, _THINNER_BELOW = 0.78, 18


@register.simple_tag
def cache_bars(steps: Sequence[Step]) -> SafeString:
    """A bar a call, as high as the share of its input that came from the cache; a call that sent nothing has none."""
    width = _WIDEST * min(1, len(steps) / _THINNER_BELOW)
    bars = []
    for at, step in enumerate(steps):
        height = _HEIGHT * step.usage.cache_read / step.usage.sent if step.usage.sent else 0
        bars.append((f"{at + (1 - width) / 2:.2f}", f"{_HEIGHT - height:.1f}", f"{width:.2f}", f"{height:.1f}"))
    return format_html(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>',
        len(steps),
        _HEIGHT,
        format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}"/>', bars),
    )
