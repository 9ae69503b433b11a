from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from audit.models import AuditEvent
from audit.notice import subscribe
from audit.rows import ChangeRefused
from audit.trail import SYSTEM
from keys import actions
from keys.models import Membership, Team, User, VirtualKey
from keys.secrets import hash_token
from tests.factories import make_admin, make_key, make_organisation, make_team, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def notices() -> Iterator[list[str]]:
    heard: list[str] = []
    undo = subscribe(lambda: heard.append("changed"))
    yield heard
    undo()


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("event", flat=True))


def last_event() -> AuditEvent:
    return AuditEvent.objects.order_by("-id")[0]


def test_issued_key_is_kept_as_hash() -> None:
    key, token = make_key()
    assert key.token_hash == key.id == hash_token(token)
    assert key.last_four == token[-4:]
    assert token not in str(VirtualKey.objects.values().get())


def test_audit_of_issue_holds_neither_token_nor_hash() -> None:
    key, token = make_key()
    told = f"{last_event().before} {last_event().after}"
    assert token not in told
    assert last_event().after["token_hash"] == "set"
    assert last_event().object_id == key.pk


def test_chosen_token_is_used() -> None:
    key, token = make_key(token="sk-my-own-token-1")
    assert token == "sk-my-own-token-1"
    assert key.token_hash == hash_token(token)


@pytest.mark.parametrize("token", ["no-prefix-token", "sk-1", "sk-with space"])
def test_unfit_chosen_token_is_refused(token: str) -> None:
    with pytest.raises(ChangeRefused):
        make_key(token=token)
    assert events() == []


def test_token_in_use_is_refused() -> None:
    make_key("one", token="sk-my-own-token-1")
    with pytest.raises(ChangeRefused, match="taken"):
        make_key("two", token="sk-my-own-token-1")


def test_master_key_is_never_a_virtual_key() -> None:
    with pytest.raises(ChangeRefused, match="taken"):
        make_key(token=settings.TALLYGATE_MASTER_KEY)


def test_rotated_away_token_is_not_given_again() -> None:
    key, token = make_key(token="sk-my-own-token-1")
    actions.rotate_key(key, actor=SYSTEM, overlap=timedelta(hours=1))
    with pytest.raises(ChangeRefused, match="taken"):
        make_key("two", token=token)


def test_two_live_keys_cannot_share_a_name() -> None:
    make_key("laptop")
    with pytest.raises(ChangeRefused, match="already named"):
        make_key("laptop")


def test_name_is_free_again_after_revocation() -> None:
    key, _ = make_key("laptop")
    actions.revoke_key(key, actor=SYSTEM)
    assert make_key("laptop")[0].pk != key.pk


def test_cost_centre_comes_from_metadata_when_empty() -> None:
    assert make_key("a", metadata={"cost_center": "CC-1"})[0].cost_centre == "CC-1"
    assert make_key("b", metadata={"cost_centre": "CC-2"})[0].cost_centre == "CC-2"
    assert make_key("c", metadata={"cost_center": "CC-1"}, cost_centre="CC-9")[0].cost_centre == "CC-9"


def test_rotation_keeps_the_old_token_for_the_overlap() -> None:
    key, old = make_key()
    new = actions.rotate_key(key, actor=SYSTEM, overlap=timedelta(hours=24), now=NOW)
    key.refresh_from_db()
    assert key.token_hash == hash_token(new)
    assert (key.previous_hash, key.previous_valid_until) == (hash_token(old), NOW + timedelta(hours=24))
    assert key.id == hash_token(old)


def test_rotation_without_overlap_forgets_the_old_token() -> None:
    key, _ = make_key()
    actions.rotate_key(key, actor=SYSTEM)
    key.refresh_from_db()
    assert (key.previous_hash, key.previous_valid_until) == ("", None)


def test_overlap_is_limited() -> None:
    with pytest.raises(ChangeRefused):
        actions.rotate_key(make_key()[0], actor=SYSTEM, overlap=timedelta(days=31))


def test_revoked_key_is_revoked_for_good() -> None:
    key, _ = make_key()
    actions.rotate_key(key, actor=SYSTEM, overlap=timedelta(hours=24))
    revoked = actions.revoke_key(key, actor=SYSTEM)
    assert revoked.state(NOW) == "revoked"
    assert revoked.previous_hash == ""
    with pytest.raises(ChangeRefused, match="revoked"):
        actions.rotate_key(key, actor=SYSTEM)


def test_revoking_twice_is_one_event() -> None:
    key, _ = make_key()
    actions.revoke_key(key, actor=SYSTEM)
    actions.revoke_key(key, actor=SYSTEM)
    assert events() == ["key.issued", "key.revoked"]


def test_blocked_key_can_be_unblocked() -> None:
    key, _ = make_key()
    assert actions.block_key(key, actor=SYSTEM).state(NOW) == "blocked"
    assert actions.unblock_key(key, actor=SYSTEM).state(NOW) == "active"
    assert events() == ["key.issued", "key.blocked", "key.unblocked"]


