"""What is counted of a call, under which names, and in which quarter of an hour."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.models import RollUp, TagRollUp
from audit.requests import RequestSummary
from audit.rollup_rows import SUMS, WAITS
from audit.rollups import (
    BOUNDS_MS,
    KIND,
    OTHER_TAG,
    TAG_KIND,
    TAG_LENGTH,
    TAG_SUMS,
    TAGS_PER_HOUR,
    RollUps,
    Sums,
    TagSums,
    hour_of,
    named_tags,
    quarter_of,
    seen,
    status_class,
)

AT = datetime(2026, 3, 14, 15, 15, tzinfo=UTC)
QUARTER = int(AT.timestamp())


def counted(*calls: RequestSummary) -> RollUps:
    rollups = RollUps()
    for call in calls:
        rollups.add_call(call, QUARTER)
    return rollups


def sums_of(**values: object) -> Sums:
    [sums] = counted(RequestSummary(id="req_1", received_at=QUARTER, **values)).by_kind.values()  # type: ignore[arg-type]  # any field
    return sums


def tagged(tags: list[str], **values: int) -> RequestSummary:
    return RequestSummary(id="req_1", received_at=QUARTER, tags=tags, team_id="team-1", route="opus", **values)  # type: ignore[arg-type]


def test_every_column_of_a_roll_up_is_counted() -> None:
    assert [field.name for field in RollUp._meta.concrete_fields] == ["id", *KIND, *SUMS, *WAITS]
    assert [field.name for field in TagRollUp._meta.concrete_fields] == ["id", *TAG_KIND, *TAG_SUMS]


def test_quarter_is_told_apart_by_who_what_and_how() -> None:
    texts = {name: name for name in ("organisation_id", "team_id", "cost_centre", "user_id", "key_id", "route", "provider", "client")}
    call = RequestSummary(id="req_1", received_at=QUARTER, status=200, outcome="ok", **texts)  # type: ignore[arg-type]  # texts all
    rollups = counted(call)
    assert list(rollups.by_kind) == [(QUARTER, *texts.values(), "2xx")]
    rollups.add_money(call, QUARTER, seen(call), 30, "bedrock")
    assert list(rollups.by_kind)[1] == (QUARTER, *(texts | {"provider": "bedrock"}).values(), "2xx")


def test_tokens_and_marks_of_a_call_are_counted() -> None:
    sums = sums_of(
        is_unpriced=True, is_estimated=True, input_tokens=1, cache_read_tokens=2, cache_write_5m_tokens=4, cache_write_1h_tokens=8,
        output_tokens=16, thinking_tokens=32, duration_ms=64.5, first_byte_ms=12.0, cost_nano=7,
    )  # fmt: skip
    assert (sums.calls, sums.unpriced_calls, sums.estimated_calls, sums.cost_nano) == (1, 1, 1, 0)
    assert (sums.input_tokens, sums.cache_read_tokens, sums.cache_write_tokens, sums.output_tokens, sums.thinking_tokens) == (
        1,
        2,
        12,
        16,
        32,
    )
    assert (sums.duration_ms, sums.waits.index(1), sums.first_waits.index(1)) == (64, 1, 0)


@pytest.mark.parametrize(("took_ms", "place"), [(0.0, 0), (50.0, 0), (50.1, 1), (600_000.0, 17), (600_001.0, 18), (1e300, 18), (-5.0, 0)])
def test_wait_is_counted_below_the_first_bound_that_it_kept(took_ms: float, place: int) -> None:
    sums = sums_of(duration_ms=took_ms)
    assert (len(sums.waits), sums.waits[place], sum(sums.waits), sum(sums.first_waits)) == (len(BOUNDS_MS) + 1, 1, 1, 0)


@pytest.mark.parametrize("endpoint", ["count_tokens", "/v1/messages/count_tokens", "models/x:countTokens"])
def test_token_count_is_in_no_sum(endpoint: str) -> None:
    assert counted(RequestSummary(id="req_1", received_at=QUARTER, endpoint=endpoint, tags=["ci"])) == RollUps()


def test_money_of_a_free_attempt_makes_no_row() -> None:
    rollups = RollUps()
    rollups.add_money(tagged(["ci"]), QUARTER, ("", ""), 0, "demo")
    assert rollups == RollUps()


@pytest.mark.parametrize(
    ("status", "outcome", "told"),
    [
        (200, "ok", "2xx"),
        (200, "truncated", "truncated"),
        (429, "refused", "4xx"),
        (529, "failed", "5xx"),
        (0, "client_left", "client_left"),
    ],
)
def test_status_class_says_how_it_ended(status: int, outcome: str, told: str) -> None:
    assert status_class(status, outcome) == told


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)) | st.sampled_from([datetime(2026, 3, 14, 15, 29, 59, 999_999)]))
def test_quarter_holds_its_moment(moment: datetime) -> None:
    at = moment.replace(tzinfo=UTC)
    start = datetime.fromtimestamp(quarter_of(at.timestamp()), UTC)
    assert start == at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    assert hour_of(quarter_of(at.timestamp())) == at.replace(minute=0, second=0, microsecond=0).timestamp()


@pytest.mark.parametrize("late_s", [0, 2.4e-7, 4.8e-7])
def test_moment_that_is_stored_as_the_next_quarters_start_counts_there(late_s: float) -> None:
    assert quarter_of(QUARTER - late_s) == QUARTER


def test_call_counts_under_each_of_its_tags_once() -> None:
    rollups = counted(tagged(["a", "b", "a"], input_tokens=10, cache_read_tokens=5, output_tokens=3))
    rollups.add_money(tagged(["a", "b", "a"]), QUARTER, ("", ""), 7, "demo")
    by_tag = rollups.by_tag({hour_of(QUARTER): frozenset("ab")})
    assert by_tag == {(QUARTER, tag, "team-1", "opus"): TagSums(1, 7, 15, 3) for tag in "ab"}


def test_call_with_many_nameless_tags_is_other_once() -> None:
    by_tag = counted(tagged(["a", "b", "c"])).by_tag({hour_of(QUARTER): frozenset("a")})
    assert {kind[1]: sums.calls for kind, sums in by_tag.items()} == {"a": 1, OTHER_TAG: 1}


def test_long_tag_is_cut_to_its_column() -> None:
    rollups = counted(tagged(["x" * 300]))
    assert rollups.tags_by_hour() == {hour_of(QUARTER): ["x" * TAG_LENGTH]}


@given(known=st.lists(st.integers(0, 80).map(str), max_size=TAGS_PER_HOUR, unique=True), coming=st.lists(st.integers(0, 80).map(str)))
def test_hour_keeps_its_names_and_has_no_more_than_it_may(known: list[str], coming: list[str]) -> None:
    named = named_tags([*known, OTHER_TAG], [OTHER_TAG, *coming])
    assert set(known) <= named <= {*known, *coming}
    assert len(named) == min(TAGS_PER_HOUR, len({*known, *coming}))
