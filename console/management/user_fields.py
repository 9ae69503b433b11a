"""Bodies of /user/… → what our verbs take."""

from typing import Annotated, Any

from django.core.exceptions import ValidationError
from pydantic import Field

from console.management.errors import Refused
from console.management.fields import Body, Dollars, Limits, MoneyByModel
from console.management.key_fields import KeyFields, plain_changes
from keys.models import User, new_id

Name = Annotated[str, Field(max_length=64)]
# PostgreSQL can neither store nor look for a NUL.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
# LiteLLM's names of what a person may do everywhere.
ROLES = {
    "proxy_admin": User.Role.ADMIN,
    "proxy_admin_viewer": User.Role.FINANCE,
    "internal_user": User.Role.MEMBER,
    "internal_user_viewer": User.Role.VIEWER,
}
PLAIN: dict[str, tuple[str, Any]] = {
    "user_email": ("email", ""),
    "blocked": ("is_blocked", False),
    "rpm_limit": ("rpm_limit", None),
    "tpm_limit": ("tpm_limit", None),
    "max_parallel_requests": ("parallel_limit", None),
    "metadata": ("metadata", {}),
}
# Sent for the person, kept for the key that is made along.
KEYS_OWN = ("key_alias", "duration", "models", "team_id")


class UserFields(MoneyByModel, Limits):
    user_id: Name | None = None
    user_email: str | None = Field(None, max_length=254)
    user_alias: str | None = Field(None, max_length=150)
    user_role: str | None = None
    blocked: bool | None = None
    metadata: dict[str, Any] | None = None


class TeamPlace(Body):
    team_id: Name
    user_role: str = "user"
    max_budget_in_team: Dollars | None = None


class NewUser(UserFields):
    teams: list[Name | TeamPlace] | None = None
    auto_create_key: bool | None = True
    key_alias: str | None = Field(None, max_length=200)
    duration: str | None = None
    models: list[str] | None = None
    team_id: Name | None = None

    @property
    def makes_key(self) -> bool:
        return self.auto_create_key is not False

    def places(self) -> list[TeamPlace]:
        """Every team once; that of the key is one of them."""
        named = [place if isinstance(place, TeamPlace) else TeamPlace(team_id=place) for place in self.teams or []]
        named += [TeamPlace(team_id=self.team_id)] if self.team_id else []
        return list({place.team_id: place for place in reversed(named)}.values())[::-1]

    def keys_fields(self, person: User) -> KeyFields:
        sent = {name: getattr(self, name) for name in KEYS_OWN if name in self.model_fields_set}
        return KeyFields(user_id=person.pk, **sent)

    def ignored(self) -> dict[str, Any]:
        """A list of models holds for the key that is made, not for the person's other keys: so it is named as well."""
        unused = KEYS_OWN[:-1] if not self.makes_key else ("models",)
        return super().ignored() | {name: getattr(self, name) for name in unused if getattr(self, name)}


def changes_of(asked: UserFields, known: User | None = None) -> dict[str, Any]:
    """Only what was sent; null is the field without a value."""
    changes = plain_changes(asked, PLAIN)
    if asked.user_role is not None:
        changes["role"] = role_of(asked.user_role)
    if "user_alias" in asked.model_fields_set:
        changes |= {"first_name": asked.user_alias or "", "last_name": ""}
    if known and not asked.user_id:
        changes.pop("email", None)  # it named the person
    if changes.get("email"):
        _refuse_taken_email(changes["email"], known)
    return changes | asked.kept(known.extra if known else {})


def role_of(text: str) -> str:
    if text not in ROLES:
        raise Refused(f"user_role is one of {', '.join(ROLES)}.", param="user_role")
    return ROLES[text]


def draft_of(asked: NewUser) -> User:
    """The person as they are to be made; refused when there is one with that id or address."""
    if asked.user_id and User.objects.filter(pk=asked.user_id).exists():
        raise Refused(f"User with id {asked.user_id} already exists.", param="user_id")
    changes, user_id = changes_of(asked), asked.user_id or new_id()
    return User(id=user_id, username=_username(changes.get("email", ""), user_id), **changes)


def named_user(user_id: str | None, user_email: str | None = None) -> User:
    if not user_id and not user_email:
        raise Refused("Name the person: user_id or user_email.", param="user_id")
    found = User.objects.filter(pk=user_id) if user_id else User.objects.filter(email__iexact=user_email)
    person = found.first()
    if person is None:
        raise Refused(f"User not found, passed {user_id or user_email}.", type="not_found_error", param="user_id", status=404)
    return person


def _refuse_taken_email(email: str, known: User | None) -> None:
    others = User.objects.filter(email__iexact=email).exclude(pk=known.pk if known else "")
    if others.exists():
        raise Refused(f"User with email {email} already exists.", param="user_email")


def _username(*wanted: str) -> str:
    """The first that Django takes as a name to sign in with and nobody has; ids of other systems may be of any characters."""
    return next((name for name in wanted if _is_username(name) and not User.objects.filter(username=name).exists()), new_id())


def _is_username(text: str) -> bool:
    try:
        User._meta.get_field("username").run_validators(text)
    except ValidationError:
        return False
    return bool(text)
