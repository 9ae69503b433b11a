"""The small pieces of a page, as HTML."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django.utils.translation import override

from audit.models import RequestRecord
from console.period import period
from console.templatetags import figures, marks

NOW = datetime(2026, 11, 21, 3, 31, 8, tzinfo=UTC)


def test_cents_are_grey() -> None:
    assert figures.money(18_182_110_000_000) == '$18,182<span class="cents">.11</span>'


@pytest.mark.parametrize(("language", "text"), [("en", "$1,234.50"), ("ja", "$1,234.50"), ("de", "1.234,50\N{NO-BREAK SPACE}$")])
def test_money_follows_the_reader(language: str, text: str) -> None:
    with override(language):
        assert figures.money_text(1_234_500_000_000) == text


@pytest.mark.parametrize(("language", "text"), [("en", "21 Nov 2026"), ("ja", "2026年11月21日"), ("de", "21. Nov. 2026")])
def test_day_follows_the_reader(language: str, text: str) -> None:
    with override(language):
        assert figures.day(date(2026, 11, 21)) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "1 – 21 Nov 2026"), ("de", "1.–21. Nov. 2026"), ("ja", "2026年11月1日～21日")],  # noqa: RUF001  # written so
)
def test_span_follows_the_reader(language: str, text: str) -> None:
    with override(language):
        assert figures.span_of(period("month", NOW, UTC)) == text


def test_moment_is_told_in_the_page_time_zone() -> None:
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        assert figures.moment(NOW) == "21 Nov 2026, 12:31:08"


@pytest.mark.parametrize(("seconds", "text"), [(5, ">now<"), (150, ">2 min ago<"), (7300, ">2 h ago<")])
def test_age_is_relative_with_the_time_in_its_title(seconds: int, text: str) -> None:
    html = figures.ago(timezone.now() - timedelta(seconds=seconds))
    assert text in html
    assert "title=" in html


def test_names_are_escaped_isolated_and_unsteered() -> None:
    assert marks.inert("a<b>\u202e\u0007") == "<bdi>a&lt;b&gt;\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}</bdi>"


def test_address_breaks_before_its_at_sign() -> None:
    assert marks.address("ann<b@b.example") == "<bdi>ann&lt;b<wbr>@b.example</bdi>"


def test_commands_of_a_sentence_stand_as_code() -> None:
    assert marks.coded("a<b. Run `x > y`, or `z`.") == "a&lt;b. Run <code>x &gt; y</code>, or <code>z</code>."


def test_missing_name_is_a_grey_dash() -> None:
    assert marks.address("") == marks.inert("") == marks.inert(None) == figures.NONE_YET


@pytest.mark.parametrize(
    ("values", "look", "icon"),
    [
        ({"outcome": "failed", "error_source": "provider"}, "badge them", "#i-cloud"),
        ({"outcome": "failed", "error_source": "gateway"}, "badge bad", "#i-gate"),
        ({"outcome": "refused", "error_source": "client"}, "badge warn", "#i-user"),
        ({"outcome": "client_left"}, "badge warn", "#i-user"),
        ({"outcome": "ok"}, "state ok", "#i-ok"),
    ],
)
def test_badge_tells_whose_side_by_colour_icon_and_word(values: dict[str, str], look: str, icon: str) -> None:
    html = marks.outcome(RequestRecord(id="r", status=200, **values))
    assert f'class="{look}"' in html
    assert icon in html


def test_share_bar_is_an_svg_length() -> None:
    with override("de"):
        html = marks.share(323, 1000)
    assert 'width="32.30%"' in html
    assert "32,3\N{NO-BREAK SPACE}%" in html


def test_parts_of_a_bar_follow_one_another() -> None:
    html = marks.split("p-1", 1, "p-2", 3)
    assert 'x="0.00%" width="25.00%" height="14" class="p-1"' in html
    assert 'x="25.00%" width="75.00%" height="14" class="p-2"' in html


def test_sparkline_of_money_only_rises() -> None:
    html = marks.spark([3, 0, 1], "sum")
    assert "M0.5 8.5 L49.5 8.5 L98.5 3.0" in html


@pytest.mark.parametrize("values", [[], [5]])
def test_no_sparkline_of_a_single_point(values: list[int]) -> None:
    assert marks.spark(values) == ""


def test_sparkline_of_nothing_lies_flat() -> None:
    assert "M0.5 25.0 L98.5 25.0" in marks.spark([0, 0])


@pytest.mark.parametrize(("now", "look"), [(102, ""), (110, "worse"), (90, "better")])
def test_change_is_coloured_from_three_percent(now: int, look: str) -> None:
    assert f'class="delta {look}"' in marks.delta(now, 100, "up")


def test_change_against_nothing_is_not_shown() -> None:
    assert marks.delta(5, 0, "up") == ""
