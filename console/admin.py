"""Admin pages of keys; those of people, teams, end users and tags have files beside it. They live here: a key is issued with its budget."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import action, display

from audit.admin_base import BlockableAdmin, actor_of
from audit.rows import ChangeRefused
from audit.trail import Actor
from billing.models import Budget
from billing.standing_columns import StandingColumns
from console import use_cases
from console.budget_columns import attach_budgets
from console.connect_blocks import address_of
from console.connecting import Block, blocks, example_model
from console.end_user_admin import EndUserAdmin
from console.key_form import KeyForm, RotateForm
from console.key_states import STATES, in_state
from console.people_admin import OrganisationAdmin, UserAdmin
from console.tag_admin import TagAdmin
from console.team_admin import TeamAdmin
from keys import actions as verbs
from keys.models import VirtualKey

__all__ = ["EndUserAdmin", "OrganisationAdmin", "TagAdmin", "TeamAdmin", "UserAdmin", "VirtualKeyAdmin"]

STATE_COLOURS = {"active": "success", "blocked": "danger", "expired": "warning", "revoked": "info"}


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(STATES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[VirtualKey]) -> QuerySet[VirtualKey]:
        return in_state(queryset, self.value() or "", timezone.now())


@admin.register(VirtualKey)
class VirtualKeyAdmin(StandingColumns, BlockableAdmin):
    form = KeyForm
    verb_fields = verbs.KEY_FIELDS - {"is_blocked", "extra"}
    list_display = ["name_shown", "state", "team", "user", "hint", "expires_at", "used", "burn", "lasts", "created_at"]
    list_filter = [StateFilter, "team"]
    list_select_related = ["team", "user"]
    search_fields = ["name", "id", "last_four", "team__name", "user__username", "user__email"]
    autocomplete_fields = ["team", "user", "organisation"]
    actions = ["revoke_selected", "block_selected", "unblock_selected"]
    actions_detail = ["rotate", "revoke", "block", "unblock"]
    fieldsets = [
        (None, {"fields": ["name", "team", "user", "allowed_models"]}),
        (_("Money"), {"fields": [("max_budget", "budget_period"), "cost_centre"]}),
        (_("Limits"), {"fields": [("tpm_limit", "rpm_limit", "parallel_limit"), "model_limits", "expires_at", "allowed_ips"]}),
        (_("Runners without a fixed address"), {"fields": [("required_header", "required_header_value")]}),
        (_("More"), {"fields": ["organisation", "tags", "metadata"]}),
    ]

    @display(description=_("name"), ordering="name")
    def name_shown(self, key: VirtualKey) -> str:
        return str(key)

    @display(description=_("state"), label=STATE_COLOURS)
    def state(self, key: VirtualKey) -> tuple[str, Any]:
        state = key.state(timezone.now())
        return state, STATES[state]

    @display(description=_("key"), ordering="last_four")
    def hint(self, key: VirtualKey) -> str:
        return key.hint

    def attach(self, rows: list[VirtualKey]) -> None:
        attach_budgets(rows, Budget.Scope.KEY)

    # ── writing ───────────────────────────────────────────────────────────────
    @sensitive_variables("token")
    def save_model(self, request: HttpRequest, obj: VirtualKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        names = self.verb_fields.intersection(form.cleaned_data)
        spec = verbs.KeySpec(**{name: form.cleaned_data[name] for name in names})
        terms = form.terms()
        key, token = use_cases.issue_key_with_budget(spec, [terms] if terms else [], actor=actor_of(request))
        obj.pk = key.pk
        obj.refresh_from_db()
        vars(request)["issued_token"] = token

    def change_row(self, row: VirtualKey, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        changes |= form.header()
        if form.is_budget_changed():
            use_cases.change_key_with_budget(row, changes, form.terms(), actor=actor)
        else:
            verbs.change_key(row, changes, actor=actor)

    def delete_row(self, row: VirtualKey, actor: Actor) -> None:
        use_cases.delete_key_with_budget(row, actor=actor)

    def response_add(self, request: HttpRequest, obj: VirtualKey, post_url_continue: str | None = None) -> HttpResponse:
        return self._shown_once(request, obj, vars(request).pop("issued_token"))

    @sensitive_variables("token")
    def _shown_once(self, request: HttpRequest, key: VirtualKey, token: str) -> HttpResponse:
        """The answer to the POST itself holds the secret: nothing that is kept (message, session, address) ever does."""
        shown = [Block(str(_("Secret")), token), *blocks(address_of(request), token, example_model(key.allowed_models))]
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "title": _("Key “%s”") % key,
            "blocks": shown, "list_url": reverse("admin:keys_virtualkey_changelist"),
        }  # fmt: skip
        response = TemplateResponse(request, "admin/keys/issued.html", context)
        response["Cache-Control"] = "no-store, private"
        response["Referrer-Policy"] = "no-referrer"
        return response.render()

    # ── acting on one key: GET asks, POST does ────────────────────────────────
    @action(description=_("Rotate"), url_path="rotate", permissions=["change"])
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        key, form = self._named(request, object_id), RotateForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self._asked(request, key, _("Make a new secret for this key?"), form)
        try:
            token = verbs.rotate_key(key, overlap=timedelta(hours=int(form.cleaned_data["overlap"])), actor=actor_of(request))
        except ChangeRefused as refusal:
            return self._back(request, key, str(refusal), messages.ERROR)
        key.refresh_from_db()
        return self._shown_once(request, key, token)

    @action(description=_("Revoke"), url_path="revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._done(request, object_id, _("Revoke this key for good?"), verbs.revoke_key)

    @action(description=_("Block"), url_path="block", permissions=["change"])
    def block(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._done(request, object_id, _("Block this key until it is unblocked?"), verbs.block_key)

    @action(description=_("Unblock"), url_path="unblock", permissions=["change"])
    def unblock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._done(request, object_id, _("Let this key work again?"), verbs.unblock_key)

    def _named(self, request: HttpRequest, object_id: str) -> VirtualKey:
        key: VirtualKey | None = self.get_object(request, object_id)
        if key is None:
            raise Http404
        return key

    def _done(self, request: HttpRequest, object_id: str, question: Any, verb: Callable[..., VirtualKey]) -> HttpResponse:
        key = self._named(request, object_id)
        if request.method != "POST":
            return self._asked(request, key, question, None)
        state = verb(key, actor=actor_of(request)).state(timezone.now())
        return self._back(request, key, _("Key “%(key)s” is %(state)s.") % {"key": key, "state": STATES[state]}, messages.SUCCESS)

    def _asked(self, request: HttpRequest, key: VirtualKey, question: Any, form: forms.Form | None) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": question, "key": key, "form": form}
        return TemplateResponse(request, "admin/keys/confirm.html", context)

    def _back(self, request: HttpRequest, key: VirtualKey, text: str, level: int) -> HttpResponse:
        messages.add_message(request, level, text)
        return HttpResponseRedirect(reverse("admin:keys_virtualkey_change", args=[key.pk]))

    # ── acting on many ────────────────────────────────────────────────────────
    @admin.action(description=_("Revoke for good"), permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[VirtualKey]) -> None:
        self.act_on_each(request, queryset, verbs.revoke_key)

    def set_blocked(self, row: VirtualKey, *, is_blocked: bool, actor: Actor) -> None:
        verb = verbs.block_key if is_blocked else verbs.unblock_key
        verb(row, actor=actor)
