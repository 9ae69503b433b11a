"""Freezing a month: what it refuses, what it keeps, what becomes of later entries, and that nobody changes it unseen."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import AuditEvent
from audit.rows import ChangeRefused
from audit.trail import Actor, first_broken
from billing.backlog import Backlog
from billing.frozen_text import digest, is_intact, text_of
from billing.ledger import prove
from billing.models import FrozenLine, FrozenMonth, Instance, LedgerEntry
from billing.month_bills import LINE, Amounts, Bill, added, bills
from billing.month_close import SETTLED_AFTER, freeze_month, unfreeze_month
from billing.months import Month
from tests.console.permissions.cast import undone
from tests.console.report_rows import charged
from tests.factories import make_key, make_team

pytestmark = pytest.mark.django_db
UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
INGRID = Actor("user", id="u-1", name="Ingrid")
ADMIN = Actor("user", id="u-2", name="Marta", reason="booked twice")


def month(text: str, zone: ZoneInfo = UTC_ZONE) -> Month:
    found = Month.read(text, zone)
    assert found
    return found


OCTOBER, NOVEMBER, DECEMBER = month("2024-10"), month("2024-11"), month("2024-12")
IN_OCTOBER = datetime(2024, 10, 20, 12, tzinfo=UTC)


def bill(of: Month) -> Bill:
    [found] = bills(of, of, LINE)
    return found


def total(of: Month) -> int:
    return bill(of).total.cost_nano


def freeze(of: Month = OCTOBER) -> FrozenMonth:
    return freeze_month(of, actor=INGRID)


def refused(verb: Any, *values: Any, **options: Any) -> str:
    with pytest.raises(ChangeRefused) as refusal:
        verb(*values, **options)
    return str(refusal.value)


# ── what is refused ───────────────────────────────────────────────────────────
def test_running_month_is_refused() -> None:
    running = Month.at(timezone.now(), BERLIN)
    assert refused(freeze, running) == f"{running.key} has not ended yet in Europe/Berlin."
    assert not FrozenMonth.objects.exists()


def test_month_is_refused_while_calls_of_it_may_be_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: OCTOBER.end + SETTLED_AFTER - timedelta(seconds=1))
    assert "just ended" in refused(freeze)
    monkeypatch.setattr(timezone, "now", lambda: OCTOBER.end + SETTLED_AFTER)
    assert freeze().month == "2024-10"


def test_month_is_frozen_once_in_a_zone() -> None:
    freeze()
    assert refused(freeze) == "2024-10 is frozen already."
    assert freeze(month("2024-10", BERLIN)).time_zone == "Europe/Berlin"


def test_month_is_refused_while_calls_of_it_wait_in_a_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.month_close.backlog", lambda _root: Backlog(waiting=3, oldest=IN_OCTOBER))
    assert "3 on this machine" in refused(freeze)
    assert freeze(month("2024-09")).month == "2024-09"


def test_month_is_refused_while_a_process_of_it_is_silent() -> None:
    Instance.objects.create(id="worker-7", started_at=IN_OCTOBER, beat_at=IN_OCTOBER + timedelta(days=1))
    assert "worker-7" in refused(freeze)
    assert freeze(month("2024-09")).month == "2024-09"
    assert freeze_month(OCTOBER, actor=INGRID, without_silent=True).month == "2024-10"


# ── what is kept ──────────────────────────────────────────────────────────────
def test_frozen_lines_are_those_of_the_month_with_the_names_of_the_day() -> None:
    team = make_team("Search", cost_centre="CC-1")
    key, _token = make_key("laptop", team=team)
    charged(5, at=IN_OCTOBER, team_id=team.pk, key_id=key.pk, cost_centre="CC-1", is_estimated=True)
    charged(0, at=IN_OCTOBER, is_unpriced=True)
    found = freeze()
    assert (found.cost_nano, found.calls, found.unpriced_calls, found.estimated_calls) == (5, 2, 1, 1)
    line = found.lines.get(cost_centre="CC-1")
    assert (line.team_name, line.key_name, line.cost_nano, line.estimated_calls) == ("Search", str(key), 5, 1)


def test_freezing_is_in_the_trail_with_its_hash() -> None:
    charged(5, at=IN_OCTOBER)
    found = freeze()
    event = AuditEvent.objects.get(event="month.frozen")
    assert (event.actor_name, event.object_name, event.after["sha256"]) == ("Ingrid", "2024-10 (UTC)", found.sha256)
    assert event.after["cost_nano"] == 5
    assert first_broken() is None


def test_hash_can_be_taken_again_from_the_text() -> None:
    charged(5, at=IN_OCTOBER, cost_centre='CC "1"\nlines 0')
    found = FrozenMonth.objects.get(pk=freeze().pk)
    assert digest(text_of(found)) == found.sha256
    assert text_of(found).splitlines()[-1] == '["","","CC \\"1\\"\\nlines 0","","","","","","",5,1,0,0]'
    assert is_intact(found)


# ── what comes later ──────────────────────────────────────────────────────────
def test_later_entry_is_told_beside_the_frozen_month_and_charged_in_the_next() -> None:
    charged(5, at=IN_OCTOBER, cost_centre="CC-1")
    charged(100, at=NOVEMBER.start, cost_centre="CC-1")
    freeze()
    charged(7, at=IN_OCTOBER, cost_centre="CC-1")
    october, november = bill(OCTOBER), bill(NOVEMBER)
    assert (october.total.cost_nano, october.differs_by) == (5, Amounts(7, 1))
    assert (november.total.cost_nano, november.adjusted) == (107, Amounts(7, 1))
    assert (total(OCTOBER), [*november.adjustments]) == (5, ["2024-10"])


def test_correction_that_moves_money_between_teams_is_an_adjustment_of_nothing_in_sum() -> None:
    charged(5, at=IN_OCTOBER, team_id="a")
    freeze()
    charged(-5, at=IN_OCTOBER, team_id="a", kind="adjust")
    charged(5, at=IN_OCTOBER, team_id="b", kind="adjust")
    assert bill(NOVEMBER).adjusted.cost_nano == 0
    assert sorted(amounts.cost_nano for amounts in bill(NOVEMBER).adjustments["2024-10"].values()) == [-5, 5]


def test_adjustment_is_frozen_with_its_month_and_charged_no_second_time() -> None:
    freeze()
    charged(7, at=IN_OCTOBER)
    freeze(NOVEMBER)
    charged(2, at=IN_OCTOBER)
    assert [total(one) for one in (OCTOBER, NOVEMBER, DECEMBER)] == [0, 7, 2]
    assert bill(DECEMBER).adjustments["2024-10"] == {("",) * 5: Amounts(2, 1)}


def test_first_open_month_is_charged_though_a_later_one_is_frozen() -> None:
    freeze()
    freeze(DECEMBER)
    charged(7, at=IN_OCTOBER)
    assert [total(one) for one in (NOVEMBER, DECEMBER, DECEMBER.after)] == [7, 0, 0]


def test_months_of_another_zone_are_charged_nothing() -> None:
    freeze()
    charged(7, at=IN_OCTOBER)
    assert (total(month("2024-10", BERLIN)), total(month("2024-11", BERLIN))) == (7, 0)


# ── opening again ─────────────────────────────────────────────────────────────
def test_unfreezing_needs_a_reason() -> None:
    frozen = freeze()
    assert "Say why" in refused(unfreeze_month, frozen, actor=INGRID)
    assert FrozenMonth.objects.exists()


def test_unfrozen_month_shows_the_ledger_and_the_trail_keeps_the_hash() -> None:
    charged(5, at=IN_OCTOBER)
    frozen = freeze()
    charged(7, at=IN_OCTOBER)
    unfreeze_month(frozen, actor=ADMIN)
    event = AuditEvent.objects.get(event="month.unfrozen")
    assert (event.before["sha256"], event.after) == (frozen.sha256, {"reason": "booked twice"})
    assert (total(OCTOBER), total(NOVEMBER), FrozenLine.objects.count()) == (12, 0, 0)


def test_month_stays_frozen_while_a_later_one_charges_its_adjustment() -> None:
    frozen = freeze()
    charged(7, at=IN_OCTOBER)
    later = freeze(NOVEMBER)
    assert refused(unfreeze_month, frozen, actor=ADMIN).endswith("Unfreeze 2024-11 first.")
    unfreeze_month(later, actor=ADMIN)
    unfreeze_month(frozen, actor=ADMIN)
    assert total(OCTOBER) == 7


def test_month_that_is_frozen_again_is_verified_by_its_own_event() -> None:
    unfreeze_month(freeze(), actor=ADMIN)
    charged(5, at=IN_OCTOBER)
    assert is_intact(freeze())


# ── tampering ─────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (FrozenLine, {"cost_nano": 6}), (FrozenLine, {"cost_centre": "CC-2"}), (FrozenLine, {"team_name": "Sales"}),
        (FrozenLine, {"adjusts": "2024-09"}), (FrozenMonth, {"frozen_by_name": "Nobody"}), (FrozenMonth, {"cost_nano": 6}),
        (FrozenMonth, {"frozen_at": IN_OCTOBER}), (FrozenMonth, {"time_zone": "Asia/Tokyo"}), (FrozenMonth, {"sha256": "0" * 64}),
    ],
)  # fmt: skip
def test_changed_snapshot_is_not_verified(model: type[Any], changes: dict[str, Any]) -> None:
    charged(5, at=IN_OCTOBER, cost_centre="CC-1")
    freeze()
    model.objects.update(**changes)
    assert not is_intact(FrozenMonth.objects.get())


def test_line_that_is_added_or_gone_is_noticed() -> None:
    charged(5, at=IN_OCTOBER)
    frozen = freeze()
    added = FrozenLine.objects.create(frozen=frozen, cost_nano=0, calls=0, unpriced_calls=0, estimated_calls=0, cost_centre="CC-9")
    assert not is_intact(frozen)
    added.delete()
    assert is_intact(frozen)
    frozen.lines.all().delete()
    assert not is_intact(frozen)


def test_new_hash_over_changed_lines_contradicts_the_trail() -> None:
    charged(5, at=IN_OCTOBER)
    frozen = freeze()
    frozen.lines.update(cost_nano=4)
    frozen.cost_nano = 4
    frozen.sha256 = digest(text_of(frozen))
    frozen.save()
    assert digest(text_of(FrozenMonth.objects.get())) == frozen.sha256
    assert not is_intact(FrozenMonth.objects.get())


# ── nothing lost, nothing twice ───────────────────────────────────────────────
ZONES = ("UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "America/Asuncion")
MONTHS = ("2024-09", "2024-10", "2024-11", "2024-12", "2025-01")
NAMES = st.sampled_from(["", "a", "b"])
# A moment of the months above, many of them around an end, in seconds from their first.
DAYS = st.sampled_from([0, 29, 30, 31, 60, 61, 91, 92])
AROUND_ENDS = st.builds(lambda day, second: day * 86_400 + second, DAYS, st.integers(-20_000, 108_000))
CALL = st.fixed_dictionaries(
    {
        "nano": st.integers(-(10**10), 10**12), "at": AROUND_ENDS, "cost_centre": NAMES, "team_id": NAMES, "key_id": NAMES,
        "is_unpriced": st.booleans(),
    }
)  # fmt: skip
CLOSE = st.tuples(st.sampled_from(["freeze", "unfreeze"]), st.sampled_from(MONTHS[1:4]))
STEPS = st.lists(st.one_of(CALL, CLOSE), max_size=14)


def take(step: Any, zone: ZoneInfo) -> None:
    """What is refused changes nothing, so it may be."""
    match step:
        case dict():
            charged(**step | {"at": datetime(2024, 10, 1, tzinfo=UTC) + timedelta(seconds=step["at"])})
        case ("freeze", key) if not FrozenMonth.objects.filter(month=key).exists():
            freeze(month(key, zone))
        case ("unfreeze", key) if not FrozenLine.objects.filter(adjusts=key).exists():
            _unfreeze(key)


def _unfreeze(key: str) -> None:
    for frozen in FrozenMonth.objects.filter(month=key):
        unfreeze_month(frozen, actor=ADMIN)


def ledger(start: datetime, end: datetime) -> int:
    entries = LedgerEntry.objects.filter(budget_id=None, at__gte=start, at__lt=end)
    return int(entries.aggregate(nano=Sum("amount_nano", default=0))["nano"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS, zone=st.sampled_from(ZONES))
def test_whatever_is_frozen_when_bills_add_up_to_the_ledger(steps: list[Any], zone: str) -> None:
    with undone():
        first, last = (month(key, ZoneInfo(zone)) for key in (MONTHS[0], MONTHS[-1]))
        for step in steps:
            kept = _kept(first, last)
            take(step, first.zone)
            assert {key: sums for key, sums in _kept(first, last).items() if key in kept} == {
                key: sums for key, sums in kept.items() if FrozenMonth.objects.filter(month=key).exists()
            }
        found = bills(first, last, LINE)
        assert sum(one.total.cost_nano for one in found) == ledger(first.start, last.end)
        assert [added([one.own, one.since]).cost_nano for one in found] == [ledger(one.month.start, one.month.end) for one in found]
        assert all(is_intact(one) for one in FrozenMonth.objects.all())
        assert prove() == []


def _kept(first: Month, last: Month) -> dict[str, Amounts]:
    return {one.month.key: one.total for one in bills(first, last, LINE) if one.frozen}
