"""How somebody reads our pages: language, time zone, currency. They give nobody a right, so no event is written."""

from functools import cache
from zoneinfo import available_timezones

from django.conf import settings
from django.utils.translation import gettext as _

from audit.rows import ChangeRefused
from keys.models import User

_REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_OF_A_MACHINE = {"Factory", "localtime", "posixrules"}


@cache
def time_zones() -> frozenset[str]:
    """Looked up on disk, some hundred files."""
    return frozenset(available_timezones() - _OF_A_MACHINE)


@cache
def places() -> tuple[str, ...]:
    """The zones that are named after a place, and UTC: for suggestions."""
    return ("UTC", *sorted(name for name in time_zones() if name.split("/")[0] in _REGIONS))


def set_preferences(person: User, *, language: str, time_zone: str, currency: str) -> None:
    """An empty value is what the browser, the gateway or the ledger says."""
    if language and language not in dict(settings.LANGUAGES):
        raise ChangeRefused(_("The pages do not speak this language."), field="language")
    if time_zone and time_zone not in time_zones():
        raise ChangeRefused(_("There is no such time zone. Write a name such as Europe/Berlin, Asia/Tokyo or UTC."), field="time_zone")
    if currency and currency not in settings.TALLYGATE_CURRENCIES:
        raise ChangeRefused(_("No rate is known for this currency."), field="currency")
    chosen = {"language": language, "time_zone": time_zone, "currency": currency}
    # Without a signal: what nobody's calls depend on need not reach the data plane.
    User.objects.filter(pk=person.pk).update(**chosen)
    for name, value in chosen.items():
        setattr(person, name, value)
