"""How much: budgets and their windows, price overrides, the ledger. Money is integer nano-USD, prices are pico-USD per token."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


def default_thresholds() -> list[int]:
    return [50, 80, 100]


def check_thresholds(value: object) -> None:
    """Accepts a list of whole percentages."""
    if not isinstance(value, list) or len(value) > 10 or not all(type(item) is int and 0 < item <= 1000 for item in value):
        raise ValidationError(_("A list of percentages is needed, such as [50, 80, 100]."))


class BudgetPlan(models.Model):
    """Terms under a name that several keys, teams or people share; LiteLLM's scripts know it as a budget with a `budget_id`.

    Each scope that takes the plan has a Budget of its own with these terms.
    """

    id = models.CharField(primary_key=True, max_length=64)
    amount_nano = models.BigIntegerField(null=True, blank=True, help_text=_("nano-USD: 1 USD is 1,000,000,000"))
    soft_amount_nano = models.BigIntegerField(null=True, blank=True, help_text=_("nano-USD; alerts only"))
    period = models.CharField(max_length=10, blank=True)
    rpm_limit = models.PositiveIntegerField(null=True, blank=True)
    tpm_limit = models.PositiveBigIntegerField(null=True, blank=True)
    parallel_limit = models.PositiveIntegerField(null=True, blank=True)
    extra = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=64, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id


class Budget(models.Model):
    """An amount of money per period for one scope. What was spent stands in its windows.

    `scope_id` is the id of the key, user, team or organisation, the name of the tag or end user, and `team id/user id` for a member.
    A budget with a `model` counts only calls for that public model name (`*` at its end: a family).
    """

    class Scope(models.TextChoices):
        KEY = "key", _("key")
        USER = "user", _("user")
        TEAM = "team", _("team")
        MEMBER = "member", _("team member")
        ORGANISATION = "organisation", _("organisation")
        TAG = "tag", _("tag")
        END_USER = "end_user", _("end user")
        GLOBAL = "global", _("everyone")

    class Mode(models.TextChoices):
        HARD = "hard", _("hard: calls are refused when it is spent")
        STRICT = "strict", _("strict: what a call may cost at most must fit in")
        SOFT = "soft", _("soft: only alerts")

    scope = models.CharField(max_length=20, choices=Scope)
    scope_id = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True, help_text=_("Public model name, * at its end for a family; empty means all."))
    amount_nano = models.BigIntegerField(help_text=_("nano-USD: 1 USD is 1,000,000,000"))
    period = models.CharField(
        max_length=10, blank=True, help_text=_("30s, 15m, 1h, 7d, 30d, 1mo, day, week, month; empty means once and for all.")
    )
    time_zone = models.CharField(max_length=60, default="UTC")
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.HARD)
    thresholds = models.JSONField(
        default=default_thresholds, blank=True, validators=[check_thresholds], help_text=_("Alerts at these percentages.")
    )
    clamp_output = models.BooleanField(
        default=False, help_text=_("Near the end lower max_tokens to what is left (not below 1,024) instead of refusing.")
    )
    plan = models.ForeignKey(BudgetPlan, on_delete=models.SET_NULL, related_name="budgets", null=True, blank=True, editable=False)
    anchored_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "scope_id", "model", "period", "mode"], name="one_budget_per_scope_and_period")
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.scope, self.scope_id, self.model, self.period)))


class Window(models.Model):
    """One period of a budget. A reset opens the next window; nothing is ever set back to zero."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="windows")
    starts_at = models.DateTimeField()
    posted_nano = models.BigIntegerField(default=0)
    allotted_nano = models.BigIntegerField(default=0, help_text=_("Sum of its shares: what processes may still spend without asking."))
    wanted_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When a process found nothing left: others give back what they do not use.")
    )

    class Meta:
        ordering = ["-starts_at"]
        constraints = [models.UniqueConstraint(fields=["budget", "starts_at"], name="one_window_per_budget_and_start")]

    def __str__(self) -> str:
        return f"{self.budget} from {self.starts_at:%Y-%m-%d %H:%M}"


class Instance(models.Model):
    """A process that admits calls, named as its journal folder. Its shares are good for a lease after its last heartbeat."""

    id = models.CharField(primary_key=True, max_length=60)
    host = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField(db_index=True)
    lost_at = models.DateTimeField(null=True, blank=True, help_text=_("When others gave up waiting for it."))

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return self.id


class Share(models.Model):
    """A process's slice of a window: what it may spend, and, as of its last heartbeat, what it holds for calls under way."""

    window = models.ForeignKey(Window, on_delete=models.CASCADE, related_name="shares")
    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="shares")
    amount_nano = models.BigIntegerField(default=0)
    held_nano = models.BigIntegerField(default=0)
    unposted_nano = models.BigIntegerField(default=0, help_text=_("Spent, and still on its way to the ledger."))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["window", "instance"], name="one_share_per_window_and_instance")]

    def __str__(self) -> str:
        return f"{self.instance_id} of {self.window_id}"


