"""Bodies of /team/new, /team/update and /team/member_… → what our verbs take."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from audit.trail import Actor
from console.management.errors import Refused
from console.management.fields import Body, Dollars, LimitsByModel, MoneyByModel
from console.management.key_fields import organisation_named, plain_changes
from keys.actions import create_user, known_user
from keys.models import Membership, Team, User

Name = Annotated[str, Field(max_length=64)]
ROLES = {"admin": Membership.Role.MANAGER, "user": Membership.Role.MEMBER}


class MemberFields(Body):
    role: str = "user"
    user_id: Name | None = None
    user_email: str | None = Field(None, max_length=254)


class TeamFields(MoneyByModel, LimitsByModel):
    team_id: Name | None = None
    team_alias: str | None = Field(None, max_length=200)
    organization_id: str | None = None
    members_with_roles: list[MemberFields] | None = None
    models: list[str] | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] | None = None
    blocked: bool | None = None


class MembersBudget(Body):
    """A member's budget in the team."""

    team_id: str
    max_budget_in_team: Dollars | None = None
    budget_duration: str | None = None


class AddMembers(MembersBudget):
    member: MemberFields | list[MemberFields]

    @property
    def members(self) -> list[MemberFields]:
        return self.member if isinstance(self.member, list) else [self.member]


class NamedMember(Body):
    team_id: str
    user_id: str | None = None
    user_email: str | None = None


class UpdateMember(MembersBudget):
    user_id: str | None = None
    user_email: str | None = None
    role: str | None = None


PLAIN: dict[str, tuple[str, Any]] = {
    "team_alias": ("name", ""),
    "models": ("allowed_models", []),
    "blocked": ("is_blocked", False),
    "rpm_limit": ("rpm_limit", None),
    "tpm_limit": ("tpm_limit", None),
    "max_parallel_requests": ("parallel_limit", None),
    "tags": ("tags", []),
    "metadata": ("metadata", {}),
}


def kept_of(asked: Body, member: Body) -> dict[str, Any]:
    """Of a new member: unknown fields of the body that adds several, under those of their own."""
    extra = asked.kept_over({}) | member.kept_over({})
    return {"extra": extra} if extra else {}


def ignored_with(asked: Body, members: Iterable[Body]) -> dict[str, Any]:
    return asked.ignored() | {f"member.{name}": value for member in members for name, value in member.ignored().items()}


def changes_of(asked: TeamFields, known: Team | None = None) -> dict[str, Any]:
    """Only what was sent; null is the field without a value."""
    sent = asked.model_fields_set
    changes = plain_changes(asked, PLAIN)
    if "organization_id" in sent:
        changes["organisation"] = organisation_named(asked.organization_id)
    if sent & {"model_rpm_limit", "model_tpm_limit"}:
        changes["model_limits"] = asked.model_limits(known.model_limits if known else {})
    return changes | asked.kept(known.extra if known else {})


def role_of(text: str) -> str:
    if text not in ROLES:
        raise Refused(f"role is one of {', '.join(ROLES)}.", param="role")
    return ROLES[text]


def person_of(asked: MemberFields, *, actor: Actor) -> User:
    """Somebody unknown so far is made without a way to sign in."""
    if asked.user_id:
        return known_user(asked.user_id, actor=actor)
    if not asked.user_email:
        raise Refused("Name the member: user_id or user_email.", param="member")
    known = User.objects.filter(email__iexact=asked.user_email).first()
    return known or create_user(User(username=asked.user_email, email=asked.user_email), actor=actor)


def named_team(team_id: str | None) -> Team:
    team = Team.objects.filter(pk=team_id).first() if team_id else None
    if team is None:
        text = f"Team not found, passed team_id={team_id}." if team_id else "Name the team: team_id."
        raise Refused(text, type="not_found_error" if team_id else "bad_request_error", param="team_id", status=404 if team_id else 400)
    return team


def named_membership(team: Team, user_id: str | None, user_email: str | None) -> Membership:
    members = team.memberships.select_related("user")
    found = members.filter(user_id=user_id).first() if user_id else None
    if found is None and user_email:
        found = members.filter(user__email__iexact=user_email).first()
    if found is None:
        text = f"There is no such member in team {team}." if user_id or user_email else "Name the member: user_id or user_email."
        raise Refused(text, param="user_id")
    return found
