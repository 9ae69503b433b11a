"""Groups of an identity provider to roles and teams."""

import pytest

from keys.sso_groups import (
    Changes,
    Identity,
    NotAdmitted,
    Place,
    Rules,
    TeamGrant,
    Why,
    WrongMap,
    groups_in,
    membership_changes,
    new_role,
    place,
    role_map,
    team_map,
)

MAPPED = Rules(roles=(("gw-admins", "admin"), ("gw-fin", "finance"), ("staff", "viewer")), teams=(TeamGrant("data", "Data"),))


def someone(*groups: str, email: str = "ada@example.com", verified: bool = True) -> Identity:
    return Identity("oidc", "1", email, verified, frozenset(groups))


def refused(rules: Rules, who: Identity) -> Why:
    with pytest.raises(NotAdmitted) as told:
        place(rules, who)
    return told.value.why


def test_maps_are_read_as_pairs() -> None:
    assert role_map("gw-admins:admin, gw-fin:finance") == (("gw-admins", "admin"), ("gw-fin", "finance"))
    assert team_map("d:Data,l:Data:manager") == (TeamGrant("d", "Data"), TeamGrant("l", "Data", "manager"))


def test_maps_are_read_as_json_where_names_hold_commas_and_colons() -> None:
    assert role_map('{"CN=admins,OU=gw": "admin"}') == (("CN=admins,OU=gw", "admin"),)
    assert team_map('{"a:b": ["Data", "Ops: east:manager"]}') == (TeamGrant("a:b", "Data"), TeamGrant("a:b", "Ops: east", "manager"))


@pytest.mark.parametrize("text", ["gw-admins", "gw:root", "gw:manager", ":admin", "{oops", "gw:"])
def test_wrong_role_map_is_refused(text: str) -> None:
    with pytest.raises(WrongMap):
        role_map(text)


@pytest.mark.parametrize("text", ["gw-data", ":Data", "gw:"])
def test_wrong_team_map_is_refused(text: str) -> None:
    with pytest.raises(WrongMap):
        team_map(text)


@pytest.mark.parametrize(
    ("claims", "claim", "groups"),
    [
        ({"groups": ["a", "/b"]}, "groups", {"a", "b"}),
        ({"groups": "a"}, "groups", {"a"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({"https://x.example/groups": ["a"]}, "https://x.example/groups", {"a"}),
        ({"groups": [1, None, "a", " "]}, "groups", {"a"}),
        ({}, "groups", set()),
        ({"realm_access": "x"}, "realm_access.roles", set()),
    ],
)
def test_groups_are_found_in_claims(claims: dict[str, object], claim: str, groups: set[str]) -> None:
    assert groups_in(claims, claim) == frozenset(groups)


@pytest.mark.parametrize(
    "claims",
    [
        {"hasgroups": True},
        {"_claim_names": {"groups": "src1"}},
        {"http://schemas.microsoft.com/claims/groups.link": ["https://graph.microsoft.com/v1.0/users/1/getMemberObjects"]},
    ],
)
def test_groups_left_out_for_their_number_are_not_no_groups(claims: dict[str, object]) -> None:
    assert groups_in(claims, "groups") is None
    assert refused(MAPPED, Identity("oidc", "1", "ada@example.com", True, None)) is Why.TOO_MANY_GROUPS


def test_groups_left_out_keep_nobody_out_where_nothing_goes_by_them() -> None:
    rules = Rules(domains=frozenset({"example.com"}), default_role="member")
    assert place(rules, Identity("oidc", "1", "ada@example.com", True, None)) == Place("member", False, {})


def test_highest_role_wins() -> None:
    assert place(MAPPED, someone("staff", "gw-admins", "gw-fin")) == Place("admin", True, {})
    assert place(MAPPED, someone("staff", "gw-fin")).role == "finance"


def test_team_group_alone_makes_a_member() -> None:
    assert place(MAPPED, someone("data")) == Place("member", False, {"Data": "member"})


def test_managers_group_wins_over_members_group() -> None:
    rules = Rules(teams=team_map("leads:Data:manager,all:Data"))
    assert place(rules, someone("all", "leads")).teams == {"Data": "manager"}


def test_nobody_without_a_mapped_group_comes_in_unless_there_is_a_default() -> None:
    assert refused(MAPPED, someone("other")) is Why.GROUP
    assert place(Rules(roles=MAPPED.roles, default_role="viewer"), someone("other")) == Place("viewer", False, {})


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (someone(email=""), Why.NO_EMAIL),
        (someone(verified=False), Why.EMAIL_UNVERIFIED),
        (someone(email="ada@elsewhere.example"), Why.DOMAIN),
        (someone(email="ada@example.com.evil.example"), Why.DOMAIN),
        (someone(email="ada@sub.example.com"), Why.DOMAIN),
        (someone("other"), Why.GROUP),
    ],
)
def test_others_are_refused(who: Identity, why: Why) -> None:
    assert refused(Rules(domains=frozenset({"example.com"}), groups=frozenset({"gw"}), default_role="member"), who) is why


def test_domain_is_compared_without_case() -> None:
    rules = Rules(domains=frozenset({"example.com"}), default_role="member")
    assert place(rules, someone(email="Ada@Example.COM")).role == "member"


@pytest.mark.parametrize(
    ("given", "held", "from_groups", "role"),
    [
        (Place("finance", True, {}), "admin", "admin", "finance"),
        (Place("finance", True, {}), "admin", "", "finance"),
        (Place("member", False, {}), "admin", "admin", "member"),
        (Place("member", False, {}), "admin", "", "admin"),
        (Place("member", False, {}), "admin", "finance", "admin"),
    ],
)
def test_role_from_a_group_goes_with_the_group_and_one_by_hand_stays(given: Place, held: str, from_groups: str, role: str) -> None:
    assert new_role(given, held=held, from_groups=from_groups) == role


def test_memberships_follow_groups_and_those_by_hand_stay() -> None:
    held = {"by-hand": "member", "gone": "member", "raised": "member", "kept": "member", "hand-too": "member"}
    wanted = {"new": "manager", "raised": "manager", "kept": "member", "hand-too": "manager"}
    found = membership_changes(wanted, held, frozenset({"gone", "raised", "kept", "left-long-ago"}))
    assert found == Changes({"new": "manager"}, {"raised": "manager"}, frozenset({"gone"}), frozenset({"new", "raised", "kept"}))
