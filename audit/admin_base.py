"""Base classes of every admin page: writes go through verbs only, and every refusal is told instead of raised."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
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

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """What goes along with a row is the verb's matter: records, which nobody deletes by themselves, must not hold it back."""
        gone, counts, _held_back, protected = super().get_deleted_objects(objs, request)
        return gone, counts, set(), protected

    def act_on_each(self, request: HttpRequest, rows: Iterable[Any], verb: Callable[..., Any]) -> None:
        """All of them or, where one is refused, none."""
        chosen = list(rows)
        count = len(chosen)
        with transaction.atomic():
            for row in chosen:
                verb(row, actor=actor_of(request))
        messages.success(request, ngettext("Done for %(count)d row.", "Done for %(count)d rows.", count) % {"count": count})

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


class BlockableAdmin(AuditedAdmin):
    """Rows that are blocked and unblocked from their list."""

    actions = ["block_selected", "unblock_selected"]

    def set_blocked(self, row: Any, *, is_blocked: bool, actor: Actor) -> None:
        self.change_row(row, {"is_blocked": is_blocked}, None, actor)

    @admin.action(description=_("Block"), permissions=["change"])
    def block_selected(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        self.act_on_each(request, queryset, lambda row, actor: self.set_blocked(row, is_blocked=True, actor=actor))

    @admin.action(description=_("Unblock"), permissions=["change"])
    def unblock_selected(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        self.act_on_each(request, queryset, lambda row, actor: self.set_blocked(row, is_blocked=False, actor=actor))


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic only in the stubs
    """Never counts a table of millions: a filter finds an old row sooner than a thousand pages do."""

    furthest = 10_000

    @cached_property
    def count(self) -> int:
        rows = cast("models.QuerySet[Any]", self.object_list)
        return rows.order_by().values("pk")[: self.furthest].count()


class ReadOnlyAdmin(ModelAdmin):
    """What happened: nobody adds, changes or deletes it here."""

    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False
