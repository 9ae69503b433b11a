"""Admin pages of routes, deployments and credentials. The configuration file's rows are only shown; secrets go in and never come out."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from audit.admin_base import AuditedAdmin, actor_of
from audit.rows import ChangeRefused
from audit.trail import Actor
from routing import actions
from routing.credentials import shown_form
from routing.models import Credential, Deployment, Origin, Route, RouteTarget, RoutingPolicy
from routing.probe import Outcome
from routing.providers.registry import PROVIDERS

PROVIDER_CHOICES = [(name, _("built-in demo") if name == "demo" else name) for name in PROVIDERS]


class FromFileAdmin(AuditedAdmin):
    """What the configuration file says is changed in the file."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and self._is_ours(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and self._is_ours(obj)

    def _is_ours(self, named: Any) -> bool:
        """Unfold names the row by its id where Django hands over the row itself."""
        row = self.model._default_manager.filter(pk=named).first() if isinstance(named, str) else named
        return row is None or row.origin == Origin.PAGE


def told(outcome: Outcome) -> str:
    """In the words of `tallygate doctor`, then status and time."""
    status = _("status %(status)s, ") % {"status": outcome.status} if outcome.status and not outcome.ok else ""
    return f"{gettext(outcome.sentence)} ({status}{outcome.ms} ms)"


