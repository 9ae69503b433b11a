"""The forecast goes by weekdays: a quiet weekend does not make a cheap Monday."""

from datetime import date, timedelta

from console.forecast import forecast

TODAY = date(2026, 11, 20)  # a Friday


def weeks(weekday: int, weekend: int, *, since: date = date(2026, 10, 1)) -> dict[date, int]:
    days = [since + timedelta(days=at) for at in range((TODAY - since).days)]
    return {day: weekend if day.weekday() >= 5 else weekday for day in days}


def test_days_ahead_cost_what_their_weekday_did() -> None:
    found = forecast(weeks(100, 10) | {TODAY: 40}, TODAY)
    assert [found.ahead[date(2026, 11, day)] for day in (21, 22, 23, 30)] == [10, 10, 100, 100]
    assert found.rest_of_today_nano == 60
    assert found.total_nano == found.so_far_nano + 60 + 4 * 10 + 6 * 100


def test_month_before_is_whole() -> None:
    found = forecast(weeks(100, 10), TODAY)
    assert (found.before_nano, found.before_day, found.last_day) == (22 * 100 + 9 * 10, date(2026, 10, 31), date(2026, 11, 30))


def test_days_before_the_first_spend_do_not_count() -> None:
    found = forecast({TODAY - timedelta(days=1): 70}, TODAY)
    assert set(found.ahead.values()) == {70}


def test_nothing_is_foretold_before_one_whole_day() -> None:
    found = forecast({TODAY: 500}, TODAY)
    assert not found.is_known
    assert found.total_nano == 500


def test_dear_today_is_not_taken_back() -> None:
    assert forecast(weeks(100, 10) | {TODAY: 900}, TODAY).rest_of_today_nano == 0


def test_corrections_foretell_no_negative_spend() -> None:
    assert set(forecast(weeks(-5, -5), TODAY).ahead.values()) == {0}


def test_last_day_of_a_month_has_nothing_ahead() -> None:
    found = forecast({date(2026, 11, 29): 5}, date(2026, 11, 30))
    assert (dict(found.ahead), found.is_known) == ({}, True)
