"""Months in any time zone: they follow each other without gap or overlap, wherever clocks skip or repeat an hour."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.months import Month, months_between

BERLIN = ZoneInfo("Europe/Berlin")
# Named after a place or UTC: what a machine's own files are called besides is not everywhere the same.
ZONES = sorted(name for name in available_timezones() if name.split("/")[0] in {"Africa", "America", "Asia", "Europe", "Pacific", "UTC"})
EVER = st.datetimes(datetime(2000, 3, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # bounds come without a zone


def month(text: str, zone: ZoneInfo = BERLIN) -> Month:
    found = Month.read(text, zone)
    assert found
    return found


@settings(max_examples=200, deadline=None)
@given(at=EVER, zone=st.sampled_from(ZONES))
def test_every_moment_lies_in_one_month(at: datetime, zone: str) -> None:
    found = Month.at(at, ZoneInfo(zone))
    assert found.start <= at < found.end
    assert found.end == found.after.start
    assert found.before.after == found == Month.read(found.key, ZoneInfo(zone))
    assert (found.start.astimezone(found.zone).date(), found.start.timestamp() % 900) == (found.first, 0)


def test_months_of_summer_and_winter_time_are_an_hour_shorter_and_longer() -> None:
    hours = [(month(key).end - month(key).start) / timedelta(hours=1) for key in ("2026-03", "2026-10")]
    assert hours == [31 * 24 - 1, 31 * 24 + 1]


def test_same_month_begins_earlier_in_the_east() -> None:
    assert month("2026-11", ZoneInfo("Asia/Tokyo")).start == datetime(2026, 10, 31, 15, tzinfo=UTC)


def test_month_whose_first_midnight_is_skipped_begins_when_it_is() -> None:
    # In Asuncion 1 October 2017 began at one o'clock.
    assert month("2017-10", ZoneInfo("America/Asuncion")).start == datetime(2017, 10, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "2026-13", "2026-00", "1999-12", "2026-1", "2026-11-01", "\uff12026-11", " 2026-11", "2026-11\n"])
def test_what_is_no_month_is_none(text: str) -> None:
    assert Month.read(text, BERLIN) is None


def test_months_between_include_both() -> None:
    assert [one.key for one in months_between(month("2025-12"), month("2026-02"))] == ["2025-12", "2026-01", "2026-02"]


def test_month_has_ended_with_its_last_moment() -> None:
    assert [month("2026-11").has_ended(month("2026-11").end - timedelta(microseconds=one)) for one in (1, 0)] == [False, True]
