"""Who may call: organisations, teams, people, virtual keys. String ids are those that LiteLLM's scripts know."""

import ipaddress
import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# In a list of models: no restriction at this level.
EVERY_MODEL = "all-proxy-models"


def new_id() -> str:
    return str(uuid.uuid4())


def check_networks(value: object) -> None:
    """Accepts a list of addresses or CIDR ranges."""
    if not isinstance(value, list):
        raise ValidationError(_('A list of addresses or ranges is needed, such as ["10.0.0.0/8"].'))
    for item in value:
        try:
            ipaddress.ip_network(str(item), strict=False)
        except ValueError:
            raise ValidationError(_("%(item)s is neither an address nor a range such as 10.0.0.0/8."), params={"item": item}) from None


def check_names(value: object) -> None:
    """Accepts a list of non-empty texts."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise ValidationError(_('A list of names is needed, such as ["claude-sonnet"].'))


def check_model_limits(value: object) -> None:
    """Accepts {model: {"rpm" | "tpm" | "parallel": whole number}}."""
    if not isinstance(value, dict) or not all(isinstance(name, str) and name and _are_limits(limits) for name, limits in value.items()):
        raise ValidationError(_('Limits by model are needed, such as {"claude-opus*": {"rpm": 10, "tpm": 100000, "parallel": 2}}.'))


def _are_limits(value: object) -> bool:
    return isinstance(value, dict) and all(
        kind in {"rpm", "tpm", "parallel"} and type(limit) is int and 0 <= limit < 2**62 for kind, limit in value.items()
    )


def kept_unread() -> "models.JSONField[dict[str, Any], dict[str, Any]]":
    """A column for what a script sent that is kept and shown but not acted on."""
    return models.JSONField(
        default=dict, blank=True, editable=False, help_text=_("What a script sent that is kept and shown but not acted on.")
    )


class User(AbstractUser):
    """A person. `role` is what they may do everywhere; a Membership adds what they may do in a team."""

    class Role(models.TextChoices):
        VIEWER = "viewer", _("viewer")
        MEMBER = "member", _("member")
        FINANCE = "finance", _("finance")
        ADMIN = "admin", _("admin")

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    role = models.CharField(max_length=20, choices=Role, default=Role.MEMBER)
    is_blocked = models.BooleanField(default=False)
    rpm_limit = models.PositiveIntegerField(_("requests per minute"), null=True, blank=True)
    tpm_limit = models.PositiveBigIntegerField(_("tokens per minute"), null=True, blank=True)
    parallel_limit = models.PositiveIntegerField(_("calls at once"), null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    extra = kept_unread()
    language = models.CharField(max_length=10, blank=True, help_text=_("Of the pages; empty means the browser's."))
    time_zone = models.CharField(max_length=60, blank=True, help_text=_("Of the times on pages; empty means the gateway's."))
    currency = models.CharField(max_length=3, blank=True, help_text=_("In which pages show money; empty means US dollars."))

    def __str__(self) -> str:
        return self.get_full_name() or self.email or self.username


class Organisation(models.Model):
    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    name = models.CharField(max_length=200, unique=True)
    allowed_models = models.JSONField(default=list, blank=True, validators=[check_names], help_text=_("Model names; empty means all."))
    is_blocked = models.BooleanField(default=False)
    metadata = models.JSONField(default=dict, blank=True)
    extra = kept_unread()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Team(models.Model):
    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    name = models.CharField(max_length=200)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="teams", null=True, blank=True)
    allowed_models = models.JSONField(default=list, blank=True, validators=[check_names], help_text=_("Model names; empty means all."))
    cost_centre = models.CharField(max_length=100, blank=True)
    tags = models.JSONField(default=list, blank=True, validators=[check_names])
    rpm_limit = models.PositiveIntegerField(_("requests per minute"), null=True, blank=True)
    tpm_limit = models.PositiveBigIntegerField(_("tokens per minute"), null=True, blank=True)
    parallel_limit = models.PositiveIntegerField(_("calls at once"), null=True, blank=True)
    model_limits = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_model_limits],
        help_text=_('Limits for single models: {"claude-opus*": {"rpm": 10, "tpm": 100000, "parallel": 2}}.'),
    )
    metadata = models.JSONField(default=dict, blank=True)
    extra = kept_unread()
    is_blocked = models.BooleanField(default=False)
    members = models.ManyToManyField(User, through="Membership", related_name="teams")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    class Role(models.TextChoices):
        MEMBER = "member", _("member")
        MANAGER = "manager", _("manager")

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role, default=Role.MEMBER)
    extra = kept_unread()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="one_membership_per_team_and_user")]

    def __str__(self) -> str:
        return f"{self.user} ({self.team})"


class OrganisationMembership(models.Model):
    """What a person may do in an organisation, in all of its teams."""

    class Role(models.TextChoices):
        VIEWER = "viewer", _("viewer")
        MEMBER = "member", _("member")
        MANAGER = "manager", _("manager")

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="organisation_memberships")
    role = models.CharField(max_length=20, choices=Role, default=Role.MEMBER)
    extra = kept_unread()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "user"], name="one_membership_per_organisation_and_user")]

    def __str__(self) -> str:
        return f"{self.user} ({self.organisation})"


class EndUser(models.Model):
    """A customer of those who call: whom a call names as `user`. Calls may name people who have no row."""

    id = models.CharField(primary_key=True, max_length=200)
    name = models.CharField(max_length=200, blank=True)
    is_blocked = models.BooleanField(default=False)
    default_model = models.CharField(max_length=200, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    extra = kept_unread()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name or self.id


class Tag(models.Model):
    """A declared tag. Calls may bear tags that have no row."""

    name = models.CharField(primary_key=True, max_length=200)
    description = models.CharField(max_length=300, blank=True)
    allowed_models = models.JSONField(default=list, blank=True, validators=[check_names], help_text=_("Model names; empty means all."))
    metadata = models.JSONField(default=dict, blank=True)
    extra = kept_unread()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    created_by = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class KeyQuerySet(models.QuerySet["VirtualKey"]):
    def named(self, name: str) -> "KeyQuerySet":
        """Keys that a script may mean by `name`: their id, the hash of their secret, or their alias."""
        return self.filter(models.Q(id=name) | models.Q(token_hash=name) | models.Q(name=name))


class VirtualKey(models.Model):
    """A key people call with. Only the SHA-256 of the whole token is kept.

    `id` is the hash of the first token and never changes; `token_hash` is that of today's, which LiteLLM's scripts call `token`.
    """

    id = models.CharField(primary_key=True, max_length=64, editable=False)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    previous_hash = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    previous_valid_until = models.DateTimeField(null=True, blank=True, editable=False)

    name = models.CharField(_("name"), max_length=200, blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="keys", null=True, blank=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="keys", null=True, blank=True)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="keys", null=True, blank=True)
    allowed_models = models.JSONField(
        default=list,
        blank=True,
        validators=[check_names],
        help_text=_('Model names; empty or ["all-team-models"] means all that the team may use.'),
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    is_blocked = models.BooleanField(default=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    allowed_ips = models.JSONField(
        default=list, blank=True, validators=[check_networks], help_text=_("Addresses or CIDR ranges; empty means any.")
    )
    required_header = models.CharField(
        max_length=100,
        blank=True,
        help_text=_("A header whose secret value opens the key too, where callers have no fixed address."),
    )
    required_header_hash = models.CharField(max_length=64, blank=True, editable=False)
    rpm_limit = models.PositiveIntegerField(_("requests per minute"), null=True, blank=True)
    tpm_limit = models.PositiveBigIntegerField(_("tokens per minute"), null=True, blank=True)
    parallel_limit = models.PositiveIntegerField(_("calls at once"), null=True, blank=True)
    model_limits = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_model_limits],
        help_text=_('Limits for single models: {"claude-opus*": {"rpm": 10, "tpm": 100000, "parallel": 2}}.'),
    )
    cost_centre = models.CharField(max_length=100, blank=True)
    tags = models.JSONField(default=list, blank=True, validators=[check_names])
    metadata = models.JSONField(default=dict, blank=True)
    extra = kept_unread()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    created_by = models.CharField(max_length=64, blank=True, editable=False)

    objects = KeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=~models.Q(name="") & models.Q(revoked_at=None), name="one_live_key_per_name")
        ]

    def __str__(self) -> str:
        return self.name or self.hint

    @property
    def hint(self) -> str:
        """The key as it may be shown: `sk-...` and the last four characters."""
        return f"sk-...{self.last_four}"

    def state(self, now: datetime) -> str:
        """One word for what the key is now: active, blocked, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        if self.is_blocked:
            return "blocked"
        return "expired" if self.expires_at and self.expires_at <= now else "active"
