"""What people change about keys, teams, people and organisations. Each verb is one transaction: change, audit, notify on commit."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.rows import ChangeRefused, add_row, change_row, remove_row
from audit.trail import Actor
from keys.models import EVERY_MODEL, Membership, Organisation, Team, User, VirtualKey, new_id
from keys.secrets import hash_token, last_four, make_token, problem_with
from keys.sso_groups import SSO_MARK
from keys.sso_sessions import end_sessions

LONGEST_OVERLAP = timedelta(days=30)
COST_CENTRE_NAMES = ("cost_centre", "cost_center")


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What a new key is to be. Its fields are also all that change_key() may change."""

    name: str = ""
    team: Team | None = None
    user: User | None = None
    organisation: Organisation | None = None
    allowed_models: list[str] = field(default_factory=list)
    expires_at: datetime | None = None
    is_blocked: bool = False
    allowed_ips: list[str] = field(default_factory=list)
    required_header: str = ""
    required_header_hash: str = ""
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    parallel_limit: int | None = None
    model_limits: dict[str, dict[str, int]] = field(default_factory=dict)
    cost_centre: str = ""
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}


KEY_FIELDS = frozenset(item.name for item in fields(KeySpec))
LIMIT_FIELDS = frozenset({"rpm_limit", "tpm_limit", "parallel_limit"})
TEAM_FIELDS = LIMIT_FIELDS | frozenset(
    {"name", "organisation", "allowed_models", "cost_centre", "tags", "model_limits", "metadata", "extra", "is_blocked"}
)
ORGANISATION_FIELDS = frozenset({"name", "allowed_models", "metadata", "extra", "is_blocked"})
USER_FIELDS = LIMIT_FIELDS | {"username", "email", "first_name", "last_name", "role", "is_active", "is_blocked", "metadata", "extra"}