class TestsConnections(FromFileAdmin):
    """Buttons that make one tiny real call to deployments. Every call is audited, and all of them together are limited."""

    actions = ["test_selected"]
    actions_submit_line = ["save_and_test"]

    def deployments_of(self, row: Any) -> Iterable[Deployment]:
        raise NotImplementedError

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        self._test_if_asked(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        self._test_if_asked(request, obj)
        return super().response_change(request, obj)

    def _test_if_asked(self, request: HttpRequest, row: Any) -> None:
        """After the form's transaction: no database lock is held while the provider is asked."""
        if f"{self.opts.app_label}_{self.opts.model_name}_save_and_test" in request.POST:
            self._test(request, row)

    @action(description=_("Save and test connection"), permissions=["change"])
    def save_and_test(self, request: HttpRequest, obj: Any) -> None:
        """The button; what it does happens after saving."""

    @admin.action(description=_("Test connection"), permissions=["change"])
    def test_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self._test(request, row)

    def _test(self, request: HttpRequest, row: Any) -> None:
        deployments = list(self.deployments_of(row))
        for deployment in deployments:
            outcome = actions.test_deployment(deployment, actor=actor_of(request))
            level = messages.SUCCESS if outcome.ok else messages.ERROR
            messages.add_message(request, level, f"{deployment.name}: {told(outcome)}")
        if not deployments:
            messages.warning(request, _("%(name)s: no deployment uses it, so there is nothing to call.") % {"name": row})


def provider_field() -> forms.ChoiceField:
    return forms.ChoiceField(label=_("Provider"), choices=PROVIDER_CHOICES, widget=UnfoldAdminSelectWidget)


class CredentialForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    provider = provider_field()
    new_secret = forms.CharField(
        label=_("Provider key"), required=False, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("Kept encrypted and never shown again. Or a reference such as env:ANTHROPIC_API_KEY. Leave empty to keep what is."),
    )  # fmt: skip

    class Meta:
        model = Credential
        fields = ["name", "provider"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("new_secret") and not self.instance.secret:
            self.add_error("new_secret", _("Enter the provider's key or a reference to it."))
        elif data.get("new_secret"):
            try:
                actions.kept_secret(data["new_secret"], self.instance)
            except ChangeRefused as refusal:
                self.add_error("new_secret", str(refusal))
        return data


@admin.register(Credential)
class CredentialAdmin(TestsConnections):
    form = CredentialForm
    verb_fields = actions.CREDENTIAL_FIELDS
    fields = ["name", "provider", "secret_shown", "new_secret"]
    readonly_fields = ["secret_shown"]
    list_display = ["name", "provider", "secret_shown", "origin", "created_at"]
    list_filter = ["provider", "origin"]
    search_fields = ["name"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return ["name", "provider", "new_secret"]
        is_ours = self.has_change_permission(request, obj)
        return ["name", "provider", "secret_shown", *(["new_secret"] if is_ours else [])]

    @display(description=_("secret"))
    def secret_shown(self, credential: Credential) -> str:
        return shown_form(credential.secret)

    def create_row(self, row: Credential, form: Any, actor: Actor) -> None:
        actions.create_credential(row, form.cleaned_data["new_secret"], actor=actor)

    def change_row(self, row: Credential, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        typed = form.cleaned_data["new_secret"]
        actions.change_credential(row, changes | ({"secret": typed} if typed else {}), actor=actor)

    def delete_row(self, row: Credential, actor: Actor) -> None:
        actions.delete_credential(row, actor=actor)

    def deployments_of(self, row: Credential) -> Iterable[Deployment]:
        return Deployment.objects.filter(credential=row, is_active=True).select_related("credential").order_by("name")


class DeploymentForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    provider = provider_field()

    class Meta:
        model = Deployment
        fields = [
            "name", "provider", "model", "credential", "base_url", "region", "project", "api", "api_version", "base_model", "is_active",
            "rpm_limit", "tpm_limit", "connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s",
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not self.errors:
            try:
                actions.check_deployment(data["model"], data["base_url"], self.instance.origin)
            except ChangeRefused as refusal:
                self.add_error(refusal.field, str(refusal))
        return data


@admin.register(Deployment)
class DeploymentAdmin(TestsConnections):
    form = DeploymentForm
    verb_fields = actions.DEPLOYMENT_FIELDS
    list_display = ["name", "provider", "model", "credential", "is_active", "origin"]
    list_filter = ["provider", "is_active", "origin"]
    list_select_related = ["credential"]
    search_fields = ["name", "model"]

    def create_row(self, row: Deployment, form: Any, actor: Actor) -> None:
        actions.create_deployment(row, actor=actor)

    def change_row(self, row: Deployment, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.change_deployment(row, changes, actor=actor)

    def delete_row(self, row: Deployment, actor: Actor) -> None:
        actions.delete_deployment(row, actor=actor)

    def deployments_of(self, row: Deployment) -> Iterable[Deployment]:
        return Deployment.objects.filter(pk=row.pk).select_related("credential")


class TargetInline(TabularInline):
    model = RouteTarget
    extra = 1
    fields = ["deployment", "order", "weight"]


class NamesField(forms.CharField):
    """A list of model names, one on each line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [name for line in (value or "").splitlines() if (name := line.strip())]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


def names_field(field: Any) -> NamesField:
    return NamesField(label=capfirst(_(field.verbose_name)), help_text=field.help_text, required=False)


class NamesForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """Tells a wrong list where it was typed."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name, field in self.fields.items():
            if isinstance(field, NamesField) and name in data:
                try:
                    actions.check_names(data[name], name, besides=data.get("name") or "")
                except ChangeRefused as refusal:
                    self.add_error(name, str(refusal))
        return data


class RouteForm(NamesForm):
    fallbacks, context_window_fallbacks, content_policy_fallbacks = (
        names_field(Route._meta.get_field(name)) for name in actions.FALLBACK_FIELDS
    )

    class Meta:
        model = Route
        fields = ["name", "description", "is_active", "strategy", "retries", *actions.FALLBACK_FIELDS]
        help_texts = {
            "name": _(
                "The model name people ask for; claude-* or anthropic/* answers for all names that begin so and have no route of their own."
            )
        }


@admin.register(Route)
class RouteAdmin(FromFileAdmin):
    form = RouteForm
    verb_fields = actions.ROUTE_FIELDS
    list_display = ["name", "leads_to", "is_active", "origin", "description"]
    list_filter = ["is_active", "origin"]
    search_fields = ["name", "description"]
    inlines = [TargetInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Route]:
        return super().get_queryset(request).prefetch_related("targets__deployment")  # type: ignore[no-any-return]  # unfold is untyped

    @display(description=_("leads to"))
    def leads_to(self, route: Route) -> str:
        names = [target.deployment.name for target in route.targets.all()]
        return ", ".join(names) or str(_("no deployment"))

    def create_row(self, row: Route, form: Any, actor: Actor) -> None:
        actions.create_route(row, actor=actor)

    def change_row(self, row: Route, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.change_route(row, changes, actor=actor)

    def delete_row(self, row: Route, actor: Actor) -> None:
        actions.delete_route(row, actor=actor)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        rows = [line.instance for line in formset.forms if line.instance.deployment_id and line not in formset.deleted_forms]
        targets = [actions.Target(row.deployment, row.order, row.weight) for row in rows]
        actions.set_targets(formset.instance, targets, actor=actor_of(request))


class PolicyForm(NamesForm):
    default_fallbacks = NamesField(label=_("Fallbacks of routes that name none"), required=False)

    class Meta:
        model = RoutingPolicy
        fields = [
            "strategy", "retries", "allowed_fails", "cooldown_s", "is_sticky", "has_health_checks", "health_check_interval_s",
            "default_fallbacks",
        ]  # fmt: skip


@admin.register(RoutingPolicy)
class RoutingPolicyAdmin(FromFileAdmin):
    """One row, which is made when somebody first wants something else than the defaults."""

    form = PolicyForm
    verb_fields = actions.POLICY_FIELDS
    list_display = ["__str__", "strategy", "retries", "is_sticky", "has_health_checks", "origin"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_add_permission(request)) and not RoutingPolicy.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def create_row(self, row: RoutingPolicy, form: Any, actor: Actor) -> None:
        actions.create_policy(row, actor=actor)

    def change_row(self, row: RoutingPolicy, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        actions.change_policy(row, changes, actor=actor)
