"""Names of apps, models and their fields in the reader's language, without a word in a migration.

Django makes them out of Python's names and keeps them as plain text; here each of them is looked up in the catalogue when it is shown.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig, apps
from django.contrib import admin
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, override

# allauth translates its pages and leaves its models in English.
NAMED_HERE = frozenset({"audit", "billing", "keys", "routing", "allauth"})


def _apps() -> list[AppConfig]:
    return [config for config in apps.get_app_configs() if config.name.split(".")[0] in NAMED_HERE]


def translate() -> None:
    for config in _apps():
        config.verbose_name = _looked_up(config.verbose_name)
        for model in config.get_models():
            meta = model._meta
            if "verbose_name_plural" not in meta.original_attrs:
                # Django's own only adds an s.
                meta.verbose_name_plural = gettext_lazy(_in_english(meta.verbose_name_plural))
            meta.verbose_name, meta.verbose_name_plural = _looked_up(meta.verbose_name), _looked_up(meta.verbose_name_plural)
            for field in (*meta.local_fields, *meta.local_many_to_many):
                field.verbose_name = _looked_up(field.verbose_name)


def _looked_up(name: Any) -> Any:
    return name if isinstance(name, Promise) else gettext_lazy(str(name))


def _in_english(name: object) -> str:
    with override(None):
        return str(name)


def texts() -> Iterator[tuple[str, str]]:
    """Each name that the admin may show, with whose it is."""
    inlines = {inline.model for page in admin.site._registry.values() for inline in page.inlines}
    for config in _apps():
        shown = [model for model in config.get_models() if model in admin.site._registry or model in inlines]
        if shown:
            yield str(config.verbose_name), config.name
        for model in shown:
            for name in _names_of(model):
                yield str(name), model._meta.label


def _names_of(model: type[models.Model]) -> Iterator[object]:
    meta = model._meta
    yield from (meta.verbose_name, meta.verbose_name_plural)
    # What a model names itself stands in its source.
    yield from (field.verbose_name for field in meta.fields if "verbose_name" not in field.deconstruct()[3])