def allowed_changes(changes: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    unknown = sorted(set(changes) - names)
    if unknown:
        raise ChangeRefused(_("%(name)s cannot be changed.") % {"name": unknown[0]}, field=unknown[0])
    return dict(changes)


def _cost_centre_in(metadata: Mapping[str, Any]) -> str:
    named = (metadata.get(name) for name in COST_CENTRE_NAMES)
    return next((str(value) for value in named if isinstance(value, str | int) and value != ""), "")


# ── keys ──────────────────────────────────────────────────────────────────────
def _check_new_token(token: str) -> str:
    """The token's hash, if nobody has or had that token."""
    if problem := problem_with(token):
        raise ChangeRefused(problem, field="token")
    if compare_digest(token, settings.TALLYGATE_MASTER_KEY):
        raise ChangeRefused(_("This key is taken. Choose another."), field="token")
    digest = hash_token(token)
    if VirtualKey.objects.filter(Q(id=digest) | Q(token_hash=digest) | Q(previous_hash=digest)).exists():
        raise ChangeRefused(_("This key is taken. Choose another."), field="token")
    return digest


def check_key_name(name: str, own_id: str = "") -> None:
    """Live keys have different names, if they have any."""
    if name and VirtualKey.objects.filter(name=name, revoked_at=None).exclude(pk=own_id).exists():
        told = _("Another key is already named %(name)s. Choose another name, or revoke that key first.")
        raise ChangeRefused(told % {"name": repr(name)}, field="name")


@transaction.atomic
def issue_key(spec: KeySpec, *, actor: Actor, token: str | None = None) -> tuple[VirtualKey, str]:
    """A new key and its token, which exists nowhere else: show it once."""
    token = token or make_token()
    digest = _check_new_token(token)
    key = VirtualKey(id=digest, token_hash=digest, last_four=last_four(token), created_by=actor.id or actor.kind, **spec.values())
    key.cost_centre = key.cost_centre or _cost_centre_in(key.metadata)
    check_key_name(key.name)
    return add_row(key, event="key.issued", actor=actor), token


def change_key(key: VirtualKey, changes: Mapping[str, Any], *, actor: Actor) -> VirtualKey:
    wanted = allowed_changes(changes, KEY_FIELDS)
    if "metadata" in wanted and not wanted.get("cost_centre", key.cost_centre):
        wanted["cost_centre"] = _cost_centre_in(wanted["metadata"])
    with transaction.atomic():
        check_key_name(wanted.get("name", ""), own_id=key.pk)
        return change_row(key, wanted, event="key.changed", actor=actor)


def _refuse_if_revoked(key: VirtualKey) -> None:
    if key.revoked_at:
        raise ChangeRefused(_("This key is revoked for good. Issue a new one."))


@transaction.atomic
def rotate_key(
    key: VirtualKey, *, actor: Actor, overlap: timedelta = timedelta(0), now: datetime | None = None, token: str | None = None
) -> str:
    """A new token for the same key. The one before goes on working for `overlap`; one still older stops at once."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise ChangeRefused(_("The overlap lies between 0 and %(n)s days.") % {"n": LONGEST_OVERLAP.days}, field="overlap")
    current = VirtualKey.objects.select_for_update().get(pk=key.pk)
    _refuse_if_revoked(current)
    token = token or make_token()
    changes = {
        "token_hash": _check_new_token(token),
        "last_four": last_four(token),
        "previous_hash": current.token_hash if overlap else "",
        "previous_valid_until": (now or timezone.now()) + overlap if overlap else None,
    }
    change_row(current, changes, event="key.rotated", actor=actor)
    return token


@transaction.atomic
def revoke_key(key: VirtualKey, *, actor: Actor, now: datetime | None = None) -> VirtualKey:
    """Ends the key for good; its name is free again. Revoking twice changes nothing."""
    current = VirtualKey.objects.select_for_update().get(pk=key.pk)
    if current.revoked_at:
        return current
    changes = {"revoked_at": now or timezone.now(), "previous_hash": "", "previous_valid_until": None}
    return change_row(current, changes, event="key.revoked", actor=actor)


def block_key(key: VirtualKey, *, actor: Actor) -> VirtualKey:
    return change_row(key, {"is_blocked": True}, event="key.blocked", actor=actor)


def unblock_key(key: VirtualKey, *, actor: Actor) -> VirtualKey:
    return change_row(key, {"is_blocked": False}, event="key.unblocked", actor=actor)


def delete_key(key: VirtualKey, *, actor: Actor) -> None:
    remove_row(key, event="key.deleted", actor=actor)


# ── teams and organisations ───────────────────────────────────────────────────
def create_team(team: Team, *, actor: Actor) -> Team:
    return add_row(team, event="team.created", actor=actor)


def change_team(team: Team, changes: Mapping[str, Any], *, actor: Actor) -> Team:
    wanted = allowed_changes(changes, TEAM_FIELDS)
    event = "team.changed"
    if set(wanted) == {"is_blocked"}:
        event = "team.blocked" if wanted["is_blocked"] else "team.unblocked"
    return change_row(team, wanted, event=event, actor=actor)


@transaction.atomic
def add_team_models(team: Team, names: Iterable[str], *, actor: Actor) -> Team:
    """A team that may use everything goes on doing so."""
    current = Team.objects.select_for_update().get(pk=team.pk)
    listed = list(dict.fromkeys([*(current.allowed_models or [EVERY_MODEL]), *names]))
    return change_team(current, {"allowed_models": listed}, actor=actor)


@transaction.atomic
def remove_team_models(team: Team, names: Iterable[str], *, actor: Actor) -> Team:
    """Refused for the last name: an empty list means every model."""
    current = Team.objects.select_for_update().get(pk=team.pk)
    gone = set(names)
    left = [name for name in current.allowed_models if name not in gone]
    if current.allowed_models and not left:
        text = _("A team without a list may use every model, so its last one stays. Add another first, or block the team.")
        raise ChangeRefused(text, field="allowed_models")
    return change_team(current, {"allowed_models": left}, actor=actor)


def delete_team(team: Team, *, actor: Actor) -> None:
    """Refused while keys belong to the team. Memberships end with it, each with its own event."""
    with transaction.atomic():
        for membership in team.memberships.all():
            remove_member(membership, actor=actor)
        remove_row(team, event="team.deleted", actor=actor)


def create_organisation(organisation: Organisation, *, actor: Actor) -> Organisation:
    return add_row(organisation, event="organisation.created", actor=actor)


def change_organisation(organisation: Organisation, changes: Mapping[str, Any], *, actor: Actor) -> Organisation:
    return change_row(organisation, allowed_changes(changes, ORGANISATION_FIELDS), event="organisation.changed", actor=actor)


def delete_organisation(organisation: Organisation, *, actor: Actor) -> None:
    """Memberships end with it, each with its own event."""
    with transaction.atomic():
        for membership in organisation.memberships.all():
            remove_row(membership, event="organisation_member.removed", actor=actor)
        remove_row(organisation, event="organisation.deleted", actor=actor)


# ── members ───────────────────────────────────────────────────────────────────
def add_member(membership: Membership, *, actor: Actor) -> Membership:
    return add_row(membership, event="member.added", actor=actor)


def change_member(membership: Membership, role: str, *, actor: Actor, kept: Mapping[str, Any] | None = None) -> Membership:
    """`kept` is a change to what a script sent besides."""
    return change_row(membership, {"role": role, **(kept or {})}, event="member.changed", actor=actor)


def remove_member(membership: Membership, *, actor: Actor) -> None:
    remove_row(membership, event="member.removed", actor=actor)


# ── people ────────────────────────────────────────────────────────────────────
@contextmanager
def _an_admin_remains() -> Iterator[None]:
    """A transaction that refuses to leave Tallygate without its last administrator."""
    admins = User.objects.filter(role=User.Role.ADMIN, is_active=True, is_blocked=False)
    with transaction.atomic():
        there_was_one = admins.exists()
        yield
        if there_was_one and not admins.exists():
            raise ChangeRefused(_("Somebody must remain administrator."), field="role")


def _with_admin_flags(changes: dict[str, Any]) -> dict[str, Any]:
    """`role` is the one truth; Django's own flags follow it."""
    if "role" in changes:
        is_admin = changes["role"] == User.Role.ADMIN
        changes |= {"is_staff": is_admin, "is_superuser": is_admin}
    return changes


def create_user(user: User, *, actor: Actor, password: str = "") -> User:
    """Without a password the person can sign in only by a one-time link or single sign-on."""
    if password:
        user.set_password(password)
    else:
        user.set_unusable_password()
    user.is_staff = user.is_superuser = user.role == User.Role.ADMIN
    return add_row(user, event="user.created", actor=actor)


@transaction.atomic
def known_user(user_id: str, *, actor: Actor) -> User:
    """The person with that id. One unknown so far is made without a way to sign in: scripts name people before they ever come."""
    known = User.objects.filter(pk=user_id).first()
    if known:
        return known
    is_taken = User.objects.filter(username=user_id).exists()
    person = User(id=user_id, username=new_id() if is_taken else user_id)
    person.set_unusable_password()
    # ids of other systems may hold characters that a username typed by a person may not
    return add_row(person, event="user.created", actor=actor, unchecked={"username"})


def change_user(user: User, changes: Mapping[str, Any], *, actor: Actor) -> User:
    wanted = _with_admin_flags(allowed_changes(changes, USER_FIELDS))
    if "metadata" in wanted and SSO_MARK in user.metadata:
        # a script that writes its own metadata does not make memberships by groups into memberships by hand
        wanted["metadata"] = {SSO_MARK: user.metadata[SSO_MARK]} | wanted["metadata"]
    with _an_admin_remains():
        # an id of another system may have become the username: it is checked only when it is to change
        changed = change_row(user, wanted, event="user.changed", actor=actor, unchecked={"username"} - wanted.keys())
        if changed.is_blocked or not changed.is_active:
            end_sessions(changed)
        return changed


def set_password(user: User, password: str, *, actor: Actor) -> User:
    draft = User()
    draft.set_password(password)
    return change_row(user, {"password": draft.password}, event="user.changed", actor=actor)


def delete_user(user: User, *, actor: Actor) -> None:
    with _an_admin_remains():
        for membership in user.memberships.all():
            remove_member(membership, actor=actor)
        for place in user.organisation_memberships.all():
            remove_row(place, event="organisation_member.removed", actor=actor)
        remove_row(user, event="user.deleted", actor=actor)
