"""What the admin pages of teams and organisations share: people as lines under the row, and a block from the list."""

from typing import Any

from django.http import HttpRequest
from unfold.admin import TabularInline

from audit.admin_base import BlockableAdmin, actor_of
from audit.trail import Actor


class PlaceInline(TabularInline):
    extra = 0
    fields = ["user", "role"]
    autocomplete_fields = ["user"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return []


class MembersAdmin(BlockableAdmin):
    """Subclasses say how somebody gets, changes and leaves a place."""

    def add_place(self, place: Any, actor: Actor) -> None:
        raise NotImplementedError

    def change_place(self, place: Any, role: str, actor: Actor) -> None:
        raise NotImplementedError

    def remove_place(self, place: Any, actor: Actor) -> None:
        raise NotImplementedError

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        actor = actor_of(request)
        added = formset.save(commit=False)
        for gone in formset.deleted_objects:
            self.remove_place(gone, actor)
        for place, _names in formset.changed_objects:
            self._changed(place, actor)
        for place in added:
            if place._state.adding:
                self.add_place(place, actor)

    def _changed(self, place: Any, actor: Actor) -> None:
        """Another person in the same line is one member less and one more."""
        known = type(place)._default_manager.get(pk=place.pk)
        if known.user_id == place.user_id:
            self.change_place(known, place.role, actor)
            return
        self.remove_place(known, actor)
        place.pk, place._state.adding = None, True
        self.add_place(place, actor)
