"""Where to: public model names, the deployments behind them, the credentials that open those."""

from django.core.validators import MinValueValidator, URLValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from keys.models import new_id


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
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Deployment(models.Model):
    """One upstream model at one provider, reached with one credential."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id, editable=False)
    name = models.CharField(max_length=200, unique=True)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200, help_text=_("The model id that the provider knows."))
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="deployments", null=True, blank=True)
    base_url = models.CharField(max_length=500, blank=True, validators=[URLValidator(schemes=["http", "https"])])
    is_active = models.BooleanField(default=True)
    connect_timeout_s = models.FloatField(default=5, validators=[MinValueValidator(0.1)])
    first_byte_timeout_s = models.FloatField(default=600, validators=[MinValueValidator(0.1)])
    idle_timeout_s = models.FloatField(default=120, validators=[MinValueValidator(0.1)])
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.PAGE, editable=False)
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
