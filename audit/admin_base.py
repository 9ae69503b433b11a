"""Base classes of every admin page: writes go through verbs only, and every refusal is told instead of raised."""

from typing import Any, ClassVar

from django.contrib import messages
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.admin import ModelAdmin

from audit.rows import ChangeRefused
from audit.trail import Actor


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person as the actor of a change."""
    user = request.user
    return Actor("user", id=str(user.pk), name=str(user)[:200], ip=request.META.get("REMOTE_ADDR", ""))


class AuditedAdmin(ModelAdmin):
    """Subclasses say how a row is created, changed and deleted; Django's own saving is never used."""

    list_filter_submit = True
    list_fullwidth = True
    verb_fields: ClassVar[frozenset[str]] = frozenset()

    def create_row(self, row: Any, form: Any, actor: Actor) -> None:
        raise NotImplementedError

    def change_row(self, row: Any, changes: dict[str, Any], form: Any, actor: Actor) -> None:
        raise NotImplementedError

    def delete_row(self, row: Any, actor: Actor) -> None:
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            names = self.verb_fields.intersection(form.changed_data)
            self.change_row(obj, {name: form.cleaned_data[name] for name in names}, form, actor_of(request))
        else:
            self.create_row(obj, form, actor_of(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_row(obj, actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        with transaction.atomic():
            for row in queryset:
                self.delete_row(row, actor_of(request))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]  # unfold is untyped
        except ChangeRefused as refusal:
            return self.told(request, refusal)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)  # type: ignore[no-any-return]  # unfold is untyped
        except ChangeRefused as refusal:
            return self.told(request, refusal)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)  # type: ignore[no-any-return]  # unfold is untyped
        except ChangeRefused as refusal:
            return self.told(request, refusal)

    def told(self, request: HttpRequest, refusal: ChangeRefused) -> HttpResponse:
        """Back to the page it came from, with the reason."""
        messages.error(request, str(refusal))
        return HttpResponseRedirect(request.path)


class ReadOnlyAdmin(ModelAdmin):
    """What happened: nobody adds, changes or deletes it here."""

    list_filter_submit = True
    list_fullwidth = True
    show_full_result_count = False
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False
