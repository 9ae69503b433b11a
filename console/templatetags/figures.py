"""Numbers, money and dates in templates, in the reader's language."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from audit.models import RequestRecord
from console import numbers
from console.currencies import DOLLARS, Currency
from console.display import display
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


def _in_display(nano: int, written: Callable[..., numbers.Money]) -> str:
    """A sum in the page's currency; if that is not the ledger's, the exact dollars stand in `title`."""
    shown = display()
    amount = written(nano, language(), shown.currency)
    html = format_html('{}<span class="cents">{}</span>{}', *amount) if amount.cents else amount.text
    if shown.currency == DOLLARS:
        return html
    shown.has_converted = True
    return format_html('<span title="{}">{}</span>', exact_dollars(nano), html)


def _without_grey(nano: int, lang: str, currency: Currency) -> numbers.Money:
    return numbers.Money(numbers.money(nano, lang, currency).text, "", "")


def _rounded(nano: int, lang: str, currency: Currency) -> numbers.Money:
    return numbers.Money(numbers.about(nano, lang, currency), "", "")


@register.filter
def money(nano: int | None) -> str:
    """A sum of nano-dollars with its cents in grey."""
    return NONE_YET if nano is None else _in_display(nano, numbers.money)


@register.filter
def money_text(nano: int) -> str:
    return _in_display(nano, _without_grey)


@register.filter
def money4(nano: int | None) -> str:
    """The price of one request."""
    return NONE_YET if nano is None else _in_display(nano, numbers.money4)


@register.filter
def about(nano: int) -> str:
    return _in_display(nano, _rounded)


@register.filter
def also_dollars(nano: int | None) -> str:
    """For beside a request's price: the exact dollars, where the page shows another currency."""
    if not nano or display().currency == DOLLARS:
        return ""
    return format_html('<span class="sub">{}</span>', exact_dollars(nano))


@register.filter
def exact_dollars(nano: int) -> str:
    """As the ledger has it, whatever the page shows."""
    return numbers.exact_dollars(nano, language())


@register.filter
def plotted(nano: int) -> str:
    """For a chart's data: in the page's currency and in a form that a script can read."""
    return numbers.plain(nano, display().currency)


@register.simple_tag
def money_axis() -> str:
    """The unit of a chart's axis; # stands for the number."""
    return numbers.unit_of_axis(language(), display().currency)


@register.simple_tag
def zero_money() -> str:
    """The lower end of a scale of money."""
    return money_axis().replace("#", "0")


@register.inclusion_tag("parts/conversion.html")
def conversion() -> dict[str, object]:
    """At which rate the sums of this page were converted; nothing where none was."""
    shown = display()
    rate = numbers.rate_of(shown.currency, language())
    return {"is_needed": shown.has_converted, "currency": shown.currency, "rate": rate, "as_of": settings.TALLYGATE_CURRENCIES_AS_OF}


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


def comma() -> str:
    """Between a day and a time."""
    return " " if language() == "ja" else ", "


@register.filter
def moment(value: datetime) -> str:
    """Day and time to the second."""
    local = timezone.localtime(value)
    return f"{day(local)}{comma()}{local:%H:%M:%S}"


@register.filter
def stamp(value: datetime) -> str:
    """Day without the year, and time: for lists that reach back some weeks."""
    local = timezone.localtime(value)
    return f"{axis_day(local) if local.year == timezone.localtime().year else day(local)}{comma()}{local:%H:%M:%S}"


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
        return f"{day(period.first_day)}{comma()}{period.start:%H:%M}"
    return _between(period.first_day, period.last_day, day)


@register.filter
def earlier_of(period: Period) -> str:
    """1 – 21 Oct: what a figure is compared with."""
    return _between(*period.earlier_days, axis_day)


def _between(first: date, last: date, written: Callable[[date], str]) -> str:
    """Two days and a dash; what both have in common is said once."""
    if first == last:
        return written(first)
    is_one_month = (first.year, first.month) == (last.year, last.month)
    if language() == "ja":
        is_short = written is day and first.year == last.year
        return f"{written(first)}～{date_format(last, 'j日' if is_one_month else 'n月j日') if is_short else written(last)}"  # noqa: RUF001
    if is_one_month:
        return f"{first.day}.–{written(last)}" if language() == "de" else f"{first.day} – {written(last)}"
    return f"{axis_day(first) if first.year == last.year else written(first)} – {written(last)}"
