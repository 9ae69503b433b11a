"""Claims → whom a token names; with rows of people and teams → the caller that a key of theirs would be."""

from typing import Any

import pytest

from audit.models import AuditEvent
from audit.trail import SYSTEM
from keys.actions import change_team, change_user
from keys.authenticate import Refusal
from keys.jwt_claims import ClaimNames, Identity, caller_of, identity, key_id_of, person_of, team_of
from keys.jwt_people import admit_by_token
from keys.loading import load_directory, load_keys
from keys.models import Membership, Organisation, Team, User
from keys.snapshot import Caller, Limit
from tests.factories import make_key, make_organisation, make_team, make_user
from tests.keys.test_loading import MASTER, NOW

USUAL = ClaimNames()


def read(names: ClaimNames = USUAL, **claims: Any) -> Identity:
    return identity(claims, names)


@pytest.mark.parametrize(("claims", "user", "teams"), [
    ({"user": "alice", "team": "blue"}, "alice", ("blue",)),
    ({"sub": "00u1", "user": None, "team": ["blue", "red"]}, "00u1", ("blue", "red")),
    ({"user": " alice ", "sub": "other", "team": []}, "alice", ()),
    ({"email": "Alice@Example.com", "email_verified": True}, "alice@example.com", ()),
])  # fmt: skip
def test_token_names_user_and_teams(claims: dict[str, Any], user: str, teams: tuple[str, ...]) -> None:
    assert (read(**claims).user, read(**claims).teams) == (user, teams)


