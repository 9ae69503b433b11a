"""Days of tags say what their quarters of an hour say, and what calls named, however they are written and read."""

from collections import Counter
from datetime import date, datetime, timedelta
from importlib import import_module
from io import StringIO
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, Q, Sum
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from audit.day_rebuild import rebuild_days
from audit.models import DayTagRollUp, DayZone, TagRollUp
from audit.rollup_days import DAY_KIND, DAY_SUMS, DAY_TAG_KIND
from audit.rollups import TAG_SUMS
from billing.journal import Entry
from billing.ledger import prove
from billing.posting import post
from billing.rollup_rebuild import rebuild
from console.figures import Source, Usage
from tests.billing.lines import closing
from tests.console.rows import as_admin, served
from tests.console.test_day_sums import EDGES, LORD_HOWE, MOMENTS, NEW_YORK

Call = tuple[float, list[str], int]

TAGS = st.lists(st.sampled_from(["ci", "nightly", "other"]), max_size=3)
CALLS = st.lists(st.tuples(MOMENTS, TAGS, st.integers(1, 10**12)), max_size=8)
SPANS = st.builds(
    lambda one, other: (min(one, other), max(one, other) + timedelta(hours=5)), st.sampled_from(EDGES), st.sampled_from(EDGES)
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def whole_days() -> None:
    rebuild_days("UTC")


def posted(*calls: Call) -> None:
    """In two batches, so that days are added to."""
    made = [call(number, *one) for number, one in enumerate(calls)]
    post(made[::2], "base")
    post(made[1::2], "base")


def call(number: int, at: float, tags: list[str], nano: int) -> Entry:
    made = closing(f"req_{number}", [nano], at=at)
    made.postings[0].at, made.summary.tags = at, tags
    return made


def by_tag(calls: list[Call], zone: ZoneInfo, span: tuple[datetime, datetime]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for at, tags, nano in calls:
        found.update(
            {(datetime.fromtimestamp(at, zone).date(), tag): nano for tag in tags if span[0].timestamp() <= at < span[1].timestamp()}
        )
    return found


def days() -> list[dict[str, Any]]:
    return list(DayTagRollUp.objects.order_by(*DAY_TAG_KIND).values(*DAY_TAG_KIND, *TAG_SUMS))


def read(zone: ZoneInfo, span: tuple[datetime, datetime]) -> tuple[dict[Any, int], dict[Any, int]]:
    source = Source(Q(), zone, of_tags=True)
    dated, undated = source.sums(span, "day", "tag"), source.sums(span, "tag")
    return {of: usage.cost_nano for of, usage in dated}, {of: usage.cost_nano for of, usage in undated}


def test_every_column_of_a_day_is_added_up() -> None:
    columns = {model: [field.name for field in model._meta.concrete_fields][1:] for model in apps.get_app_config("audit").get_models()}
    assert columns[DayTagRollUp] == [*DAY_TAG_KIND, *TAG_SUMS]
    assert list(columns[apps.get_model("audit", "DayRollUp")]) == [*DAY_KIND, *DAY_SUMS]


@pytest.mark.parametrize("kept", ["UTC", NEW_YORK, LORD_HOWE])
@pytest.mark.parametrize("shown", ["UTC", NEW_YORK, LORD_HOWE])
@examples(max_examples=10, deadline=None)
@given(calls=CALLS, span=SPANS)
def test_days_of_tags_their_quarters_and_the_calls_say_the_same(kept: str, shown: str, calls: list[Call], span: tuple[Any, Any]) -> None:
    zone = ZoneInfo(shown)
    with transaction.atomic():
        rebuild_days(kept)
        posted(*calls)
        by_days, written = read(zone, span), days()
        assert prove() == []
        rebuild_days(kept)
        assert days() == written
        rebuild()
        DayZone.objects.all().delete()
        by_quarters = read(zone, span)
        transaction.set_rollback(True)
    expected = by_tag(calls, zone, span)
    of_tags = Counter[Any]()
    for (_, tag), nano in expected.items():
        of_tags[tag,] += nano
    assert by_days == by_quarters == (expected, of_tags)


def test_all_that_was_sent_with_a_tag_is_one_number_by_days_and_by_quarters() -> None:
    served(at=EDGES[0] + timedelta(hours=1), tags=["ci"], nano=0)
    used, span = Usage(calls=1, fresh=1204 + 44_180 + 2826, output=1904), (EDGES[0], EDGES[0] + timedelta(days=1))
    by_days = Source(Q(), ZoneInfo("UTC"), of_tags=True).sums(span, "tag")
    DayZone.objects.all().delete()
    by_quarters = Source(Q(), ZoneInfo("UTC"), of_tags=True).sums(span, "tag")
    assert by_days == by_quarters == [(("ci",), used)]


def test_day_of_a_tag_that_says_something_else_is_found_and_made_anew() -> None:
    posted((EDGES[0].timestamp(), ["ci"], 5))
    written = days()
    DayTagRollUp.objects.update(calls=F("calls") + 1)
    [finding] = prove()
    assert "Roll-ups of 1 days in UTC, 2026-03-08 to 2026-03-08, are not the sums" in finding
    call_command("money", "rebuild-rollups", "--days", stdout=StringIO())
    assert (days(), prove()) == (written, [])


def test_days_of_tags_that_have_no_quarters_go() -> None:
    posted((EDGES[0].timestamp(), ["ci"], 5), (EDGES[0].timestamp(), [], 5))
    TagRollUp.objects.all().delete()
    rebuild_days("UTC")
    assert days() == []


def test_calls_without_tags_write_no_days_of_tags() -> None:
    with CaptureQueriesContext(connection) as asked:
        posted((EDGES[0].timestamp(), [], 5))
    assert not [one["sql"] for one in asked if "tagrollup" in one["sql"]]


def test_migration_fills_days_of_tags_from_the_roll_ups_that_are_there() -> None:
    posted(*((moment.timestamp(), ["ci", "nightly"], 5) for moment in EDGES))
    written = days()
    DayTagRollUp.objects.all().delete()
    import_module("audit.migrations.0006_days_of_tags").fill(apps, SimpleNamespace(connection=connection))
    assert days() == written


@pytest.mark.parametrize("query", ["spend/?by=tag", "spend/?by=tag&then=model", "spend/?by=day&then=tag", "spend/?tag=ci"])
def test_spend_by_tag_of_whole_days_reads_no_quarters(query: str) -> None:
    for day in (1, 14, 30):
        served(at=datetime(2026, 9, day, 12).astimezone(ZoneInfo("UTC")), tags=["ci"])
    client = as_admin()
    with CaptureQueriesContext(connection) as asked:
        assert "ci" in client.get(f"/{query}&period=2026-09-01..2026-09-30").content.decode()
    assert not [one["sql"] for one in asked if 'FROM "audit_tagrollup"' in one["sql"] or 'FROM "audit_rollup"' in one["sql"]]


def test_report_by_tag_of_whole_days_reads_days() -> None:
    served(at=datetime(2026, 9, 14, 12).astimezone(ZoneInfo("UTC")), tags=["ci"])
    TagRollUp.objects.all().delete()
    found = as_admin().get("/api/reports/spend/?group_by=day,tag&from=2026-09-01&to=2026-09-30&format=json").json()["results"]
    assert [(row["day"], row["tag"], row["requests"]) for row in found] == [(str(date(2026, 9, 14)), "ci", 1)]
    assert DayTagRollUp.objects.aggregate(Sum("calls")) == {"calls__sum": 1}
