"""Questions about many request records."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from audit.rollups import TOKEN_COUNTS

if TYPE_CHECKING:
    from audit.models import RequestRecord  # noqa: F401 - the text in the bases below

_TOKEN_COUNTS = Q(*(("endpoint__endswith", ending) for ending in TOKEN_COUNTS), _connector=Q.OR)


class RequestQuerySet(models.QuerySet["RequestRecord"]):
    def received_between(self, start: datetime, end: datetime) -> "RequestQuerySet":
        return self.filter(received_at__gte=start, received_at__lt=end)

    def without_token_counts(self) -> "RequestQuerySet":
        """Calls that can cost something: clients ask for token counts by the dozen, and they are free."""
        return self.exclude(_TOKEN_COUNTS)

    def before(self, received_at: datetime, record_id: str) -> "RequestQuerySet":
        """What comes after that record in a list sorted newest first."""
        return self.filter(received_at__lte=received_at).exclude(received_at=received_at, id__gte=record_id)
