"""Somebody signs in through an identity provider: found, or made, and given what their groups give. One transaction."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from audit.rows import ChangeRefused
from audit.trail import Actor
from keys.actions import add_member, change_member, change_user, create_user, remove_member
from keys.models import Membership, Team, User, new_id
from keys.sso_groups import SSO_MARK, Changes, Identity, NotAdmitted, Place, Rules, Why, membership_changes, new_role, place
from keys.sso_sessions import end_sessions

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Profile:
    """What else the provider tells of somebody."""

    first_name: str = ""
    last_name: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


def sign_in(who: Identity, profile: Profile, rules: Rules, *, actor: Actor) -> User:
    """The person, with the role and the teams of their groups; or NotAdmitted. Groups that are gone take with them what they gave."""
    try:
        given = place(rules, who)
    except NotAdmitted as refused:
        if refused.why is Why.GROUP:
            _withdraw(who, actor)
        raise
    try:
        with transaction.atomic():
            person = _known(who)
            if person is None:
                person = _made(who, profile, rules, given, actor)
            return _placed(_updated(person, who, actor), who, given, actor)
    except IntegrityError as error:
        # a second window signed in as the same new person at the same moment
        raise NotAdmitted(Why.UNTRUE) from error
    except ChangeRefused as error:
        raise NotAdmitted(Why.LAST_ADMIN if error.field == "role" else Why.UNTRUE) from error


# ── who it is ─────────────────────────────────────────────────────────────────
def _linked(who: Identity) -> User | None:
    account = SocialAccount.objects.filter(provider=who.provider, uid=who.uid).first()
    return User.objects.select_for_update().get(pk=account.user_id) if account else None


def _known(who: Identity) -> User | None:
    """By the provider's own id; the first time by the address that it has verified."""
    person = _linked(who) or _by_email(who)
    if person and (person.is_blocked or not person.is_active):
        raise NotAdmitted(Why.BLOCKED)
    return person


def _by_email(who: Identity) -> User | None:
    same = list(User.objects.select_for_update().filter(email__iexact=who.email)[:2])
    if len(same) > 1:
        raise NotAdmitted(Why.EMAIL_OF_SEVERAL)
    if not same:
        return None
    # companies give the address of somebody who left to somebody new
    if SocialAccount.objects.filter(provider=who.provider, user=same[0]).exists():
        raise NotAdmitted(Why.EMAIL_TAKEN)
    SocialAccount.objects.create(user=same[0], provider=who.provider, uid=who.uid)
    return same[0]


def _made(who: Identity, profile: Profile, rules: Rules, given: Place, actor: Actor) -> User:
    if not rules.decide:
        raise NotAdmitted(Why.UNKNOWN)
    draft = User(
        username=_username(who.email),
        email=who.email,
        first_name=profile.first_name[:150],
        last_name=profile.last_name[:150],
        role=given.role,
        metadata={SSO_MARK: {"provider": who.provider, "role": given.role, "teams": []}},
    )
    person = create_user(draft, actor=actor)
    SocialAccount.objects.create(user=person, provider=who.provider, uid=who.uid, extra_data=dict(profile.claims))
    return person


def _username(email: str) -> str:
    try:
        User.username_validator(email)
    except ValidationError:
        return new_id()
    is_taken = len(email) > 150 or User.objects.filter(username__iexact=email).exists()
    return new_id() if is_taken else email


def _updated(person: User, who: Identity, actor: Actor) -> User:
    """Follows a changed address, unless somebody else has it here."""
    if person.email.lower() == who.email.lower() or User.objects.filter(email__iexact=who.email).exists():
        return person
    return change_user(person, {"email": who.email}, actor=actor)


# ── what they may ─────────────────────────────────────────────────────────────
def _placed(person: User, who: Identity, given: Place, actor: Actor) -> User:
    mark = person.metadata.get(SSO_MARK) or {}
    from_groups = mark.get("role", "")
    role = new_role(given, held=person.role, from_groups=from_groups)
    is_ours = given.is_mapped or person.role == from_groups
    ours = _join(person, _by_id(given.teams), frozenset(mark.get("teams", ())), actor)
    told = {"provider": who.provider, "role": role if is_ours else "", "teams": sorted(ours)}
    return change_user(person, {"role": role, "metadata": {**person.metadata, SSO_MARK: told}}, actor=actor)


def _by_id(teams: Mapping[str, str]) -> dict[str, str]:
    """Teams by id in place of by id or name. One that is not there, or that two may be meant by, is left out."""
    rows = list(Team.objects.filter(Q(pk__in=teams) | Q(name__in=teams)).values_list("pk", "name"))
    found: dict[str, str] = {}
    for named, role in teams.items():
        ids = [pk for pk, _name in rows if pk == named] or [pk for pk, name in rows if name == named]
        if len(ids) != 1:
            logger.warning("The map of groups names team %s, of which there are %d", named, len(ids))
        elif found.get(ids[0]) != Membership.Role.MANAGER:
            found[ids[0]] = role
    return found


def _join(person: User, wanted: Mapping[str, str], ours: frozenset[str], actor: Actor) -> frozenset[str]:
    held = {membership.team_id: membership for membership in person.memberships.all()}
    changes: Changes = membership_changes(wanted, {team: membership.role for team, membership in held.items()}, ours)
    for team in changes.remove:
        remove_member(held[team], actor=actor)
    for team, role in changes.change.items():
        change_member(held[team], role, actor=actor)
    for team, role in changes.add.items():
        add_member(Membership(team_id=team, user=person, role=role), actor=actor)
    return changes.ours


def _withdraw(who: Identity, actor: Actor) -> None:
    """Somebody who lost every group that let them in: what those gave goes too, and they are signed out everywhere."""
    try:
        with transaction.atomic():
            person = _linked(who)
            mark = person.metadata.get(SSO_MARK) if person else None
            if person is None or not mark:
                return
            role = User.Role.VIEWER if person.role == mark.get("role") else person.role
            _join(person, {}, frozenset(mark.get("teams", ())), actor)
            told = {"provider": who.provider, "role": role if role == User.Role.VIEWER else "", "teams": []}
            change_user(person, {"role": role, "metadata": {**person.metadata, SSO_MARK: told}}, actor=actor)
            end_sessions(person)
    except ChangeRefused as error:
        raise NotAdmitted(Why.LAST_ADMIN) from error
