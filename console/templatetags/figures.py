"""Numbers, money and dates in templates, in the reader's language."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from audit.models import RequestRecord
from console import numbers
from console.figures import Usage, usage_of
from console.period import Period
from console.price_lines import Line

register = template.Library()

_DAY = {"ja": "Y年n月j日", "de": "j. N Y"}
_AXIS_DAY = {"ja": "n/j", "de": "j. N"}
_MONTH = {"ja": "Y年n月"}
NONE_YET = SafeString(f'<span class="quiet">{numbers.NONE_YET}</span>')


def language() -> str:
    return (get_language() or "en").split("-")[0]


def _money_html(amount: numbers.Money) -> str:
    if not amount.cents:
        return amount.text
    return format_html('{}<span class="cents">{}</span>{}', amount.whole, amount.cents, amount.after)


@register.filter
def money(nano: int | None) -> str:
    """A sum of nano-dollars with its cents in grey."""
    return NONE_YET if nano is None else _money_html(numbers.money(nano, language()))


@register.filter
def money_text(nano: int) -> str:
    return numbers.money(nano, language()).text


@register.filter
def money4(nano: int | None) -> str:
    """The price of one request."""
    return NONE_YET if nano is None else numbers.money4(nano, language()).text


@register.filter
def dollars(nano: int) -> str:
    """For a chart's data: every digit, in a form that a script can read."""
    return numbers.plain_dollars(nano)


@register.filter
def amount(nano: int, digits: int) -> str:
    return numbers.line_amount(nano, digits, language())


@register.filter
def rate(line: Line) -> str:
    """The unit price of a price line: dollars per million tokens, or dollars a piece."""
    if line.is_by_piece:
        return _("%(price)s each") % {"price": numbers.money(line.piece_nano, language()).text}
    return numbers.unit_price(line.unit_pico, language())


@register.filter
def count(value: int | None) -> str:
    return NONE_YET if value is None else numbers.count(value, language())


@register.filter
def short_count(value: int) -> str:
    return numbers.short_count(value, language())


@register.filter
def share_of(part: int, whole: int) -> str:
    return numbers.percent(part, whole, language())


@register.filter
def duration(milliseconds: float | None) -> str:
    return NONE_YET if milliseconds is None else numbers.duration(milliseconds, language())


@register.filter
def tick_time(milliseconds: int) -> str:
    """A round time on an axis: 0, 500 ms, 2 s."""
    if milliseconds == 0:
        return "0"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    digits = int(milliseconds % 1000 > 0)
    return f"{numbers.decimal(milliseconds * 10**digits // 1000, digits, language())} s"


@register.filter
def used(record: RequestRecord) -> Usage:
    return usage_of(record)


@register.filter
def size(octets: int) -> str:
    return numbers.size(octets, language())


@register.filter
def day(value: date) -> str:
    return date_format(value, _DAY.get(language(), "j M Y"))


@register.filter
def axis_day(value: date) -> str:
    return date_format(value, _AXIS_DAY.get(language(), "j M"))


@register.filter
def month(value: date) -> str:
    return date_format(value, _MONTH.get(language(), "F Y"))


@register.filter
def moment(value: datetime) -> str:
    """Day and time to the second."""
    local = timezone.localtime(value)
    return f"{day(local)}, {local:%H:%M:%S}"


@register.filter
def stamp(value: datetime) -> str:
    """Day without the year, and time: for lists that reach back some weeks."""
    local = timezone.localtime(value)
    return f"{axis_day(local) if local.year == timezone.localtime().year else day(local)}, {local:%H:%M:%S}"


@register.simple_tag
def after(value: datetime, milliseconds: float) -> datetime:
    """A later moment: a record keeps its times as milliseconds since it was received."""
    return value + timedelta(milliseconds=milliseconds)


@register.filter
def ago(value: datetime) -> str:
    """How long ago, up to a day; then the date. The exact time stands in `title`."""
    seconds = int((timezone.now() - value).total_seconds())
    if seconds < 60:
        text = _("now")
    elif seconds < 3600:
        text = ngettext("%(n)s min ago", "%(n)s min ago", seconds // 60) % {"n": seconds // 60}
    elif seconds < 24 * 3600:
        text = ngettext("%(n)s h ago", "%(n)s h ago", seconds // 3600) % {"n": seconds // 3600}
    else:
        text = axis_day(timezone.localtime(value))
    return format_html('<time datetime="{}" title="{}">{}</time>', format_date(value, "c"), moment(value), text)


@register.filter
def span_of(period: Period) -> str:
    """1 – 21 Nov 2026; of an hour, the day and when it began."""
    if "T" in period.key:
        return f"{day(period.first_day)}, {period.start:%H:%M}"
    return _between(period.first_day, period.last_day, day)


@register.filter
def earlier_of(period: Period) -> str:
    """1 – 21 Oct: what a figure is compared with."""
    return _between(*period.earlier_days, axis_day)


def _between(first: date, last: date, written: Callable[[date], str]) -> str:
    """Two days and a dash; what both have in common is said once."""
    if first == last:
        return written(first)
    dash = "～" if language() == "ja" else " – "  # noqa: RUF001
    if language() == "en" and (first.year, first.month) == (last.year, last.month):
        return f"{first.day}{dash}{written(last)}"
    start = axis_day(first) if language() != "ja" and first.year == last.year else written(first)
    return f"{start}{dash}{written(last)}"
