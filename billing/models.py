"""How much: budgets and their windows, price overrides, the ledger. Money is integer nano-USD, prices are pico-USD per token."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Budget(models.Model):
    """An amount of money per period for one scope. What was spent stands in its windows."""

    class Scope(models.TextChoices):
        KEY = "key", _("key")
        USER = "user", _("user")
        TEAM = "team", _("team")
        ORGANISATION = "organisation", _("organisation")
        GLOBAL = "global", _("everyone")

    class Mode(models.TextChoices):
        HARD = "hard", _("hard: calls are refused when it is spent")
        SOFT = "soft", _("soft: only alerts")

    scope = models.CharField(max_length=20, choices=Scope)
    scope_id = models.CharField(max_length=64, blank=True)
    amount_nano = models.BigIntegerField(help_text=_("nano-USD: 1 USD is 1,000,000,000"))
    period = models.CharField(
        max_length=10, blank=True, help_text=_("30s, 15m, 1h, 7d, 30d, 1mo, day, week, month; empty means once and for all.")
    )
    time_zone = models.CharField(max_length=60, default="UTC")
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.HARD)
    anchored_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "scope_id", "period"], name="one_budget_per_scope_and_period")]

    def __str__(self) -> str:
        return f"{self.scope} {self.scope_id} {self.period}".strip()


class Window(models.Model):
    """One period of a budget. A reset opens the next window; nothing is ever set back to zero."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="windows")
    starts_at = models.DateTimeField()
    posted_nano = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-starts_at"]
        constraints = [models.UniqueConstraint(fields=["budget", "starts_at"], name="one_window_per_budget_and_start")]

    def __str__(self) -> str:
        return f"{self.budget} from {self.starts_at:%Y-%m-%d %H:%M}"


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
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["provider", "model", "-starts_at"]
        constraints = [models.UniqueConstraint(fields=["provider", "model", "starts_at"], name="one_price_per_model_and_date")]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} from {self.starts_at:%Y-%m-%d}"


class LedgerEntry(models.Model):
    """What one attempt cost. Append-only: `base` once per attempt, `reap` for one whose end nobody saw, `adjust` for a later truth."""

    class Kind(models.TextChoices):
        BASE = "base"
        ADJUST = "adjust"
        REAP = "reap"

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

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["attempt_id"], condition=models.Q(kind__in=["base", "reap"]), name="one_base_entry_per_attempt")
        ]

    def __str__(self) -> str:
        return f"{self.attempt_id} {self.kind}"