def test_change_records_only_what_changed() -> None:
    key, _ = make_key(rpm_limit=10)
    actions.change_key(key, {"rpm_limit": 20, "name": "laptop"}, actor=SYSTEM)
    changed = {name: value for name, value in last_event().after.items() if name != "updated_at"}
    assert (last_event().before["rpm_limit"], changed) == (10, {"rpm_limit": 20})


def test_change_of_nothing_records_nothing() -> None:
    key, _ = make_key(rpm_limit=10)
    actions.change_key(key, {"rpm_limit": 10}, actor=SYSTEM)
    assert events() == ["key.issued"]


@pytest.mark.parametrize("field", ["token_hash", "id", "revoked_at", "created_by", "previous_hash", "pk"])
def test_field_outside_the_list_cannot_be_changed(field: str) -> None:
    with pytest.raises(ChangeRefused, match=field):
        actions.change_key(make_key()[0], {field: "x"}, actor=SYSTEM)


@pytest.mark.parametrize("change", [{"allowed_ips": ["nonsense"]}, {"tags": "text"}, {"rpm_limit": -1}, {"allowed_models": [1]}])
def test_wrong_value_is_refused_and_nothing_written(change: dict[str, object]) -> None:
    key, _ = make_key()
    with pytest.raises(ChangeRefused):
        actions.change_key(key, change, actor=SYSTEM)
    assert events() == ["key.issued"]


def test_team_with_keys_cannot_be_deleted() -> None:
    team = make_team()
    make_key(team=team)
    with pytest.raises(ChangeRefused, match="1 virtual keys still belong"):
        actions.delete_team(team, actor=SYSTEM)
    assert Team.objects.filter(pk=team.pk).exists()


def test_user_with_keys_cannot_be_deleted() -> None:
    bob = make_user("bob")
    make_key(user=bob)
    with pytest.raises(ChangeRefused, match="still belong"):
        actions.delete_user(bob, actor=SYSTEM)


def test_deleted_team_takes_its_members_along_with_events() -> None:
    team, bob = make_team(), make_user("bob")
    actions.add_member(Membership(team=team, user=bob), actor=SYSTEM)
    actions.delete_team(team, actor=SYSTEM)
    assert events()[-2:] == ["member.removed", "team.deleted"]


def test_organisation_with_teams_cannot_be_deleted() -> None:
    organisation = make_organisation()
    make_team(organisation=organisation)
    with pytest.raises(ChangeRefused):
        actions.delete_organisation(organisation, actor=SYSTEM)


def test_blocking_a_team_has_its_own_event() -> None:
    team = make_team()
    actions.change_team(team, {"is_blocked": True}, actor=SYSTEM)
    actions.change_team(team, {"is_blocked": False}, actor=SYSTEM)
    assert events()[-2:] == ["team.blocked", "team.unblocked"]


def test_role_admin_opens_the_admin_and_losing_it_closes() -> None:
    make_admin()
    alice = actions.change_user(make_user("alice"), {"role": User.Role.ADMIN}, actor=SYSTEM)
    assert (alice.is_staff, alice.is_superuser) == (True, True)
    alice = actions.change_user(alice, {"role": User.Role.MEMBER}, actor=SYSTEM)
    assert (alice.is_staff, alice.is_superuser) == (False, False)


@pytest.mark.parametrize("change", [{"role": "member"}, {"is_active": False}, {"is_blocked": True}])
def test_last_administrator_stays(change: dict[str, object]) -> None:
    root = make_admin()
    with pytest.raises(ChangeRefused, match="remain administrator"):
        actions.change_user(root, change, actor=SYSTEM)
    root.refresh_from_db()
    assert root.role == User.Role.ADMIN


def test_flags_of_django_cannot_be_changed_directly() -> None:
    with pytest.raises(ChangeRefused):
        actions.change_user(make_user(), {"is_superuser": True}, actor=SYSTEM)


def test_changed_password_is_told_without_itself() -> None:
    bob = make_user("bob")
    actions.set_password(bob, "another-password-77", actor=SYSTEM)
    assert last_event().after == {"password": "changed"}


def test_unknown_user_of_a_script_is_made_without_a_way_in() -> None:
    person = actions.known_user("sso|123 x", actor=SYSTEM)
    assert not person.has_usable_password()
    assert actions.known_user("sso|123 x", actor=SYSTEM) == person
    assert events() == ["user.created"]


def test_commit_tells_the_process(notices: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        make_key()
        assert notices == []
    assert notices == ["changed"]


@pytest.mark.django_db(transaction=True)
def test_rollback_leaves_no_key_no_event_no_notice(notices: list[str]) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        make_key()
        raise RuntimeError
    assert (VirtualKey.objects.count(), events(), notices) == (0, [], [])