@pytest.mark.parametrize("claims", [
    {}, {"user": ""}, {"user": 5}, {"user": ["a", "b"]}, {"user": {"id": "a"}}, {"user": "a\0b"}, {"user": "x" * 65},
    {"user": "a", "team": 5}, {"user": "a", "team": [{}]},
    {"user": "a", "models": 5}, {"user": "a", "models": "a\nb"}, {"email": "a@x.org"}, {"user": True},
])  # fmt: skip
def test_claims_half_understood_open_nothing(claims: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        identity(claims, USUAL)
    assert caught.value.code == "token_invalid"


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_email_counts_only_when_it_is_verified(verified: object) -> None:
    """R103."""
    assert read(user="a", email="ceo@example.com", email_verified=verified).email == ""


def test_claims_may_lie_deeper_or_have_dots_in_their_names() -> None:
    names = ClaimNames(user=("https://acme.example/id",), team=("realm.groups",))
    told = identity({"https://acme.example/id": "alice", "realm": {"groups": ["blue"]}}, names)
    assert (told.user, told.teams) == ("alice", ("blue",))


def test_nothing_makes_an_administrator_unless_the_operator_names_it() -> None:
    claims = {"user": "a", "role": "admin", "roles": ["proxy_admin"], "scope": "litellm_proxy_admin"}
    assert read(USUAL, **claims).role == ""
    assert read(ClaimNames(role=("roles",)), **claims).role == "admin"
    assert read(ClaimNames(admin_scope="litellm_proxy_admin"), **claims).role == "admin"
    assert read(ClaimNames(role=("role",)), user="a", role="superuser").role == ""


def test_models_claim_narrows() -> None:
    told = read(user="a", models=["claude-haiku*"]).models
    assert told and told.allows("claude-haiku-5") and not told.allows("claude-opus")
    assert read(user="a", models=["all-team-models"]).models is None


@pytest.mark.parametrize(("user", "team", "name"), [("alice", "blue", "jwt:alice:blue"), ("a:b", "c", None), ("u" * 40, "t" * 40, None)])
def test_spend_has_one_name_per_person_and_team(user: str, team: str, name: str | None) -> None:
    found = key_id_of(user, team)
    assert found == (name or found) and len(found) <= 64
    assert found not in {key_id_of(team, user), key_id_of("a", "b:c"), "jwt:a:b:c"}


# ── from rows ─────────────────────────────────────────────────────────────────
def caller(who: Identity, default_team: str = "") -> Caller:
    directory = load_directory()
    person = person_of(who, directory)
    assert person is not None
    return caller_of(who, person, team_of(who, directory, default_team), 100)


@pytest.mark.django_db
def test_caller_is_what_a_key_of_this_person_in_this_team_would_be() -> None:
    team = make_team("Blue", organisation=make_organisation(), cost_centre="CC", tags=["x"], allowed_models=["claude-*"], rpm_limit=9)
    Team.objects.filter(pk=team.pk).update(model_limits={"claude-opus": {"rpm": 1}})
    user = change_user(make_user(), {"tpm_limit": 7}, actor=SYSTEM)
    _, token = make_key(user=user, team=team)
    by_key = next(one for one in load_keys(MASTER, NOW).callers.values() if one.team_id == team.pk)
    found, name = caller(Identity("alice", teams=("Blue",))), key_id_of(user.pk, team.pk)
    assert found.limits == (Limit("parallel", "key", name, "", 100, is_shared=False), *by_key.limits[1:])
    same = ("user_id", "user_name", "team_id", "organisation_id", "cost_centre", "tags", "model_lists", "model_limits", "networks")
    assert [getattr(found, one) for one in same] == [getattr(by_key, one) for one in same]
    assert (found.key_id, found.is_master, token in repr(found)) == (name, False, False)


@pytest.mark.django_db
@pytest.mark.parametrize("row", [User, Team, Organisation])
def test_block_of_person_team_or_organisation_blocks_the_token(row: Any) -> None:
    make_team("Blue", organisation=make_organisation())
    make_user()
    row.objects.update(is_blocked=True)
    assert caller(Identity("alice", teams=("Blue",))).blocked


@pytest.mark.django_db
def test_person_is_found_by_id_name_or_email() -> None:
    user = make_user()
    directory = load_directory()
    for who in (Identity(user.pk), Identity("alice"), Identity("Alice@Example.com"), Identity("00u1", "alice@example.com")):
        found = person_of(who, directory)
        assert found is not None and found.user_id == user.pk
    assert person_of(Identity("ALICE"), directory) is None


@pytest.mark.django_db
def test_email_of_two_people_names_neither() -> None:
    make_user()
    change_user(make_user("bob"), {"email": "alice@example.com"}, actor=SYSTEM)
    assert person_of(Identity("00u1", "alice@example.com"), load_directory()) is None


@pytest.mark.django_db
def test_first_team_that_exists_counts_and_a_name_of_two_is_none() -> None:
    blue, twins = make_team("Blue"), [make_team("Twin") for _ in range(2)]
    directory = load_directory()
    assert team_of(Identity("a", teams=("Twin", "nobody", "Blue")), directory, "").team_id == blue.pk
    assert team_of(Identity("a", teams=(twins[1].pk,)), directory, "").team_id == twins[1].pk
    assert team_of(Identity("a"), directory, "Blue").team_id == blue.pk
    for teams, default in ((("Twin",), "Blue"), ((), ""), (("",), "")):
        with pytest.raises(Refusal) as caught:
            team_of(Identity("a", teams=teams), directory, default)
        assert caught.value.code == "team_unknown"


# ── somebody new ──────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_somebody_new_is_made_once_in_the_team_and_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keys.jwt_people.close_old_connections", lambda: None)
    team = make_team("Blue")
    for _ in range(2):
        admit_by_token(Identity("auth0|17", "new@example.com", role="viewer"), team.pk)
    person = User.objects.get(pk="auth0|17")
    assert (person.email, person.role, person.is_superuser, person.has_usable_password()) == ("new@example.com", "viewer", False, False)
    assert Membership.objects.get(user=person).team == team
    events = AuditEvent.objects.filter(actor_name="signed token").values_list("event", flat=True)
    assert sorted(events) == ["member.added", "user.changed", "user.created"]


@pytest.mark.django_db
def test_somebody_new_does_not_take_the_email_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keys.jwt_people.close_old_connections", lambda: None)
    make_user()
    admit_by_token(Identity("00u1", "alice@example.com"), make_team().pk)
    assert User.objects.get(pk="00u1").email == ""


@pytest.mark.django_db
def test_team_that_was_just_deleted_gets_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keys.jwt_people.close_old_connections", lambda: None)
    with pytest.raises(Refusal) as caught:
        admit_by_token(Identity("00u1"), "gone")
    assert caught.value.code == "user_unknown"
    assert not User.objects.filter(pk="00u1").exists()


@pytest.mark.django_db
def test_change_of_the_team_is_the_tokens_too() -> None:
    team, _ = make_team("Blue"), make_user()
    who = Identity("alice", teams=("Blue",))
    assert caller(who).allows("claude-opus")
    change_team(team, {"allowed_models": ["claude-haiku"]}, actor=SYSTEM)
    assert not caller(who).allows("claude-opus")
