"""Request records that declare a tag, however the database keeps a list."""

import json

from django.db import connection
from django.db.models import Q, TextField, Value
from django.db.models.functions import Cast, StrIndex
from django.db.models.lookups import GreaterThan

from console.dimensions import NOTHING


def tagged(tag: str) -> Q:
    """SQLite keeps a list as its text: there the quoted tag is looked for."""
    if tag == NOTHING:
        return Q(tags=[])
    if connection.features.supports_json_field_contains:
        return Q(tags__contains=[tag])
    return Q(GreaterThan(StrIndex(Cast("tags", TextField()), Value(json.dumps(tag))), 0))
