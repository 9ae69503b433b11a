"""Where to: public model names, the deployments behind them, the credentials that open those."""

from django.core.validators import MinValueValidator, URLValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from keys.models import kept_unread, new_id


class Origin(models.TextChoices):
    PAGE = "page", _("made here")
    FILE = "file", _("from the configuration file")


class Credential(models.Model):
    """A provider's key: encrypted (`fernet:…`), or a reference such as `env:ANTHROPIC_API_KEY` resolved when routes are loaded."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    name = models.CharField(max_length=200, unique=True)
    provider = models.CharField(max_length=40)
    secret = models.TextField(blank=True, help_text=_("A provider key, or a reference such as env:ANTHROPIC_API_KEY."))
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.PAGE, editable=False)
    extra = kept_unread()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Strategy(models.TextChoices):
    """How equals are told apart, under LiteLLM's names."""

    SHUFFLE = "simple-shuffle", _("by weight, at random")
    LEAST_BUSY = "least-busy", _("fewest calls under way")
    LATENCY = "latency-based-routing", _("fastest of late")
    USAGE = "usage-based-routing-v2", _("most capacity left this minute")
    COST = "cost-based-routing", _("cheapest")


class Deployment(models.Model):
    """One upstream model at one provider, reached with one credential."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    name = models.CharField(max_length=200, unique=True)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200, help_text=_("The model id that the provider knows."))
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="deployments", null=True, blank=True)
    base_url = models.CharField(max_length=500, blank=True, validators=[URLValidator(schemes=["http", "https"])])
    region = models.CharField(max_length=60, blank=True, help_text=_("Region or location, such as eu-west-1 or global."))
    project = models.CharField(max_length=100, blank=True, help_text=_("Google Cloud project."))
    api = models.CharField(
        max_length=20, blank=True, help_text=_("Which of the provider's ways is taken; empty: the best one for the model.")
    )
    api_version = models.CharField(max_length=40, blank=True)
    base_model = models.CharField(
        max_length=200, blank=True, help_text=_("What model it is, where its id does not tell (ARNs, Azure deployments): for prices.")
    )
    rpm_limit = models.PositiveIntegerField(_("requests per minute"), null=True, blank=True)
    tpm_limit = models.PositiveBigIntegerField(_("tokens per minute"), null=True, blank=True)
    is_active = models.BooleanField(default=True)
    connect_timeout_s = models.FloatField(default=5, validators=[MinValueValidator(0.1)])
    first_byte_timeout_s = models.FloatField(default=600, validators=[MinValueValidator(0.1)])
    idle_timeout_s = models.FloatField(default=120, validators=[MinValueValidator(0.1)])
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.PAGE, editable=False)
    extra = kept_unread()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Route(models.Model):
    """A public model name; `prefix/*` and `*` match what no exact name does."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    name = models.CharField(max_length=200, unique=True)
    description = models.CharField(max_length=300, blank=True)
    is_active = models.BooleanField(default=True)
    rpm_limit = models.PositiveIntegerField(_("requests per minute"), null=True, blank=True)
    tpm_limit = models.PositiveBigIntegerField(_("tokens per minute"), null=True, blank=True)
    parallel_limit = models.PositiveIntegerField(_("calls at once"), null=True, blank=True)
    strategy = models.CharField(max_length=40, choices=Strategy, blank=True, help_text=_("Empty: as set for all routes."))
    retries = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("More attempts at the same deployments; empty: as set for all.")
    )
    fallbacks = models.JSONField(
        default=list, blank=True, help_text=_("Other public names that are tried, in order, when none of the deployments answers.")
    )
    context_window_fallbacks = models.JSONField(default=list, blank=True, help_text=_("Public names for prompts that are too long here."))
    content_policy_fallbacks = models.JSONField(default=list, blank=True, help_text=_("Public names for prompts that are refused here."))
    deployments = models.ManyToManyField(Deployment, through="RouteTarget", related_name="routes")
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.PAGE, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RouteTarget(models.Model):
    """A deployment in a route: lower `order` first, chance by `weight` among equals."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="targets")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="targets")
    order = models.PositiveIntegerField(default=1)
    weight = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["order", "-weight"]
        constraints = [models.UniqueConstraint(fields=["route", "deployment"], name="one_target_per_route_and_deployment")]

    def __str__(self) -> str:
        return f"{self.route} to {self.deployment}"


class RoutingPolicy(models.Model):
    """What holds for every route that says nothing else. One row."""

    strategy = models.CharField(max_length=40, choices=Strategy, default=Strategy.SHUFFLE)
    retries = models.PositiveSmallIntegerField(default=2)
    allowed_fails = models.PositiveSmallIntegerField(default=3, help_text=_("Failures in a minute after which a deployment cools down."))
    cooldown_s = models.FloatField(default=5, validators=[MinValueValidator(0)])
    is_sticky = models.BooleanField(default=True, help_text=_("A session stays with its deployment, for the provider's prompt cache."))
    has_health_checks = models.BooleanField(default=False)
    health_check_interval_s = models.FloatField(default=300, validators=[MinValueValidator(10)])
    default_fallbacks = models.JSONField(default=list, blank=True)
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.PAGE, editable=False)

    class Meta:
        verbose_name_plural = _("routing policy")

    def __str__(self) -> str:
        return str(_("Routing policy"))
