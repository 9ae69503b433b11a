"""How a page speaks: language, time zone, currency. A socket gets it from its page, so that what is pushed reads as what was there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import QueryDict
from django.utils import timezone, translation

from console.currencies import DOLLARS
from console.display import display, shown_in
from keys.preferences import time_zones


@dataclass(frozen=True, slots=True)
class Look:
    language: str = "en"
    zone: str = "UTC"
    currency: str = DOLLARS.code

    @classmethod
    def of_page(cls) -> "Look":
        return cls(translation.get_language() or "en", timezone.get_current_timezone_name(), display().currency.code)

    @classmethod
    def read(cls, query: str) -> "Look":
        """What is unknown here is as the gateway has it."""
        given = QueryDict(query)
        language, zone, currency = (given.get(name, "") for name in ("language", "zone", "currency"))
        return cls(
            language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE,
            zone if zone in time_zones() else settings.TIME_ZONE,
            currency if currency in settings.TALLYGATE_CURRENCIES else DOLLARS.code,
        )

    @property
    def query(self) -> str:
        return urlencode({"language": self.language, "zone": self.zone, "currency": self.currency})

    @contextmanager
    def on(self) -> Iterator[None]:
        currency = settings.TALLYGATE_CURRENCIES.get(self.currency, DOLLARS)
        with translation.override(self.language), timezone.override(ZoneInfo(self.zone)), shown_in(currency):
            yield
