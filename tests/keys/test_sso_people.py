"""Signing in through an identity provider: who is found or made, and what their groups give and take."""

from dataclasses import replace

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from audit.models import AuditEvent
from audit.trail import Actor, first_broken
from keys.actions import add_member, change_user, create_team, create_user
from keys.models import Membership, Team, User
from keys.sso_groups import Identity, NotAdmitted, Rules, Why, role_map, team_map
from keys.sso_people import Profile, sign_in

pytestmark = pytest.mark.django_db
ACTOR = Actor("system", name="sign-in with Corp")
RULES = Rules(roles=role_map("admins:admin,fin:finance,staff:member"), teams=team_map("data:Data,data-leads:Data:manager,ops:Ops"))
PROFILE = Profile("Ada", "Lovelace", {"groups": ["data"]})


def ada(*groups: str) -> Identity:
    return Identity("company", "https://idp.example ada", "ada@example.com", True, frozenset(groups))


def come(who: Identity, rules: Rules = RULES) -> User:
    return sign_in(who, PROFILE, rules, actor=ACTOR)


def refused(who: Identity, rules: Rules = RULES) -> Why:
    with pytest.raises(NotAdmitted) as told:
        come(who, rules)
    return told.value.why


def places(person: User) -> dict[str, str]:
    return dict(Membership.objects.filter(user=person).values_list("team__name", "role"))


@pytest.fixture(autouse=True)
def teams() -> dict[str, Team]:
    return {name: create_team(Team(name=name), actor=ACTOR) for name in ("Data", "Ops", "Hand")}


@pytest.fixture(autouse=True)
def root() -> User:
    return create_user(User(username="root", role=User.Role.ADMIN), actor=ACTOR)


def test_somebody_new_is_made_with_role_and_teams_and_without_a_password() -> None:
    person = come(ada("fin", "data-leads"))
    assert (person.role, places(person)) == ("finance", {"Data": "manager"})
    assert (person.email, person.first_name, person.last_name) == ("ada@example.com", "Ada", "Lovelace")
    assert not person.has_usable_password()
    assert SocialAccount.objects.get().user == person


def test_every_change_is_in_the_audit_trail() -> None:
    come(ada("fin", "data"))
    come(ada("staff"))
    told = list(
        AuditEvent.objects.filter(actor_name=ACTOR.name).exclude(event="team.created").order_by("id").values_list("event", flat=True)
    )
    assert told == ["user.created", "user.created", "member.added", "user.changed", "member.removed", "user.changed"]
    assert first_broken() is None


def test_sign_in_without_a_change_writes_nothing() -> None:
    come(ada("fin", "data"))
    before = AuditEvent.objects.count()
    come(ada("fin", "data"))
    assert AuditEvent.objects.count() == before


def test_membership_and_role_go_with_the_group() -> None:
    come(ada("admins", "data", "ops"))
    person = come(ada("ops"))
    assert (person.role, places(person)) == ("member", {"Ops": "member"})
    assert not person.is_staff
    assert not person.is_superuser


def test_group_of_managers_raises_and_lowers() -> None:
    come(ada("data"))
    assert places(come(ada("data-leads"))) == {"Data": "manager"}
    assert places(come(ada("data"))) == {"Data": "member"}


def test_what_was_given_by_hand_stays(teams: dict[str, Team]) -> None:
    person = come(ada("staff"))
    for name in ("Hand", "Data"):
        add_member(Membership(team=teams[name], user=person, role="manager"), actor=ACTOR)
    come(ada("staff", "data"))
    assert places(come(ada("staff"))) == {"Hand": "manager", "Data": "manager"}


def test_script_that_writes_its_own_metadata_does_not_make_a_membership_last() -> None:
    change_user(come(ada("staff", "data")), {"metadata": {"cost": "42"}}, actor=ACTOR)
    person = come(ada("staff"))
    assert places(person) == {}
    assert person.metadata["cost"] == "42"


def test_role_by_hand_stays_where_no_group_gives_one() -> None:
    person = come(ada("ops"))
    change_user(person, {"role": "finance"}, actor=ACTOR)
    assert come(ada("ops")).role == "finance"


