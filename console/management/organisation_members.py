"""/organization/member_… at LiteLLM's paths, in LiteLLM's shapes: who belongs to an organisation, and as what."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router

from audit.trail import Actor
from console.management.askers import any_administrator
from console.management.auth import actor_by_key
from console.management.errors import Refused
from console.management.fields import Body, name_ignored
from console.management.organisation_member_rows import ROLES, member_row, member_rows
from console.management.organisations import named_organisation
from console.management.team_fields import MemberFields, ignored_with, kept_of, person_of
from console.management.user_rows import user_rows
from keys.models import Organisation, OrganisationMembership
from keys.people_actions import add_organisation_member, change_organisation_member, remove_organisation_member

router = Router(tags=["organizations"], auth=any_administrator)


class NewMember(MemberFields):
    role: str = "internal_user"


class AddMembers(Body):
    organization_id: str
    member: NewMember | list[NewMember]

    @property
    def members(self) -> list[NewMember]:
        return self.member if isinstance(self.member, list) else [self.member]


class NamedMember(Body):
    organization_id: str
    user_id: str | None = None
    user_email: str | None = None


class UpdateMember(NamedMember):
    role: str | None = None


@router.post("/organization/member_add")
def add_members(request: HttpRequest, response: HttpResponse, asked: AddMembers) -> dict[str, Any]:
    """All of them or none. Somebody unknown so far is made without a way to sign in."""
    organisation, actor = named_organisation(asked.organization_id), actor_by_key(request)
    if not asked.members:
        raise Refused("Name the members: member.", param="member")
    with transaction.atomic():
        added = [_add(organisation, member, actor, kept_of(asked, member)) for member in asked.members]
    name_ignored(response, ignored_with(asked, asked.members))
    return {
        "organization_id": organisation.pk,
        "updated_users": user_rows([membership.user for membership in added], timezone.now()),
        "updated_organization_memberships": member_rows(organisation.memberships.filter(pk__in=[one.pk for one in added])),
    }


@router.patch("/organization/member_update")
def update_member(request: HttpRequest, response: HttpResponse, asked: UpdateMember) -> dict[str, Any]:
    membership = _named(asked)
    kept = asked.kept(membership.extra)
    if asked.role is not None or kept:
        role = membership.role if asked.role is None else role_of(asked.role)
        membership = change_organisation_member(membership, role, actor=actor_by_key(request), kept=kept)
    name_ignored(response, asked.ignored())
    return member_row(membership)


@router.delete("/organization/member_delete")
def delete_member(request: HttpRequest, asked: NamedMember) -> dict[str, Any]:
    """Answers the membership as it was. Places in the organisation's teams stay."""
    membership = _named(asked)
    row = member_row(membership)
    remove_organisation_member(membership, actor=actor_by_key(request))
    return row


def role_of(text: str) -> str:
    if text not in ROLES:
        raise Refused(f"role is one of {', '.join(ROLES)}.", param="role")
    return ROLES[text]


def _add(organisation: Organisation, asked: NewMember, actor: Actor, kept: dict[str, Any]) -> OrganisationMembership:
    role, person = role_of(asked.role), person_of(asked, actor=actor)
    if organisation.memberships.filter(user=person).exists():
        raise Refused(f"{person.email or person.pk} is a member of organization {organisation} already.", param="user_id")
    return add_organisation_member(OrganisationMembership(organisation=organisation, user=person, role=role, **kept), actor=actor)


def _named(asked: NamedMember) -> OrganisationMembership:
    organisation = named_organisation(asked.organization_id)
    if not asked.user_id and not asked.user_email:
        raise Refused("Name the member: user_id or user_email.", param="user_id")
    by = {"user_id": asked.user_id} if asked.user_id else {"user__email__iexact": asked.user_email}
    found = organisation.memberships.select_related("user").filter(**by).first()
    if found is None:
        text = f"There is no such member in organization {organisation}."
        raise Refused(text, type="not_found_error", param="user_id", status=404)
    return found
