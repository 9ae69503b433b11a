"""What people change about end users, tags and who is in an organisation. Each verb is one transaction: change, audit, notify on commit."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from audit.rows import add_row, change_row, remove_row
from audit.trail import Actor
from keys.actions import allowed_changes
from keys.models import EndUser, OrganisationMembership, Tag

END_USER_FIELDS = frozenset({"name", "is_blocked", "default_model", "metadata", "extra"})
TAG_FIELDS = frozenset({"description", "allowed_models", "metadata", "extra"})


# ── end users ─────────────────────────────────────────────────────────────────
def create_end_user(end_user: EndUser, *, actor: Actor) -> EndUser:
    return add_row(end_user, event="end_user.created", actor=actor)


@transaction.atomic
def known_end_user(end_user_id: str, *, actor: Actor) -> EndUser:
    """The end user of that id. Calls name people who have no row: one is made."""
    known = EndUser.objects.filter(pk=end_user_id).first()
    return known or create_end_user(EndUser(id=end_user_id), actor=actor)


def change_end_user(end_user: EndUser, changes: Mapping[str, Any], *, actor: Actor) -> EndUser:
    wanted = allowed_changes(changes, END_USER_FIELDS)
    event = "end_user.changed"
    if set(wanted) == {"is_blocked"}:
        event = "end_user.blocked" if wanted["is_blocked"] else "end_user.unblocked"
    return change_row(end_user, wanted, event=event, actor=actor)


def block_end_user(end_user: EndUser, *, actor: Actor) -> EndUser:
    return change_end_user(end_user, {"is_blocked": True}, actor=actor)


def unblock_end_user(end_user: EndUser, *, actor: Actor) -> EndUser:
    return change_end_user(end_user, {"is_blocked": False}, actor=actor)


def delete_end_user(end_user: EndUser, *, actor: Actor) -> None:
    remove_row(end_user, event="end_user.deleted", actor=actor)


# ── tags ──────────────────────────────────────────────────────────────────────
def create_tag(tag: Tag, *, actor: Actor) -> Tag:
    tag.created_by = actor.id or actor.kind
    return add_row(tag, event="tag.created", actor=actor)


def change_tag(tag: Tag, changes: Mapping[str, Any], *, actor: Actor) -> Tag:
    return change_row(tag, allowed_changes(changes, TAG_FIELDS), event="tag.changed", actor=actor)


def delete_tag(tag: Tag, *, actor: Actor) -> None:
    remove_row(tag, event="tag.deleted", actor=actor)


# ── members of organisations ──────────────────────────────────────────────────
def add_organisation_member(membership: OrganisationMembership, *, actor: Actor) -> OrganisationMembership:
    return add_row(membership, event="organisation_member.added", actor=actor)


def change_organisation_member(
    membership: OrganisationMembership, role: str, *, actor: Actor, kept: Mapping[str, Any] | None = None
) -> OrganisationMembership:
    """`kept` is a change to what a script sent besides."""
    return change_row(membership, {"role": role, **(kept or {})}, event="organisation_member.changed", actor=actor)


def remove_organisation_member(membership: OrganisationMembership, *, actor: Actor) -> None:
    remove_row(membership, event="organisation_member.removed", actor=actor)