def test_somebody_here_is_linked_by_the_verified_address_without_regard_to_case() -> None:
    local = create_user(User(username="al", email="Ada@Example.com", metadata={"note": "kept"}), actor=ACTOR, password="a-long-secret")
    person = come(ada("data"))
    assert person.pk == local.pk
    assert person.metadata["note"] == "kept"
    assert person.check_password("a-long-secret")


def test_unverified_address_links_and_makes_nobody() -> None:
    create_user(User(username="al", email="ada@example.com"), actor=ACTOR)
    assert refused(replace(ada("admins"), is_email_verified=False)) is Why.EMAIL_UNVERIFIED
    assert not SocialAccount.objects.exists()


def test_address_of_two_people_is_refused() -> None:
    for name in ("a", "b"):
        create_user(User(username=name, email="ada@example.com"), actor=ACTOR)
    assert refused(ada("staff")) is Why.EMAIL_OF_SEVERAL


def test_address_handed_on_to_a_new_colleague_does_not_open_the_old_account() -> None:
    come(ada("admins"))
    assert refused(replace(ada("staff"), uid="https://idp.example other")) is Why.EMAIL_TAKEN


def test_changed_address_is_followed_unless_somebody_has_it() -> None:
    come(ada("staff"))
    assert come(replace(ada("staff"), email="ada@new.example")).email == "ada@new.example"
    create_user(User(username="b", email="b@example.com"), actor=ACTOR)
    assert come(replace(ada("staff"), email="b@example.com")).email == "ada@new.example"


def test_blocked_person_is_refused_and_nothing_changes() -> None:
    change_user(come(ada("staff")), {"is_blocked": True}, actor=ACTOR)
    assert refused(ada("admins", "data")) is Why.BLOCKED
    person = User.objects.get(email="ada@example.com")
    assert (person.role, places(person)) == ("member", {})


def test_nobody_new_comes_without_rules_and_somebody_known_does() -> None:
    anybody = Rules(default_role="member")
    assert refused(ada(), anybody) is Why.UNKNOWN
    create_user(User(username="al", email="ada@example.com", role="finance"), actor=ACTOR)
    assert come(ada(), anybody).role == "finance"


def test_who_lost_every_group_is_refused_and_loses_what_they_gave(client: Client) -> None:
    person = come(ada("admins", "data"))
    assert refused(ada("gone")) is Why.GROUP
    person.refresh_from_db()
    assert (person.role, places(person), person.is_superuser) == ("viewer", {}, False)


def test_groups_that_are_too_many_to_be_told_refuse_and_take_nothing() -> None:
    come(ada("admins", "data"))
    assert refused(replace(ada(), groups=None)) is Why.TOO_MANY_GROUPS
    person = User.objects.get(email="ada@example.com")
    assert (person.role, places(person)) == ("admin", {"Data": "member"})


def test_last_administrator_is_not_lost(root: User) -> None:
    come(ada("admins"))
    change_user(root, {"is_blocked": True}, actor=ACTOR)
    assert refused(ada("staff")) is Why.LAST_ADMIN
    assert refused(ada("gone")) is Why.LAST_ADMIN
    assert User.objects.get(email="ada@example.com").role == "admin"


def test_team_by_id_counts_and_one_that_is_not_there_is_left_out(teams: dict[str, Team]) -> None:
    rules = Rules(teams=team_map(f"data:{teams['Data'].pk},data:Nowhere"))
    assert places(come(ada("data"), rules)) == {"Data": "member"}


def test_name_of_two_teams_gives_neither() -> None:
    create_team(Team(name="Data"), actor=ACTOR)
    assert places(come(ada("data"))) == {}


def test_taken_or_unfit_user_name_gets_another() -> None:
    create_user(User(username="ada@example.com"), actor=ACTOR)
    assert come(ada("staff")).username != "ada@example.com"
    assert come(replace(ada("staff"), uid="2", email="o'neil@example.com")).username != "o'neil@example.com"
