import pytest
from django.db import transaction

from audit.models import AuditEvent
from audit.trail import SYSTEM, describe, first_broken, record_change, version
from keys import actions
from tests.factories import make_credential, make_key, make_team

pytestmark = pytest.mark.django_db


def make_history() -> list[int]:
    team = make_team()
    actions.change_team(team, {"name": "Find"}, actor=SYSTEM)
    make_key(team=team)
    return list(AuditEvent.objects.order_by("id").values_list("id", flat=True))


def test_untouched_chain_is_whole() -> None:
    make_history()
    assert first_broken() is None


@pytest.mark.parametrize("change", [{"event": "team.deleted"}, {"after": {"name": "x"}}, {"actor_name": "Mallory"}, {"ip": "1.2.3.4"}])
def test_changed_event_is_found(change: dict[str, object]) -> None:
    ids = make_history()
    AuditEvent.objects.filter(pk=ids[1]).update(**change)
    broken = first_broken()
    assert broken is not None
    assert broken.pk == ids[1]


def test_removed_event_is_found() -> None:
    ids = make_history()
    AuditEvent.objects.filter(pk=ids[1]).delete()
    broken = first_broken()
    assert broken is not None
    assert broken.pk == ids[2]


def test_version_rises_with_every_change() -> None:
    before = version()
    make_team()
    assert version() > before


def test_unknown_event_is_refused() -> None:
    with transaction.atomic(), pytest.raises(ValueError, match="not an audit event"):
        record_change("team.exploded", make_team(), actor=SYSTEM)


@pytest.mark.django_db(transaction=True)
def test_event_needs_the_transaction_of_its_change() -> None:
    team = make_team()
    with pytest.raises(RuntimeError):
        record_change("team.changed", team, actor=SYSTEM)


def test_described_row_hides_its_secret() -> None:
    assert describe(make_credential())["secret"] == "set"
