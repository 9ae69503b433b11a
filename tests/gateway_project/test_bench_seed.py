"""`python -m bench.seed`: what it writes adds up like the gateway's own."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from audit.models import RequestRecord, RollUp, TagRollUp
from audit.rollups import BOUNDS_MS
from bench.seed import Scale, fill, prepare, without_indexes
from billing.ledger import prove
from keys.models import VirtualKey

NOW = datetime(2026, 11, 18, 14, 30, tzinfo=UTC)


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.services
@pytest.mark.django_db
def test_many_records_add_up_with_ledger_and_rollups() -> None:
    prepare(Scale(2000, 24, 3))
    before = indexes()
    with without_indexes():
        fill(Scale(2000, 24, 3), NOW)
    assert indexes() == before
    assert connection.vendor == "postgresql"
    assert (RequestRecord.objects.count(), VirtualKey.objects.count()) == (2000, 24)
    assert prove() == []
    assert sum(TagRollUp.objects.values_list("calls", flat=True)) == 2000
    waits = list(RollUp.objects.values_list("waits", flat=True))
    assert sum(map(sum, waits)) == 2000
    assert {len(each) for each in waits} == {len(BOUNDS_MS) + 1}
    assert RequestRecord.objects.latest("received_at").received_at <= NOW
