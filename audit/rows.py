"""Adding, changing and removing a row together with its audit event, in one transaction. The verbs of the apps are built on these."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar, cast

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models.deletion import ProtectedError
from django.utils.translation import gettext as _

from audit.trail import SECRET_FIELDS, Actor, describe, record_change

Row = TypeVar("Row", bound=models.Model)


class ChangeRefused(ValueError):
    """A change that cannot be made. The text says why to the person who asked; `field` names what it is about, if anything."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def _check(row: models.Model, unchecked: Collection[str]) -> None:
    try:
        row.full_clean(exclude=unchecked)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        named = "" if field == "__all__" else field
        raise ChangeRefused(f"{named}: {messages[0]}" if named else messages[0], field=named) from error


def _save(row: models.Model, *, is_new: bool) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=is_new, force_update=not is_new)
    except IntegrityError as error:
        raise ChangeRefused(_("The same was saved by somebody else at this moment. Try again.")) from error


@transaction.atomic
def add_row(row: Row, *, event: str, actor: Actor, unchecked: Collection[str] = ()) -> Row:
    if row.pk is None:
        row.pk = row._meta.pk.get_pk_value_on_save(row)  # an inline formset takes the default away from its parent
    _check(row, unchecked)
    _save(row, is_new=True)
    record_change(event, row, actor=actor)
    return row


@transaction.atomic
def change_row(row: Row, changes: Mapping[str, Any], *, event: str, actor: Actor, unchecked: Collection[str] = ()) -> Row:
    """Reads the row again under a lock, sets `changes` and saves. Nothing is written or recorded when nothing differs."""
    manager = row._meta.model._default_manager  # type(row) is something else when row is a lazy request.user
    current = cast("Row | None", manager.select_for_update().filter(pk=row.pk).first())
    if current is None:
        raise ChangeRefused(_("This no longer exists: %(kind)s.") % {"kind": row._meta.verbose_name})
    before = describe(current)
    differing = {name for name, value in changes.items() if getattr(current, name) != value}
    if not differing:
        return current
    for name in differing:
        setattr(current, name, changes[name])
    _check(current, unchecked)
    _save(current, is_new=False)
    secrets = dict.fromkeys(differing & SECRET_FIELDS, "changed")
    record_change(event, current, actor=actor, before=before, after=describe(current) | secrets)
    return current


@transaction.atomic
def remove_row(row: models.Model, *, event: str, actor: Actor) -> None:
    """Deletes the row, or refuses with the number of things that still need it."""
    before, pk = describe(row), row.pk
    try:
        row.delete()
    except ProtectedError as error:
        told = _("%(name)s cannot be deleted: %(n)s %(kinds)s still belong to it. Delete or move them first.")
        raise ChangeRefused(told % {"name": row, "n": len(error.protected_objects), "kinds": _names_of(error)}) from error
    row.pk = pk  # Django forgets it on deletion
    record_change(event, row, actor=actor, before=before, after={})


def _names_of(error: ProtectedError) -> str:
    return ", ".join(sorted({str(row._meta.verbose_name_plural) for row in error.protected_objects}))
