"""`tallygate usage`: exact sums of the roll-ups, by what people ask about."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import RollUp
from tests.factories import make_key, make_team, make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)
SPAN = ("--from", "2026-03-01", "--to", "2026-04-01")
USD = 10**9


def run(*words: str) -> str:
    out = StringIO()
    call_command("usage", *words, stdout=out)
    return out.getvalue()


def run_json(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def roll_up(cost_nano: int, at: datetime = NOON, **values: Any) -> None:
    RollUp.objects.create(starts_at=at, status_class="2xx", cost_nano=cost_nano, **({"calls": 1, "input_tokens": 1000} | values))


def test_models_come_dearest_first_and_add_up_to_the_last_digit() -> None:
    roll_up(1, route="claude-haiku")
    roll_up(3 * USD, route="claude-opus", output_tokens=20, unpriced_calls=1)
    told = run_json(*SPAN)
    assert [(row["name"], row["cost_usd"]) for row in told["rows"]] == [("claude-opus", "3.000000000"), ("claude-haiku", "0.000000001")]
    assert told["total"] == {
        "calls": 2, "input_tokens": 2000, "cache_read_tokens": 0, "cache_write_tokens": 0, "output_tokens": 20, "unpriced_calls": 1,
        "cost_usd": "3.000000001",
    }  # fmt: skip


def test_table_rounds_nothing_and_ends_with_the_total() -> None:
    roll_up(1_500_000, route="claude-haiku", calls=1234)
    roll_up(2 * USD, route="claude-opus")
    lines = run(*SPAN).splitlines()
    assert lines[0] == "2026-03-01 00:00 to 2026-04-01 00:00 UTC"
    assert [line.split()[-1] for line in lines[2:]] == ["cost", "$2.0000", "$0.0015", "$2.0015"]
    assert lines[-1].split()[:2] == ["total", "1,235"]


def test_keys_teams_and_users_have_their_names() -> None:
    team, bob, key = make_team(), make_user("bob"), make_key("laptop")[0]
    roll_up(USD, team_id=team.pk, user_id=bob.pk, key_id=key.pk)
    names = {by: run_json("--by", by, *SPAN)["rows"][0]["name"] for by in ("team", "user", "key")}
    assert names == {"team": "Search", "user": str(bob), "key": "laptop"}


def test_who_is_gone_or_never_was_is_told_apart() -> None:
    roll_up(USD, team_id="team-that-was-deleted")
    roll_up(1)
    lines = run("--by", "team", *SPAN).splitlines()
    assert lines[3].startswith("(deleted) team-that-wa")
    assert lines[4].startswith("(no team)")
    assert run_json("--by", "team", *SPAN)["rows"][0]["id"] == "team-that-was-deleted"


def test_days_are_utcs_and_in_order() -> None:
    roll_up(1, NOON + timedelta(hours=12))
    roll_up(USD, NOON)
    roll_up(2, NOON - timedelta(hours=12, minutes=15))
    assert [row["id"] for row in run_json("--by", "day", *SPAN)["rows"]] == ["2026-03-17", "2026-03-18", "2026-03-19"]


def test_quarter_that_a_span_begins_or_ends_in_counts() -> None:
    for minutes in (-15, 0, 15, 30):
        roll_up(1, NOON + timedelta(minutes=minutes), route=f"m{minutes}")
    told = run_json("--by", "model", "--from", "2026-03-18T12:05", "--to", "2026-03-18T12:20")
    assert {row["name"] for row in told["rows"]} == {"m0", "m15"}
    assert run_json("--from", "2026-03-18T13:05+01:00", "--to", "2026-03-18T12:20")["rows"] == told["rows"]


def test_last_thirty_days_are_shown_when_nothing_is_said() -> None:
    now = timezone.now()
    roll_up(1, now - timedelta(days=31), provider="old")
    roll_up(1, now - timedelta(days=28), provider="new")
    assert [row["name"] for row in run_json("--by", "provider")["rows"]] == ["new"]


def test_no_calls_say_what_to_do() -> None:
    assert "keys create" in run()
    assert run_json()["rows"] == []


def test_empty_span_says_when_there_were_calls() -> None:
    roll_up(1)
    told = run("--from", "2026-05-01", "--to", "2026-05-02")
    assert told.startswith("No calls from 2026-05-01 00:00 to 2026-05-02 00:00 UTC, but some from 2026-03-18 12:00 to 2026-03-18 12:15.")
    assert "usage --from 2026-03-18" in told


def test_negative_sums_are_shown_as_such() -> None:
    roll_up(-USD, route="corrected")
    assert "\N{MINUS SIGN}$1.00" in run(*SPAN)


@pytest.mark.parametrize("words", ["--from 2026-04-01 --to 2026-03-01", "--from 2026-03-01 --to 2026-03-01"])
def test_span_that_ends_before_it_begins_is_a_wrong_word(words: str) -> None:
    with pytest.raises(CommandError, match="--from must lie before --to") as caught:
        run(*words.split())
    assert caught.value.returncode == 2


@pytest.mark.parametrize("words", ["--by colour", "--from yesterday"])
def test_wrong_words_are_refused(words: str) -> None:
    with pytest.raises(CommandError):
        run(*words.split())
