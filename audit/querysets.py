"""Questions about many request records."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from audit.models import RequestRecord

_TOKEN_COUNTS = Q(endpoint__endswith="count_tokens") | Q(endpoint__endswith="count-tokens") | Q(endpoint__endswith="countTokens")


class RequestQuerySet(models.QuerySet["RequestRecord"]):
    def received_between(self, start: datetime, end: datetime) -> "RequestQuerySet":
        return self.filter(received_at__gte=start, received_at__lt=end)

    def without_token_counts(self) -> "RequestQuerySet":
        """Calls that can cost something: clients ask for token counts by the dozen, and they are free."""
        return self.exclude(_TOKEN_COUNTS)

    def before(self, received_at: datetime, record_id: str) -> "RequestQuerySet":
        """What comes after that record in a list sorted newest first."""
        return self.filter(received_at__lte=received_at).exclude(received_at=received_at, id__gte=record_id)

    def usage_by(self, *fields: str) -> "models.QuerySet[RequestRecord, dict[str, Any]]":
        """Calls and tokens by kind, one row for each value of `fields`."""
        groups: models.QuerySet[RequestRecord, dict[str, Any]] = self.order_by().values(*fields)
        return groups.annotate(
            calls=models.Count("pk"),
            unpriced=models.Count("pk", filter=Q(is_unpriced=True)),
            fresh=models.Sum("input_tokens"),
            cache_read=models.Sum("cache_read_tokens"),
            cache_write=models.Sum(models.F("cache_write_5m_tokens") + models.F("cache_write_1h_tokens")),
            output=models.Sum("output_tokens"),
        )
