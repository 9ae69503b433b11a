"""`tallygate seed-demo`: a database full of believable traffic whose money adds up."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from audit.models import RequestRecord, RollUp
from audit.trail import first_broken
from billing.ledger import prove
from billing.models import Budget, LedgerEntry
from billing.status import standings
from gateway_project.demo_seed.calls import Call
from gateway_project.demo_seed.cast import CODER, HOUSES, KEYS, PEOPLE, house_of
from gateway_project.demo_seed.faults import Weather
from gateway_project.demo_seed.seeding import Seeded, seed_demo
from gateway_project.demo_seed.traffic import traffic
from keys.models import Membership, Organisation, User, VirtualKey
from routing.loading import load_routes
from tests.factories import make_team

NOW = datetime(2026, 11, 18, 14, 30, tzinfo=UTC)
DAYS = 9


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return traffic(NOW, 1)


@pytest.fixture
def seeded(db: None) -> Seeded:
    return seed_demo(NOW, 1, "a password", DAYS)


def run(*words: str) -> str:
    out = StringIO()
    call_command("seed_demo", "--days", "1", *words, stdout=out)
    return out.getvalue()


def test_same_seed_gives_the_same_calls(calls: list[Call]) -> None:
    again = traffic(NOW, 1)
    assert [(call.id, call.usage) for call in again] == [(call.id, call.usage) for call in calls]
    assert {call.id for call in traffic(NOW, 2, DAYS)}.isdisjoint(call.id for call in calls)


def test_calls_end_now_and_have_different_ids(calls: list[Call]) -> None:
    assert len({call.id for call in calls}) == len(calls) > 10_000
    assert calls[-1].at < NOW.timestamp() < calls[-1].at + 3600
    assert calls[0].at > (NOW - timedelta(days=62)).timestamp()


def test_people_work_by_day_in_their_own_time_zone(calls: list[Call]) -> None:
    coded = [call for call in calls if call.key.habit == CODER]
    local = [datetime.fromtimestamp(call.at, ZoneInfo(house_of(call.key).time_zone)) for call in coded]
    assert sum(8 <= at.hour < 19 for at in local) > 0.9 * len(coded)
    assert sum(at.weekday() >= 5 for at in local) < 0.1 * len(coded)


def test_sessions_read_more_from_the_cache_turn_by_turn(calls: list[Call]) -> None:
    sessions = Counter(call.session for call in calls if call.session)
    longest = max(sessions, key=lambda name: sessions[name])
    reads = [call.usage.cache_read_tokens for call in calls if call.session == longest and call.usage.cache_read_tokens]
    assert len(reads) > 20
    assert max(reads) > 3 * reads[0]


def test_outage_takes_fallbacks_and_errors_are_on_every_side(calls: list[Call]) -> None:
    outage = Weather.before(NOW).outage
    struck = [call for call in calls if outage.holds(call.at) and call.fault.reasons]
    assert len(struck) > 50
    assert sum(call.fault.is_survived for call in struck) > len(struck) // 2
    codes = {code for call in calls for _, code, _ in call.fault.reasons} | {call.fault.code for call in calls}
    assert codes >= {"overloaded", "credential_refused", "prompt_too_long", "rate_limited", "model_not_allowed", "client_left"}


def test_money_of_the_demo_adds_up(seeded: Seeded) -> None:
    assert prove() == []
    assert first_broken() is None
    assert RequestRecord.objects.count() == seeded.calls
    assert sum(LedgerEntry.objects.values_list("amount_nano", flat=True)) == seeded.spent_nano > 0
    assert sum(RollUp.objects.values_list("cost_nano", flat=True)) == seeded.spent_nano
    assert not RequestRecord.objects.filter(is_unpriced=True).exists()


def test_one_budget_is_nearly_gone_and_one_is_over(seeded: Seeded) -> None:
    standing = standings(Budget.objects.all(), NOW)
    used = {(one.scope, one.scope_id): one.used_percent for one in standing.values()}
    assert used["team", "demo-data"] >= 100
    assert 85 <= used["team", "demo-pricing"] < 100
    assert all(one.used_percent < 100 for one in standing.values() if one.mode != "soft")


def test_cast_has_every_role_and_every_kind_of_key(seeded: Seeded) -> None:
    assert set(User.objects.values_list("role", flat=True)) == set(User.Role.values)
    assert set(Membership.objects.values_list("role", flat=True)) == {"member", "manager"}
    assert {key.state(NOW) for key in VirtualKey.objects.all()} == {"active", "expired", "blocked", "revoked"}
    assert VirtualKey.objects.filter(expires_at__range=(NOW, NOW + timedelta(days=7))).exists()
    assert User.objects.get(pk="demo-marta").check_password("a password")


def test_ids_come_from_names_and_tokens_do_not(seeded: Seeded) -> None:
    ids = set(VirtualKey.objects.values_list("pk", flat=True))
    assert ids.isdisjoint(VirtualKey.objects.values_list("token_hash", flat=True))
    assert len(ids) == len(KEYS)


def test_every_name_leads_to_the_demo_in_the_end(seeded: Seeded) -> None:
    ends = {route.name: route.targets[-1].deployment.provider for route in load_routes().exact.values()}
    assert set(ends.values()) == {"demo"}


@pytest.mark.django_db(databases="__all__")
def test_second_run_changes_nothing() -> None:
    assert "Password of everybody" in run()
    before = RequestRecord.objects.count()
    assert "here already" in run()
    assert RequestRecord.objects.count() == before
    assert User.objects.count() == len(PEOPLE)


@pytest.mark.django_db(databases="__all__")
def test_database_in_use_is_left_alone_unless_forced() -> None:
    make_team("Somebody's")
    with pytest.raises(CommandError, match="--force"):
        run()
    assert not Organisation.objects.exists()
    run("--force", "--password", "chosen by us")
    assert Organisation.objects.count() == len(HOUSES)
    assert prove() == []