class Price(models.Model):
    """A price of ours for one model, in force from a date; it wins over the catalogue.

    Rates are pico-USD per token: $1 per million tokens is 1,000,000.
    """

    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200, help_text=_("Model id at the provider; a trailing * matches a family."))
    starts_at = models.DateTimeField(default=timezone.now)
    input_pico = models.BigIntegerField()
    output_pico = models.BigIntegerField()
    cache_read_pico = models.BigIntegerField(null=True, blank=True)
    cache_write_5m_pico = models.BigIntegerField(null=True, blank=True)
    cache_write_1h_pico = models.BigIntegerField(null=True, blank=True)
    web_search_pico = models.BigIntegerField(null=True, blank=True, help_text=_("pico-USD per search"))
    variant = models.CharField(max_length=10, blank=True, help_text=_("batch, fast or flex; empty for the standard price."))
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["provider", "model", "-starts_at"]
        constraints = [models.UniqueConstraint(fields=["provider", "model", "variant", "starts_at"], name="one_price_per_model_and_date")]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} from {self.starts_at:%Y-%m-%d}"


class LedgerEntry(models.Model):
    """What one attempt cost. Append-only: `base` once per attempt, `reap` for one whose end nobody saw, `adjust` for a later truth."""

    class Kind(models.TextChoices):
        BASE = "base", _("Base")
        ADJUST = "adjust", _("Adjust")
        REAP = "reap", _("Reap")

    id = models.BigAutoField(primary_key=True)
    attempt_id = models.CharField(max_length=48)
    kind = models.CharField(max_length=10, choices=Kind)
    request_id = models.CharField(max_length=40, db_index=True)
    at = models.DateTimeField(db_index=True)
    amount_nano = models.BigIntegerField()
    is_unpriced = models.BooleanField(default=False)
    is_estimated = models.BooleanField(default=False)
    organisation_id = models.CharField(max_length=64, blank=True)
    team_id = models.CharField(max_length=64, blank=True)
    user_id = models.CharField(max_length=64, blank=True)
    key_id = models.CharField(max_length=64, blank=True)
    cost_centre = models.CharField(max_length=100, blank=True)
    route = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    price_version = models.CharField(max_length=60, blank=True)
    tags = models.JSONField(default=list)
    end_user = models.CharField(max_length=200, blank=True)
    budget_id = models.BigIntegerField(
        null=True,
        help_text=_("Set on entries that count for one budget alone: a lost share, or spend from before a move."),
    )
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "ledger entries"
        indexes = [
            models.Index(fields=["key_id", "at"]),
            models.Index(fields=["team_id", "at"]),
            # these two hold few rows, so that the many others cost nothing
            models.Index(fields=["end_user", "at"], condition=~models.Q(end_user=""), name="entries_of_end_users"),
            models.Index(fields=["budget_id"], condition=models.Q(budget_id__isnull=False), name="entries_of_single_budgets"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["attempt_id"], condition=models.Q(kind__in=["base", "reap"]), name="one_base_entry_per_attempt")
        ]

    def __str__(self) -> str:
        return f"{self.attempt_id} {self.kind}"


class FrozenMonth(models.Model):
    """A month that finance has closed: its lines as they stood then, and a hash over them. What is posted later is told beside it.

    The bounds are those of `time_zone`; the sums are those of all lines, adjustments of earlier months included.
    """

    id = models.BigAutoField(primary_key=True)
    month = models.CharField(max_length=7, help_text=_("As 2026-11."))
    time_zone = models.CharField(max_length=60)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    currency = models.CharField(max_length=3, default="USD")
    cost_nano = models.BigIntegerField()
    calls = models.BigIntegerField()
    unpriced_calls = models.BigIntegerField()
    estimated_calls = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    frozen_by = models.CharField(max_length=64, blank=True)
    frozen_by_name = models.CharField(max_length=200, blank=True)
    frozen_at = models.DateTimeField()

    class Meta:
        ordering = ["-starts_at", "time_zone"]
        constraints = [models.UniqueConstraint(fields=["month", "time_zone"], name="one_frozen_month_per_zone")]

    def __str__(self) -> str:
        return f"{self.month} ({self.time_zone})"


class FrozenLine(models.Model):
    """What one key of one team spent in a frozen month, with the names of that day. Columns are called as a RollUp's."""

    id = models.BigAutoField(primary_key=True)
    frozen = models.ForeignKey(FrozenMonth, on_delete=models.CASCADE, related_name="lines")
    adjusts = models.CharField(max_length=7, blank=True, help_text=_("The earlier frozen month whose later entries it charges."))
    organisation_id = models.CharField(max_length=64, blank=True)
    cost_centre = models.CharField(max_length=100, blank=True)
    team_id = models.CharField(max_length=64, blank=True)
    team_name = models.CharField(max_length=200, blank=True)
    user_id = models.CharField(max_length=64, blank=True)
    user_name = models.CharField(max_length=200, blank=True)
    key_id = models.CharField(max_length=64, blank=True)
    key_name = models.CharField(max_length=200, blank=True)
    cost_nano = models.BigIntegerField()
    calls = models.BigIntegerField()
    unpriced_calls = models.BigIntegerField()
    estimated_calls = models.BigIntegerField()

    class Meta:
        ordering = ["adjusts", "cost_centre", "team_id", "key_id", "user_id"]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.adjusts, self.cost_centre, self.team_name, self.key_name)))
