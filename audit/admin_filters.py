"""Filters of admin lists over tables of millions: by times in the reader's zone, and by values that are known without a look."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.utils import parse_datetime_str

ENDS = (("from", "gte", "00:00:00"), ("to", "lte", "23:59:59"))


class TimesFilter(RangeDateTimeFilter):
    """A day without a time is all of it."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for end, lookup, whole in ENDS:
            if moment := self._typed(end, whole):
                queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": moment})
        return queryset

    def _typed(self, end: str, whole: str) -> datetime | None:
        day, time = (self.used_parameters.get(f"{self.parameter_name}_{end}_{part}") for part in (0, 1))
        moment: datetime | None = parse_datetime_str(f"{day} {time or whole}") if day else None
        return timezone.make_aware(moment) if moment else None


class OneOfFilter(admin.SimpleListFilter):
    """To ask a table of millions which values it holds would read all of it."""

    words: Mapping[str, Promise]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(self.words.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset
