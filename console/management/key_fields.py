"""Bodies of /key/generate and /key/update → what our verbs take."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from audit.trail import Actor
from console.management.errors import Refused
from console.management.fields import Body, LimitsByModel, MoneyByModel
from keys.actions import KeySpec, known_user
from keys.durations import WrongDuration, after
from keys.models import Organisation, Team, VirtualKey
from keys.required_headers import WrongHeader, columns


class Header(BaseModel):
    """A header that opens a key besides its addresses. The value comes in and never goes out."""

    name: str
    value: str


class KeyFields(MoneyByModel, LimitsByModel):
    key: str | None = None
    key_alias: str | None = Field(None, max_length=200)
    duration: str | None = None
    models: list[str] | None = None
    user_id: str | None = Field(None, max_length=64)
    team_id: str | None = None
    organization_id: str | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] | None = None
    blocked: bool | None = None
    allowed_ips: list[str] | None = None
    required_header: Header | None = None


class RotatedKey(KeyFields):
    new_key: str | None = None
    grace_period: str | None = Field(None, max_length=20)


# Their field → ours, and what ours is without a value.
PLAIN: dict[str, tuple[str, Any]] = {
    "key_alias": ("name", ""),
    "models": ("allowed_models", []),
    "blocked": ("is_blocked", False),
    "allowed_ips": ("allowed_ips", []),
    "rpm_limit": ("rpm_limit", None),
    "tpm_limit": ("tpm_limit", None),
    "max_parallel_requests": ("parallel_limit", None),
    "tags": ("tags", []),
    "metadata": ("metadata", {}),
}


def changes_of(asked: KeyFields, actor: Actor, now: datetime, known: VirtualKey | None = None) -> dict[str, Any]:
    """Only what was sent; null is the field without a value."""
    sent = asked.model_fields_set
    changes = plain_changes(asked, PLAIN)
    if "duration" in sent:
        changes["expires_at"] = _expiry(asked.duration, now)
    if "team_id" in sent:
        changes["team"] = _team(asked.team_id)
    if "organization_id" in sent:
        changes["organisation"] = organisation_named(asked.organization_id)
    if "user_id" in sent:
        changes["user"] = known_user(asked.user_id, actor=actor) if asked.user_id else None
    if "required_header" in sent:
        changes |= _header(asked.required_header)
    if sent & {"model_rpm_limit", "model_tpm_limit"}:
        changes["model_limits"] = asked.model_limits(known.model_limits if known else {})
    return changes | asked.kept(known.extra if known else {})


def plain_changes(asked: Body, table: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    """Fields that are only named differently, as far as they were sent."""
    values = {ours: (getattr(asked, theirs), without) for theirs, (ours, without) in table.items() if theirs in asked.model_fields_set}
    return {name: deepcopy(without) if value is None else value for name, (value, without) in values.items()}


def spec_of(asked: KeyFields, actor: Actor, now: datetime) -> KeySpec:
    return KeySpec(**changes_of(asked, actor, now))


def _header(asked: Header | None) -> dict[str, Any]:
    try:
        return columns(asked.name, asked.value) if asked else columns("", "")
    except WrongHeader as error:
        raise Refused(str(error), param="required_header") from error


def _expiry(duration: str | None, now: datetime) -> datetime | None:
    if duration in (None, "", "-1"):
        return None
    try:
        return after(str(duration), now)
    except WrongDuration as error:
        raise Refused(str(error), param="duration") from error


def overlap_of(grace_period: str | None, now: datetime) -> timedelta:
    """How long the old secret goes on working; without a word, not at all."""
    if grace_period in (None, "", "0", "0s"):
        return timedelta(0)
    try:
        return after(str(grace_period), now) - now
    except WrongDuration as error:
        raise Refused(str(error), param="grace_period") from error


def _team(team_id: str | None) -> Team | None:
    team = Team.objects.filter(pk=team_id).first() if team_id else None
    if team_id and team is None:
        raise Refused(f"There is no team with team_id={team_id}. Create it first.", param="team_id")
    return team


def organisation_named(organisation_id: str | None) -> Organisation | None:
    found = Organisation.objects.filter(pk=organisation_id).first() if organisation_id else None
    if organisation_id and found is None:
        raise Refused(f"There is no organization with organization_id={organisation_id}. Create it first.", param="organization_id")
    return found
